//! The invocation that a worker is serving, shared with its [`Context`](super::context::Context), its
//! [`Current`](super::current::Current) and its work after the response.

use std::fmt;
#[cfg(any(feature = "current", feature = "wait-until"))]
use std::sync::Arc;

use crate::service::outcome::Outcome;
use crate::service::responder::Responder;

#[cfg(feature = "wait-until")]
use {
    super::work::{Queue, WaitUntilError},
    crate::executor::Executor,
    std::future::Future,
    std::time::Duration,
};

/// A reference to the running invocation; to none in a context that does not come from the runtime.
#[derive(Clone, Default)]
pub(crate) struct Running {
    /// In the context of an invocation, until the innermost service takes it.
    pub(crate) responder: Option<Responder<Outcome>>,
    #[cfg(any(feature = "current", feature = "wait-until"))]
    pub(super) shared: Option<Arc<Shared>>,
}

#[cfg(any(feature = "current", feature = "wait-until"))]
#[derive(Default)]
pub(crate) struct Shared {
    #[cfg(feature = "current")]
    pub(super) ids: Ids,
    /// A layer may poll the handler in another task.
    #[cfg(feature = "current")]
    may_move: bool,
    #[cfg(feature = "wait-until")]
    pub(super) queue: Queue,
}

/// The data of `Current`.
#[cfg(feature = "current")]
#[derive(Default)]
pub(super) struct Ids {
    /// The request id, the trace id and the tenant, one after the other. Replaced in place, without allocation.
    text: String,
    request_id_end: usize,
    trace_id_end: usize,
    /// Milliseconds since the Unix epoch; 0 if the API sent none.
    pub(super) deadline: u64,
}

/// The data of `Current` in the context of the next invocation.
#[cfg_attr(not(feature = "current"), allow(dead_code, reason = "only `current` stores it"))]
pub(crate) struct Source<'a> {
    pub(crate) request_id: &'a str,
    pub(crate) trace_id: Option<&'a str>,
    pub(crate) tenant_id: Option<&'a str>,
    pub(crate) deadline: u64,
    /// A layer may poll the handler in another task.
    pub(crate) may_move: bool,
}

impl Running {
    /// A reference for the context of the invocation.
    pub(crate) fn with_responder(&self, responder: Responder<Outcome>) -> Self {
        let mut running = self.clone();
        running.responder = Some(responder);
        running
    }

    /// Prepares for the next invocation. References to the earlier one keep its data.
    #[cfg(any(feature = "current", feature = "wait-until"))]
    pub(crate) fn open(&mut self, source: Source<'_>) {
        let shared = self.shared.get_or_insert_default();
        if Arc::strong_count(shared) > 1 {
            *shared = Arc::default();
        }
        let Some(shared) = Arc::get_mut(shared) else { return };
        #[cfg(feature = "current")]
        {
            shared.may_move = source.may_move;
            shared.ids.set(source);
        }
        #[cfg(feature = "wait-until")]
        shared.queue.open();
        #[cfg(not(feature = "current"))]
        let _ = source;
    }

    #[cfg(not(any(feature = "current", feature = "wait-until")))]
    pub(crate) fn open(&mut self, _: Source<'_>) {}
}

#[cfg(feature = "wait-until")]
impl Running {
    pub(super) fn wait_until(&self, future: impl Future<Output = ()> + Send + 'static) -> Result<(), WaitUntilError> {
        self.shared.as_ref().ok_or(WaitUntilError(()))?.queue.add(future)
    }

    /// Refuses further work after the response, unless some is pending. Returns whether it does.
    pub(crate) fn is_finished(&self) -> bool {
        self.shared.as_ref().is_none_or(|shared| shared.queue.close_if_empty())
    }

    /// Runs the work after the response for at most `remaining`.
    pub(crate) async fn finish<X: Executor>(&self, executor: &X, remaining: Option<Duration>, request_id: &str) {
        if let Some(shared) = &self.shared {
            shared.queue.finish(executor, remaining, request_id).await;
        }
    }

    /// Drops the work after the response.
    pub(crate) fn abandon(&self) {
        if let Some(shared) = &self.shared {
            shared.queue.abandon();
        }
    }
}

#[cfg(not(feature = "wait-until"))]
impl Running {
    pub(crate) fn abandon(&self) {}

    pub(crate) fn is_finished(&self) -> bool {
        true
    }
}

#[cfg(not(feature = "current"))]
impl Running {
    pub(crate) fn if_moved(&self) -> Self {
        Self::default()
    }

    pub(crate) fn enter(&mut self) -> impl Sized {
        Self::default()
    }
}

#[cfg(feature = "current")]
impl Running {
    /// A reference for the handler, which enters the invocation again because a layer may poll it in another task. Empty
    /// without layers: then the worker has entered it.
    pub(crate) fn if_moved(&self) -> Self {
        let shared = self.shared.as_ref().filter(|shared| shared.may_move).map(Arc::clone);
        Self { responder: None, shared }
    }
}

#[cfg(feature = "current")]
impl Ids {
    fn set(&mut self, source: Source<'_>) {
        self.text.clear();
        self.text.push_str(source.request_id);
        self.request_id_end = self.text.len();
        self.text.push_str(source.trace_id.unwrap_or_default());
        self.trace_id_end = self.text.len();
        self.text.push_str(source.tenant_id.unwrap_or_default());
        self.deadline = source.deadline;
    }

    pub(super) fn request_id(&self) -> &str {
        self.text.get(..self.request_id_end).unwrap_or_default()
    }

    /// Empty if the API sent none.
    pub(super) fn trace_id(&self) -> &str {
        self.text.get(self.request_id_end..self.trace_id_end).unwrap_or_default()
    }

    /// Empty if the API sent none.
    pub(super) fn tenant_id(&self) -> &str {
        self.text.get(self.trace_id_end..).unwrap_or_default()
    }
}

/// Contexts are equal whichever invocation they refer to.
impl PartialEq for Running {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Running {}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Running")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_printed_without_the_data_of_the_invocation() {
        assert_eq!(format!("{:?}", Running::default()), "Running");
    }
}
