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
use crate::service::responder::Handover;

pub(crate) struct Worker<S, X: Executor> {
    pub(crate) service: S,
    pub(crate) connection: Connection<X>,
    /// The invocation that was received last, until the service is called.
    pub(crate) invocation: Option<LambdaInvocation>,
    pub(crate) handover: Handover<Outcome>,
    pub(crate) running: Running,
    pub(crate) options: Options,
    /// Whether an invocation was served.
    pub(crate) served: bool,
}

/// State shared by the workers of a function.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) config: Arc<Config>,
    pub(crate) pipelining: bool,
    /// Whether layers may use the headers of /next in [`LambdaInvocation::parts`].
    pub(crate) shows_headers: bool,
    /// Whether to set `_X_AMZN_TRACE_ID` for each invocation, which is correct only with one at a time.
    pub(crate) sets_trace_id: bool,
}

impl<S: Clone, X: Executor> Worker<S, X> {
    /// A worker with its own connection and its own clone of the service.
    pub(crate) fn sibling(&self) -> Self {
        Self {
            service: self.service.clone(),
            connection: self.connection.sibling(),
            invocation: None,
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
                Ok(token) => {
                    let mut running = self.running.clone();
                    let mut serve = pin!(self.serve(token));
                    poll_fn(|cx| {
                        let _entered = running.enter();
                        serve.as_mut().poll(cx)
                    })
                    .await
                }
                Err(error) => return error,
            };
            if let Err(error) = served {
                return error;
            }
            self.served = true;
            // It is still here if the service was not ready.
            self.invocation = None;
        }
    }

    /// Waits for an invocation, and unpacks it. Reports those that cannot be passed to the service.
    async fn next(&mut self) -> Result<InvocationToken, RunError> {
        loop {
            // Refused only if pipelining has sent the request already.
            let _ = self.connection.client.next_invocation();
            match self.connection.event().await? {
                Event::Invocation(invocation) => match self.unpack(invocation) {
                    Ok(token) => return Ok(token),
                    Err((token, failure)) => self.reject(token, failure).await?,
                },
                Event::NoInvocation(none) => {
                    messages::no_invocation(&none);
                    self.connection.sleep(REPEAT_DELAY).await;
                }
                Event::EventTooLarge { invocation, limit, .. } => {
                    let message = format!("the event is larger than {limit} bytes, the most that Lambda sends");
                    let failure = Failure::runtime("Runtime.EventTooLarge", message);
                    self.reject(invocation.into_token(), failure).await?;
                }
                // A refusal of /next.
                Event::Reply(reply) => return Err(RunError::refused(&reply)),
                _ => {}
            }
        }
    }

    /// Stores the reply to /next as layers see it, which becomes the running invocation.
    fn unpack(&mut self, invocation: Invocation) -> Result<InvocationToken, (InvocationToken, Failure)> {
        let request_id = self.connection.client.request_id();
        let mut context = match context::Context::of(&invocation, request_id, Arc::clone(&self.options.config)) {
            Ok(context) => context,
            Err(error) => {
                return Err((invocation.into_token(), Failure::runtime("Runtime.BadHeader", error.to_string())));
            }
        };
        self.running.open(Source {
            request_id,
            trace_id: context.xray_trace_id.as_deref(),
            tenant_id: context.tenant_id.as_deref(),
            deadline: context.deadline,
            may_move: self.options.shows_headers,
        });
        context.running = self.running.with_responder(self.handover.open());
        let (mut parts, ()) = http::Response::new(()).into_parts();
        parts.status = http::StatusCode::from_u16(invocation.status()).unwrap_or_default();
        if self.options.shows_headers {
            parts.headers = headers(&invocation);
        }
        let (token, body) = invocation.into_parts();
        self.invocation = Some(LambdaInvocation { parts, body, context });
        Ok(token)
    }

    /// Reports the failure of an invocation that is not passed to the service.
    async fn reject(&mut self, token: InvocationToken, failure: Failure) -> Result<(), RunError> {
        let connection = &mut self.connection;
        let mut sending = Sending::start(&mut connection.client, token, Outcome::Failure(failure), None);
        poll_fn(|cx| sending.poll(connection, false, cx)).await
    }

    /// Serves one invocation.
    async fn serve(&mut self, token: InvocationToken) -> Result<(), RunError> {
        let Self { service, connection, invocation, handover, running, options, .. } = self;
        if let Some(LambdaInvocation { context, .. }) = invocation
            && options.sets_trace_id
        {
            trace_id::set(context.xray_trace_id.as_deref());
        }
        #[cfg(feature = "wait-until")]
        let deadline = invocation.as_ref().map(|invocation| invocation.context.deadline).unwrap_or_default();
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
///
/// The invocation is large: it is moved only once.
async fn call<S>(service: &mut S, invocation: &mut Option<LambdaInvocation>) -> Result<(), Failure>
where
    S: Service<LambdaInvocation, Response = (), Error = Error>,
{
    poll_fn(|cx| caught(|| service.poll_ready(cx))).await?;
    // It is called where it is polled, under the same guard.
    let mut future = pin!(async {
        let Some(invocation) = invocation.take() else { return Ok(()) };
        service.call(invocation).await
    });
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

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use serde_json::Value;

    use super::*;
    use crate::in_memory::InMemory;
    use crate::worker::send::tests::{api, receive};
    use crate::{LambdaEvent, Runtime, service_fn};

    #[test]
    fn layers_see_the_headers_of_the_event() {
        let (_, invocation) = receive(&api(false));
        let headers = headers(&invocation);
        assert_eq!(headers["lambda-runtime-aws-request-id"], "id");
        assert_eq!(headers["content-length"], "2");
    }

    /// The future of a handler that never completes, and whose destructor panics.
    struct Bomb;

    impl Future for Bomb {
        type Output = Result<(), Error>;

        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
            Poll::Pending
        }
    }

    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("a handler is dropped");
        }
    }

    #[test]
    fn a_panic_in_a_destructor_goes_no_further_if_the_runtime_is_dropped() {
        let handler = service_fn(|_: LambdaEvent<Value>| Bomb);
        let mut run = Box::pin(Runtime::with_executor(handler, api(false)).address(InMemory::address()).run());
        assert!(run.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        drop(run);
    }
}
