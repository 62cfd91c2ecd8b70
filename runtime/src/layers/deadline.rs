//! Ending an invocation before its deadline.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pin_project_lite::pin_project;
use tower::{Layer, Service};

use crate::error::Error;
use crate::executor::Executor;
use crate::invocation::event::LambdaInvocation;

/// Ends an invocation shortly before its deadline, with an error that names the reason; Lambda would kill the process
/// without one. A response that is being streamed is interrupted. An invocation without a plausible deadline, as
/// defined by [`Context::remaining_time`](crate::Context::remaining_time), is not limited.
///
/// The executors' crates export it as `layers::DeadlineLayer`:
///
/// ```
/// # use lambda_runtime_base::{Error, Executor, LambdaEvent, Runtime, layers, service_fn};
/// # async fn handler(event: LambdaEvent<String>) -> Result<String, Error> { Ok(event.payload) }
/// # async fn serve<X: Executor + Default>() -> Result<(), Error> {
/// # type DeadlineLayer<X> = layers::DeadlineLayer<X>;
/// use std::time::Duration;
///
/// let layer = DeadlineLayer::new(Duration::from_millis(200));
/// # let layer: DeadlineLayer<X> = layer;
/// Runtime::<_, X>::new(service_fn(handler)).layer(layer).run().await
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct DeadlineLayer<X> {
    margin: Duration,
    executor: X,
}

impl<X: Executor + Default> DeadlineLayer<X> {
    /// Ends invocations this long before their deadline. Reporting the error takes some time: 100 ms are enough.
    pub fn new(margin: Duration) -> Self {
        Self::with_executor(margin, X::default())
    }
}

impl<X: Executor> DeadlineLayer<X> {
    /// Like [`new`](Self::new), with an executor that has state.
    pub fn with_executor(margin: Duration, executor: X) -> Self {
        Self { margin, executor }
    }
}

impl<S, X: Executor> Layer<S> for DeadlineLayer<X> {
    type Service = DeadlineService<S, X>;

    fn layer(&self, inner: S) -> Self::Service {
        DeadlineService { inner, margin: self.margin, executor: self.executor.clone() }
    }
}

/// The service of [`DeadlineLayer`].
#[derive(Debug, Clone)]
pub struct DeadlineService<S, X> {
    inner: S,
    margin: Duration,
    executor: X,
}

impl<S, X> Service<LambdaInvocation> for DeadlineService<S, X>
where
    S: Service<LambdaInvocation, Response = (), Error = Error>,
    X: Executor,
{
    type Response = ();
    type Error = Error;
    type Future = DeadlineFuture<S::Future, X::Sleep>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, invocation: LambdaInvocation) -> Self::Future {
        let remaining = invocation.context.remaining_time_at(self.executor.system_time());
        let sleep = remaining.map(|remaining| self.executor.sleep(remaining.saturating_sub(self.margin)));
        DeadlineFuture { inner: self.inner.call(invocation), sleep, margin: self.margin }
    }
}

pin_project! {
    /// The future of [`DeadlineService`].
    pub struct DeadlineFuture<F, Sleep> {
        #[pin]
        inner: F,
        // `None` if there is no deadline.
        #[pin]
        sleep: Option<Sleep>,
        margin: Duration,
    }
}

impl<F, Sleep> Future for DeadlineFuture<F, Sleep>
where
    F: Future<Output = Result<(), Error>>,
    Sleep: Future<Output = ()>,
{
    type Output = Result<(), Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Poll::Ready(result) = this.inner.poll(cx) {
            return Poll::Ready(result);
        }
        match this.sleep.as_pin_mut() {
            Some(sleep) => {
                ready!(sleep.poll(cx));
                Poll::Ready(Err(DeadlineNear { margin: *this.margin }.into()))
            }
            None => Poll::Pending,
        }
    }
}

/// The invocation was still running shortly before its deadline.
#[derive(Debug)]
struct DeadlineNear {
    margin: Duration,
}

impl fmt::Display for DeadlineNear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the invocation was ended {} ms before its deadline because it was still running",
            self.margin.as_millis()
        )
    }
}

impl std::error::Error for DeadlineNear {}
