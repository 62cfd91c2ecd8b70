//! The invocation that a worker is serving, shared with its [`Context`](super::context::Context), its
//! [`Current`](super::current::Current) and its work after the response.
//!
//! Without the features `current` and `wait-until` it is empty and does nothing.

use std::fmt;
#[cfg(any(feature = "current", feature = "wait-until"))]
use std::sync::Arc;

use lambda_runtime_proto::client::Invocation;

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
    #[cfg(any(feature = "current", feature = "wait-until"))]
    pub(super) shared: Option<Arc<Shared>>,
}

#[cfg(any(feature = "current", feature = "wait-until"))]
#[derive(Default)]
pub(crate) struct Shared {
    #[cfg(feature = "current")]
    pub(super) ids: Ids,
    #[cfg(feature = "wait-until")]
    pub(super) queue: Queue,
}

/// The data of `Current`. Text of the earlier invocation is replaced in place, without allocation.
#[cfg(feature = "current")]
#[derive(Debug, Default)]
pub(super) struct Ids {
    pub(super) request_id: String,
    /// Empty if the API sent none.
    pub(super) trace_id: String,
    /// Empty if the API sent none.
    pub(super) tenant_id: String,
    /// Milliseconds since the Unix epoch; 0 if the API sent none.
    pub(super) deadline: u64,
}

impl Running {
    /// Prepares for the next invocation. References to the earlier one keep its data.
    #[cfg(any(feature = "current", feature = "wait-until"))]
    pub(crate) fn open(&mut self, invocation: &Invocation, request_id: &str) {
        let shared = self.shared.get_or_insert_default();
        if Arc::get_mut(shared).is_none() {
            *shared = Arc::default();
        }
        let Some(shared) = Arc::get_mut(shared) else { return };
        #[cfg(feature = "current")]
        shared.ids.set(invocation, request_id);
        #[cfg(feature = "wait-until")]
        shared.queue.open();
        #[cfg(not(feature = "current"))]
        let _ = (invocation, request_id);
    }

    #[cfg(not(any(feature = "current", feature = "wait-until")))]
    pub(crate) fn open(&mut self, _: &Invocation, _: &str) {}
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
    pub(crate) fn scope<F>(&self, future: F) -> F {
        future
    }

    pub(crate) fn enter<T>(&mut self, f: impl FnOnce() -> T) -> T {
        f()
    }
}

#[cfg(feature = "current")]
impl Ids {
    fn set(&mut self, invocation: &Invocation, request_id: &str) {
        let set = |place: &mut String, value: Option<&[u8]>| {
            place.clear();
            match value.map(std::str::from_utf8) {
                None => {}
                Some(Ok(text)) => place.push_str(text),
                Some(Err(_)) => place.push_str(&String::from_utf8_lossy(value.unwrap_or_default())),
            }
        };
        self.request_id.clear();
        self.request_id.push_str(request_id);
        set(&mut self.trace_id, invocation.trace_id());
        set(&mut self.tenant_id, invocation.tenant_id());
        let deadline = invocation.deadline().unwrap_or_default().as_millis();
        self.deadline = u64::try_from(deadline).unwrap_or(u64::MAX);
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
