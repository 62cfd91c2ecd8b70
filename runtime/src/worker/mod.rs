//! A worker: one connection, one invocation after another.

pub(crate) mod concurrent;
mod send;

use std::future::{Future, poll_fn};
use std::mem;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{HeaderMap, HeaderName, HeaderValue};
use lambda_runtime_proto::client::{Event, Invocation, InvocationToken};
use tower::Service;

use self::send::Sending;
use crate::connection::{Connection, REPEAT_DELAY};
use crate::env::config::Config;
use crate::env::trace_id;
use crate::error::failure::Failure;
use crate::error::{Error, RunError};
use crate::executor::Executor;
use crate::invocation::context;
use crate::invocation::event::LambdaInvocation;
use crate::invocation::running::{Running, Source};
use crate::logging::messages;
use crate::panics;
use crate::service::handler::NotReady;
use crate::service::outcome::Outcome;
use crate::service::responder::{Handover, Responder};

pub(crate) struct Worker<S, X: Executor> {
    pub(crate) service: S,
    pub(crate) connection: Connection<X>,
    pub(crate) handover: Handover<Outcome>,
    pub(crate) running: Running,
    pub(crate) options: Options,
    /// An invocation was served.
    pub(crate) served: bool,
}

/// State shared by the workers of a function.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) config: Arc<Config>,
    pub(crate) pipelining: bool,
    /// Layers may use the headers of /next in [`LambdaInvocation::parts`].
    pub(crate) shows_headers: bool,
    /// Set `_X_AMZN_TRACE_ID` for each invocation, which is correct only with one at a time.
    pub(crate) sets_trace_id: bool,
}

impl<S: Clone, X: Executor> Worker<S, X> {
    /// A worker with its own connection and its own clone of the service.
    pub(crate) fn sibling(&self) -> Self {
        Self {
            service: self.service.clone(),
            connection: self.connection.sibling(),
            handover: Handover::new(),
            running: Running::default(),
            options: self.options.clone(),
            served: false,
        }
    }
}

impl<S, X> Worker<S, X>
where
    S: Service<LambdaInvocation, Response = (), Error = Error>,
    X: Executor,
{
    /// Serves invocations until the worker cannot continue. Returns the reason.
    pub(crate) async fn run(&mut self) -> RunError {
        loop {
            let served = match self.next().await {
                Ok(invocation) => {
                    let (token, invocation) = self.unpack(invocation);
                    let mut running = self.running.clone();
                    let mut serve = pin!(self.serve(token, invocation));
                    poll_fn(|cx| running.enter(|| serve.as_mut().poll(cx))).await
                }
                Err(error) => return error,
            };
            if let Err(error) = served {
                return error;
            }
            self.served = true;
        }
    }

    async fn next(&mut self) -> Result<Invocation, RunError> {
        loop {
            // Refused only if pipelining has sent the request already.
            let _ = self.connection.client.next_invocation();
            match self.connection.event().await? {
                Event::Invocation(invocation) => return Ok(invocation),
                Event::NoInvocation(none) => {
                    messages::no_invocation(&none);
                    self.connection.sleep(REPEAT_DELAY).await;
                }
                Event::EventTooLarge { invocation, limit, .. } => {
                    let message = format!("the event is larger than {limit} bytes, the most that Lambda sends");
                    let failure = Outcome::Failure(Failure::runtime("Runtime.EventTooLarge", message));
                    let connection = &mut self.connection;
                    let mut sending = Sending::start(&mut connection.client, invocation.into_token(), failure, None);
                    poll_fn(|cx| sending.poll(connection, false, cx)).await?;
                }
                // A refusal of /next.
                Event::Reply(reply) => return Err(RunError::refused(&reply)),
                _ => {}
            }
        }
    }

    /// The reply to /next as layers see it, which becomes the running invocation.
    fn unpack(&mut self, invocation: Invocation) -> (InvocationToken, Result<LambdaInvocation, Failure>) {
        let request_id = self.connection.client.request_id();
        let (token, mut invocation) = unpack(invocation, request_id, self.handover.open(), &self.options);
        let mut source = Source { request_id, may_move: self.options.shows_headers, ..Source::default() };
        if let Ok(LambdaInvocation { context, .. }) = &invocation {
            source.trace_id = context.xray_trace_id.as_deref();
            source.tenant_id = context.tenant_id.as_deref();
            source.deadline = context.deadline;
        }
        self.running.open(source);
        if let Ok(invocation) = &mut invocation {
            invocation.context.running = self.running.clone();
        }
        (token, invocation)
    }

    /// Serves one invocation.
    async fn serve(
        &mut self,
        token: InvocationToken,
        invocation: Result<LambdaInvocation, Failure>,
    ) -> Result<(), RunError> {
        let Self { service, connection, handover, running, options, .. } = self;
        #[cfg(feature = "wait-until")]
        let deadline = invocation.as_ref().map(|invocation| invocation.context.deadline).unwrap_or_default();
        if options.sets_trace_id
            && let Ok(invocation) = &invocation
        {
            trace_id::set(invocation.context.xray_trace_id.as_deref());
        }
        let future = pin!(Some(call(service, invocation)));
        let mut call = Call::new(future);

        // 1. The handler runs, and the connection is monitored.
        let outcome = poll_fn(|cx| {
            handover.forget_waker();
            let called = call.poll(cx);
            if let Poll::Ready(outcome) = handover.poll_outcome(cx) {
                return Poll::Ready(outcome);
            }
            if called.is_ready() {
                return Poll::Ready(handover.close().unwrap_or_else(|| Outcome::Failure(call.failure())));
            }
            // Never an event, because nothing is outstanding.
            let _ = connection.poll_event(cx);
            Poll::Pending
        })
        .await;

        // 2. The outcome is sent, before the layers are polled again.
        let mut sending =
            Sending::start(&mut connection.client, token, outcome, options.pipelining.then_some(&*running));
        let mut polled = true;
        poll_fn(|cx| {
            loop {
                if call.is_done() && sending.is_streaming() {
                    sending.abort(&mut connection.client, &call.failure());
                }
                connection.executor().holds_waker(cx.waker(), || handover.is_awaited_by(cx.waker()));
                if let Poll::Ready(sent) = sending.poll(connection, handover.is_abandoned(), cx) {
                    connection.executor().holds_waker(cx.waker(), || false);
                    return Poll::Ready(sent);
                }
                if mem::take(&mut polled) || call.is_done() || call.poll(cx).is_pending() {
                    return Poll::Pending;
                }
            }
        })
        .await?;
        drop(sending);

        // 3. The layers finish. A service that is polled elsewhere is still registered after the first poll.
        handover.acknowledge();
        let mut polled = false;
        poll_fn(|cx| {
            let called = call.poll(cx);
            if !mem::replace(&mut polled, true) {
                handover.wake_service();
            }
            called
        })
        .await;
        if let Some(Err(failure)) = call.result.take() {
            messages::layer_failed(connection.client.request_id(), &failure);
        }

        // 4. Work after the response, if there is any.
        #[cfg(feature = "wait-until")]
        if !running.is_finished() {
            let executor = connection.executor();
            let remaining = context::remaining_time(deadline, executor.system_time());
            Box::pin(running.finish(executor, remaining, connection.client.request_id())).await;
        }
        Ok(())
    }
}

