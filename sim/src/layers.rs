//! Layers around the function.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use lambda_runtime_base::{BoxFuture, Error, Executor as _, LambdaInvocation, Service, Spawn as _};
use tower::Layer;
use tower::util::BoxCloneService;

use crate::companions::{Companions, Place};
use crate::executor::Sim;

/// The layer around the handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Around {
    Nothing,
    /// A span around each invocation.
    Tracing,
    /// Ends invocations before their deadline.
    Deadline,
    /// The inner service runs in another task.
    OtherTask,
    /// The inner service is one of several futures of the same task, each with its own waker.
    OtherFuture,
    /// The inner service is polled next to `run`, with the waker of the same task.
    Companion(Place),
    /// The layer's future continues for a while after the acknowledgement.
    Slow,
}

pub const ALL: [Around; 8] = [
    Around::Nothing,
    Around::Tracing,
    Around::Deadline,
    Around::OtherTask,
    Around::OtherFuture,
    Around::Companion(Place::BeforeRun),
    Around::Companion(Place::AfterRun),
    Around::Slow,
];

/// The margin of the deadline layer.
pub const DEADLINE_MARGIN: Duration = Duration::from_millis(200);

/// A boxed service, so that layers can be chosen at run time.
pub type AnyService = BoxCloneService<LambdaInvocation, (), Error>;

/// Moves or delays the inner service.
#[derive(Clone)]
pub struct Moves {
    pub sim: Sim,
    pub around: Around,
    pub companions: Companions,
}

impl<S> Layer<S> for Moves {
    type Service = Moving<S>;

    fn layer(&self, inner: S) -> Moving<S> {
        Moving { inner, moves: self.clone() }
    }
}

#[derive(Clone)]
pub struct Moving<S> {
    inner: S,
    moves: Moves,
}

impl<S> Service<LambdaInvocation> for Moving<S>
where
    S: Service<LambdaInvocation, Response = (), Error = Error>,
    S::Future: Send + 'static,
{
    type Response = ();
    type Error = Error;
    type Future = BoxFuture<'static, Result<(), Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, invocation: LambdaInvocation) -> Self::Future {
        let inner = self.inner.call(invocation);
        let sim = self.moves.sim.clone();
        match self.moves.around {
            Around::OtherTask => {
                let task = sim.spawn(inner);
                Box::pin(async move { task.await.map_err(Error::from)? })
            }
            Around::Companion(_) => {
                let ended = self.moves.companions.add(inner);
                Box::pin(async move { ended.await.unwrap_or_else(|_| Err("the inner service was dropped".into())) })
            }
            Around::OtherFuture => Box::pin(async move {
                let mut futures: FuturesUnordered<BoxFuture<'static, Option<Result<(), Error>>>> =
                    FuturesUnordered::new();
                futures.push(Box::pin(async move { Some(inner.await) }));
                futures.push(Box::pin(async move {
                    sim.sleep(Duration::from_micros(300)).await;
                    None
                }));
                loop {
                    match futures.next().await {
                        Some(Some(result)) => return result,
                        Some(None) => {}
                        None => return Err("the inner service was dropped".into()),
                    }
                }
            }),
            Around::Slow => Box::pin(async move {
                let result = inner.await;
                sim.sleep(Duration::from_millis(2)).await;
                result
            }),
            Around::Nothing | Around::Tracing | Around::Deadline => Box::pin(inner),
        }
    }
}

/// Makes a service one of [`AnyService`].
pub struct Boxed;

impl<S> Layer<S> for Boxed
where
    S: Service<LambdaInvocation, Response = (), Error = Error> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    type Service = AnyService;

    fn layer(&self, inner: S) -> AnyService {
        BoxCloneService::new(inner)
    }
}

/// A future that is polled to completion.
pub type Running = Pin<Box<dyn Future<Output = Result<(), Error>>>>;
