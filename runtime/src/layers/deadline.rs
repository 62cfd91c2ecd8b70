//! An end before the deadline.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pin_project_lite::pin_project;
use tower::{Layer, Service};

use crate::{Error, Executor, LambdaInvocation};

/// Ends an invocation shortly before its deadline, with an error that says so, where Lambda would end the process
/// without a word. A response that is being streamed ends as torn. Without a deadline that makes sense, as
/// [`Context::remaining_time`](crate::Context::remaining_time) has it, an invocation takes the time that it takes.
///
/// The executors' crates name it `layers::DeadlineLayer`:
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
    /// Ends invocations so long before their deadline: long enough to report the error, some 100 ms.
    pub fn new(margin: Duration) -> Self {
        Self { margin, executor: X::default() }
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
        let remaining = invocation.context.remaining_time();
        let sleep = remaining.map(|remaining| self.executor.sleep(remaining.saturating_sub(self.margin)));
        DeadlineFuture { inner: self.inner.call(invocation), sleep, margin: self.margin }
    }
}

pin_project! {
    /// The future of [`DeadlineService`].
    pub struct DeadlineFuture<F, Sleep> {
        #[pin]
        inner: F,
        // `None` where there is no deadline.
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

/// The invocation was not done when its deadline came near.
#[derive(Debug)]
struct DeadlineNear {
    margin: Duration,
}

impl fmt::Display for DeadlineNear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the invocation was ended {} ms before its deadline: it was not done", self.margin.as_millis())
    }
}

impl std::error::Error for DeadlineNear {}