/// A call of the layered service.
struct Call<'f, F> {
    /// `None` only while it is dropped.
    future: Pin<&'f mut Option<F>>,
    done: bool,
    /// The result, until it is used.
    result: Option<Result<(), Failure>>,
}

impl<'f, F: Future<Output = Result<(), Failure>>> Call<'f, F> {
    fn new(future: Pin<&'f mut Option<F>>) -> Self {
        Self { future, done: false, result: None }
    }

    fn is_done(&self) -> bool {
        self.done
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.done
            && let Some(future) = self.future.as_mut().as_pin_mut()
        {
            self.result = Some(ready!(future.poll(cx)));
            self.done = true;
        }
        Poll::Ready(())
    }

    /// The failure of a call that completed without a complete response.
    fn failure(&mut self) -> Failure {
        match self.result.take() {
            Some(Err(failure)) => failure,
            _ => Failure::runtime(
                "Runtime.NoResponse",
                "a layer completed the invocation before the handler's response was complete",
            ),
        }
    }
}

impl<F> Drop for Call<'_, F> {
    fn drop(&mut self) {
        // If the runtime ends early, foreign code is dropped here.
        if let Err(failure) = panics::catch("dropping a layer", || self.future.set(None)) {
            messages::drop_failed(&failure);
        }
    }
}

/// Calls the layered service. A panic in it is a failure like any other.
async fn call<S>(service: &mut S, invocation: Result<LambdaInvocation, Failure>) -> Result<(), Failure>
where
    S: Service<LambdaInvocation, Response = (), Error = Error>,
{
    let invocation = invocation?;
    poll_fn(|cx| caught(|| service.poll_ready(cx))).await?;
    // It is called where it is polled, under the same guard.
    let mut future = pin!(async { service.call(invocation).await });
    poll_fn(|cx| caught(|| future.as_mut().poll(cx))).await
}

fn caught(poll: impl FnOnce() -> Poll<Result<(), Error>>) -> Poll<Result<(), Failure>> {
    // `Display` may panic too.
    let polled = panics::catch("a layer", || {
        poll().map_err(|error| match error.downcast::<NotReady>() {
            Ok(not_ready) => not_ready.0,
            Err(error) => error.into(),
        })
    });
    polled.unwrap_or_else(|failure| Poll::Ready(Err(failure)))
}

/// The head of the reply to /next for layers.
fn unpack(
    invocation: Invocation,
    request_id: &str,
    responder: Responder<Outcome>,
    options: &Options,
) -> (InvocationToken, Result<LambdaInvocation, Failure>) {
    let (mut parts, ()) = http::Response::new(()).into_parts();
    parts.status = http::StatusCode::from_u16(invocation.status()).unwrap_or_default();
    if options.shows_headers {
        parts.headers = headers(&invocation);
    }
    parts.extensions.insert(responder);
    let context = context::Context::of(&invocation, request_id, Arc::clone(&options.config));
    let (token, body) = invocation.into_parts();
    let unpacked = match context {
        Ok(context) => Ok(LambdaInvocation { parts, body, context }),
        Err(error) => Err(Failure::runtime("Runtime.BadHeader", error.to_string())),
    };
    (token, unpacked)
}

/// Values are slices of the event's own memory, not copies.
fn headers(invocation: &Invocation) -> HeaderMap {
    let (bytes, _) = invocation.bytes();
    let field = |(name, value): (&str, &[u8])| {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        Some((name, HeaderValue::from_maybe_shared(bytes.slice_ref(value)).ok()?))
    };
    let mut headers = HeaderMap::with_capacity(12);
    headers.extend(invocation.headers().iter().filter_map(field));
    headers
}
