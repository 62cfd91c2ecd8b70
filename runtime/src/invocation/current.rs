//! The current invocation, for code that its context does not reach.

use std::cell::Cell;
use std::future::Future;
use std::mem::ManuallyDrop;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use pin_project_lite::pin_project;

use super::context::remaining_time;
use super::running::{Running, Shared};

thread_local! {
    /// Not dropped at the end of the thread, which makes access cheaper: it is `None` whenever nothing is polled.
    static CURRENT: Cell<ManuallyDrop<Option<Arc<Shared>>>> = const { Cell::new(ManuallyDrop::new(None)) };
}

/// Returns the current invocation: that of the handler, layer, response stream or [work after the
/// response](crate::Context::wait_until) from which it is called. With many concurrent invocations each has its own, unlike
/// the environment variable `_X_AMZN_TRACE_ID`.
///
/// A spawned task has none, unless it runs in the [scope](Current::scope) of one. If a layer moves the service that it wraps to
/// another task, the handler has its invocation there, and layers between the two have none.
///
/// ```
/// use lambda_runtime_base::{Error, LambdaEvent, current};
///
/// async fn handler(_event: LambdaEvent<String>) -> Result<(), Error> {
///     query("select 1").await
/// }
///
/// // Deep inside the function.
/// async fn query(sql: &str) -> Result<(), Error> {
///     let request_id = current().map(|current| current.request_id().to_owned()).unwrap_or_default();
///     println!("/* {request_id} */ {sql}");
///     Ok(())
/// }
/// ```
#[cfg(feature = "current")]
pub fn current() -> Option<Current> {
    let mut shared = None;
    swap(&mut shared);
    let current = shared.clone().map(Current);
    swap(&mut shared);
    current
}

/// The current invocation, from [`current`]. It can outlive the invocation.
#[cfg(feature = "current")]
#[derive(Clone)]
pub struct Current(Arc<Shared>);

impl Current {
    /// Lambda's id of the invocation.
    pub fn request_id(&self) -> &str {
        self.0.ids.request_id()
    }

    /// The X-Ray trace: `Root=1-…;Parent=…;Sampled=1`.
    pub fn xray_trace_id(&self) -> Option<&str> {
        Some(self.0.ids.trace_id()).filter(|id| !id.is_empty())
    }

    /// The tenant for which the function was invoked.
    pub fn tenant_id(&self) -> Option<&str> {
        Some(self.0.ids.tenant_id()).filter(|id| !id.is_empty())
    }

    /// The deadline, as [`Context::deadline`](crate::Context::deadline).
    pub fn deadline(&self) -> SystemTime {
        super::context::deadline(self.0.ids.deadline)
    }

    /// The time left until the deadline, as [`Context::remaining_time`](crate::Context::remaining_time).
    pub fn remaining_time(&self) -> Option<Duration> {
        remaining_time(self.0.ids.deadline, SystemTime::now())
    }

    /// Makes this invocation the current one wherever `future` is polled, for tasks that the handler spawns:
    ///
    /// ```
    /// # use lambda_runtime_base::current;
    /// # mod tokio { pub fn spawn(_: impl Future) {} }
    /// async fn task() {
    ///     println!("on behalf of {}", current().unwrap().request_id());
    /// }
    ///
    /// if let Some(current) = current() {
    ///     tokio::spawn(current.scope(task()));
    /// }
    /// ```
    pub fn scope<F>(&self, future: F) -> Scope<F> {
        Scope { future, shared: Some(Arc::clone(&self.0)) }
    }
}

impl std::fmt::Debug for Current {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Current")
            .field("request_id", &self.request_id())
            .field("xray_trace_id", &self.xray_trace_id())
            .field("tenant_id", &self.tenant_id())
            .field("deadline", &self.deadline())
            .finish()
    }
}

pin_project! {
    /// The future of [`Current::scope`].
    #[cfg(feature = "current")]
    #[must_use = "futures do nothing unless polled"]
    pub struct Scope<F> {
        #[pin]
        future: F,
        shared: Option<Arc<Shared>>,
    }
}

