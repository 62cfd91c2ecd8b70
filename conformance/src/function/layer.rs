//! A layer whose behaviour the event selects.

use std::fmt;
use std::future::{Future, poll_fn, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_channel::mpsc;
use lambda_runtime_base::tower::{Layer, Service};
use lambda_runtime_base::{Error, LambdaInvocation};
use serde_json::Value;

use super::moves::{self, Task};
use super::signal;
use super::timer::Timer;

/// Behaves as the field `layer` of the event prescribes. Without the field, forwards the invocation.
///
/// | `layer` | |
/// |---|---|
/// | `fail`, `fail without a message`, `panic`, `panic later` | instead of the inner service |
/// | `skip` | completes without the inner service |
/// | `replace the context` | calls the inner service with another one |
/// | `leave early` | polls the inner service once, and completes |
/// | `fail at once` | polls the inner service once, and fails |
/// | `give up midway` | drops the inner service when the first chunk of its stream was taken, and fails later |
/// | `fail afterwards` | after the inner service has completed |
/// | `not ready for the next` | its `poll_ready` fails for the next invocation |
/// | `move to a task`, `move to a thread`, `move to threads` | polls the inner service there; `threads` is a new one for each poll |
/// | `move before run`, `move after run` | another future of the same task polls the inner service, before or after `run` |
#[derive(Clone)]
pub struct FaultyLayer {
    moves: Arc<Moves>,
}

struct Moves {
    spawn: fn(Task),
    before: mpsc::UnboundedSender<Task>,
    after: mpsc::UnboundedSender<Task>,
}

impl FaultyLayer {
    pub(super) fn new(before: mpsc::UnboundedSender<Task>, after: mpsc::UnboundedSender<Task>) -> Self {
        Self { moves: Arc::new(Moves { spawn: moves::on_thread, before, after }) }
    }

    pub(super) fn spawn_with(self, spawn: fn(Task)) -> Self {
        let Moves { before, after, .. } = &*self.moves;
        Self { moves: Arc::new(Moves { spawn, before: before.clone(), after: after.clone() }) }
    }
}

impl fmt::Debug for FaultyLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultyLayer").finish_non_exhaustive()
    }
}

impl<S> Layer<S> for FaultyLayer {
    type Service = FaultyService<S>;

    fn layer(&self, inner: S) -> FaultyService<S> {
        FaultyService { inner, layer: self.clone(), not_ready: false }
    }
}

/// The service of [`FaultyLayer`].
#[derive(Debug, Clone)]
pub struct FaultyService<S> {
    inner: S,
    layer: FaultyLayer,
    not_ready: bool,
}

impl<S> Service<LambdaInvocation> for FaultyService<S>
where
    S: Service<LambdaInvocation, Response = (), Error = Error>,
    S::Future: Send + 'static,
{
    type Response = ();
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if std::mem::take(&mut self.not_ready) {
            return Poll::Ready(Err("the layer is not ready".into()));
        }
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut invocation: LambdaInvocation) -> Self::Future {
        let mut event: Value = serde_json::from_slice(&invocation.body).unwrap_or_default();
        let Some(fault) = event["layer"].as_str() else { return Box::pin(self.inner.call(invocation)) };
        match fault {
            "fail" => Box::pin(ready(Err("the layer fails".into()))),
            "fail without a message" => Box::pin(ready(Err(Unprintable.into()))),
            "panic" => panic!("the layer was asked to panic"),
            "panic later" => Box::pin(async { panic!("the layer was asked to panic") }),
            "skip" => Box::pin(ready(Ok(()))),
            "replace the context" => {
                invocation.context = lambda_runtime_base::Context::default();
                Box::pin(self.inner.call(invocation))
            }
            "leave early" => polled_once(self.inner.call(invocation), Ok(())),
            "fail at once" => polled_once(self.inner.call(invocation), Err("the layer fails at once".into())),
            "give up midway" => {
                let (number, mut taken) = signal::create();
                event["signal"] = number.into();
                invocation.body = Bytes::from(event.to_string());
                let mut inner = Box::pin(self.inner.call(invocation));
                Box::pin(async move {
                    poll_fn(|cx| {
                        let _ = inner.as_mut().poll(cx);
                        Pin::new(&mut taken).poll(cx)
                    })
                    .await?;
                    drop(inner);
                    Timer::after(Duration::from_millis(20)).await;
                    Err("the layer gave up midway".into())
                })
            }
            "fail afterwards" => {
                let inner = self.inner.call(invocation);
                Box::pin(async {
                    inner.await?;
                    Err("the layer fails afterwards".into())
                })
            }
            "not ready for the next" => {
                self.not_ready = true;
                Box::pin(self.inner.call(invocation))
            }
            "move to a task" => self.moved(invocation, self.layer.moves.spawn),
            "move to a thread" => self.moved(invocation, moves::on_thread),
            "move to threads" => self.moved(invocation, moves::on_threads),
            "move before run" => self.moved(invocation, enqueue(self.layer.moves.before.clone())),
            "move after run" => self.moved(invocation, enqueue(self.layer.moves.after.clone())),
            other => panic!("unknown fault of a layer: {other}"),
        }
    }
}

impl<S> FaultyService<S>
where
    S: Service<LambdaInvocation, Response = (), Error = Error>,
    S::Future: Send + 'static,
{
    /// Lets `start` poll the inner service, and waits for it.
    fn moved(&mut self, invocation: LambdaInvocation, start: impl FnOnce(Task)) -> BoxFuture {
        let (task, ended) = moves::split(self.inner.call(invocation));
        start(task);
        Box::pin(async { ended.await.unwrap_or_else(|_| Err("the moved service never completed".into())) })
    }
}

type BoxFuture = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

fn enqueue(queue: mpsc::UnboundedSender<Task>) -> impl FnOnce(Task) {
    move |task| {
        let _ = queue.unbounded_send(task);
    }
}

fn polled_once(inner: impl Future + Send + 'static, result: Result<(), Error>) -> BoxFuture {
    let mut inner = Box::pin(inner);
    let mut result = Some(result);
    Box::pin(poll_fn(move |cx| {
        let _ = inner.as_mut().poll(cx);
        Poll::Ready(result.take().unwrap_or(Ok(())))
    }))
}

/// An error whose `Display` panics.
#[derive(Debug)]
struct Unprintable;

impl fmt::Display for Unprintable {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("asked to panic in Display")
    }
}

impl std::error::Error for Unprintable {}