impl<F: Future> Future for Scope<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _entered = Entered::new(this.shared);
        this.future.poll(cx)
    }
}

/// Makes an invocation the current one until it is dropped. They are swapped, not cloned: meanwhile the place contains the
/// one before.
pub(crate) struct Entered<'a>(Option<&'a mut Option<Arc<Shared>>>);

impl<'a> Entered<'a> {
    fn new(shared: &'a mut Option<Arc<Shared>>) -> Self {
        swap(shared);
        Self(Some(shared))
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        if let Some(shared) = &mut self.0 {
            swap(shared);
        }
    }
}

/// Exchanges the current invocation for this one.
fn swap(shared: &mut Option<Arc<Shared>>) {
    let before = CURRENT.replace(ManuallyDrop::new(shared.take()));
    *shared = ManuallyDrop::into_inner(before);
}

impl Running {
    /// Makes this the current invocation, if there is one, until the guard is dropped.
    pub(crate) fn enter(&mut self) -> Entered<'_> {
        if self.shared.is_none() { Entered(None) } else { Entered::new(&mut self.shared) }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::future::poll_fn;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::pin::pin;
    use std::task::Waker;

    use super::*;
    use crate::invocation::running::Source;

    pub(crate) fn running(request_id: &str) -> Current {
        let mut running = Running::default();
        running.open(Source { request_id, trace_id: None, tenant_id: None, deadline: 0, may_move: false });
        Current(running.shared.unwrap())
    }

    fn current_id() -> Option<String> {
        current().map(|current| current.request_id().to_owned())
    }

    #[test]
    fn a_scope_applies_while_its_future_is_polled_and_may_be_nested() {
        let seen = |inner: Current| {
            poll_fn(move |cx| {
                let nested = pin!(inner.scope(poll_fn(|_| Poll::Ready(current_id())))).poll(cx);
                nested.map(|nested| (current_id(), nested))
            })
        };
        let polled = pin!(running("outer").scope(seen(running("inner")))).poll(&mut Context::from_waker(Waker::noop()));
        assert_eq!(polled, Poll::Ready((Some("outer".into()), Some("inner".into()))));
        assert_eq!(current_id(), None);
    }

    #[test]
    fn a_panic_restores_the_invocation_before() {
        let mut scope = pin!(running("a").scope(poll_fn(|_| -> Poll<()> { panic!("in the scope") })));
        let mut poll =
            || catch_unwind(AssertUnwindSafe(|| scope.as_mut().poll(&mut Context::from_waker(Waker::noop()))));
        assert!(poll().is_err() && current_id().is_none());
        // The scope has it again.
        assert!(poll().is_err() && current_id().is_none());
    }

    #[test]
    fn it_has_the_data_of_its_invocation_even_when_the_next_one_has_begun() {
        let deadline = 32_503_680_000_000;
        let source = |request_id, tenant_id| Source {
            request_id,
            trace_id: Some("Root=1"),
            tenant_id,
            deadline,
            may_move: false,
        };
        let mut running = Running::default();
        running.open(source("a", Some("blue")));
        let enter = |running: &mut Running| {
            let _entered = running.enter();
            current().unwrap()
        };
        let current = enter(&mut running);
        running.open(source("b", None));
        assert_eq!(enter(&mut running).request_id(), "b");

        let ids = (current.request_id(), current.xray_trace_id(), current.tenant_id());
        assert_eq!(ids, ("a", Some("Root=1"), Some("blue")));
        assert_eq!(current.deadline(), SystemTime::UNIX_EPOCH + Duration::from_millis(deadline));
        assert!(current.remaining_time() > Some(Duration::from_secs(1)));
        let debug = format!("{current:?}");
        assert!(
            debug.starts_with(r#"Current { request_id: "a", xray_trace_id: Some("Root=1"), tenant_id: Some("blue")"#),
            "{debug}"
        );
    }

    #[test]
    fn an_absent_id_is_none() {
        let current = running("a");
        assert_eq!((current.xray_trace_id(), current.tenant_id(), current.remaining_time()), (None, None, None));
    }
}
