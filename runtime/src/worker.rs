//! One worker: one connection, one invocation after the other.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use http::{HeaderMap, HeaderName, HeaderValue};
use lambda_runtime_proto::client::{Event, Invocation};
use tower::Service;

use crate::answer::{answer, check};
use crate::connection::{Connection, PAUSE};
use crate::failure::Failure;
use crate::handler::NotReady;
use crate::log::warn;
use crate::slot::{Hand, Slot};
use crate::{Config, Error, Executor, LambdaInvocation, RunError, panics, trace_id};

/// How often the service and the connection are polled in turn before other tasks are.
const MAX_TURNS: usize = 64;

pub(crate) struct Worker<S, X: Executor> {
    pub(crate) service: S,
    pub(crate) connection: Connection<X>,
    pub(crate) config: Arc<Config>,
    pub(crate) slot: Slot,
    pub(crate) pipelining: bool,
    /// Somebody may look at the headers of /next in [`LambdaInvocation::parts`].
    pub(crate) shows_headers: bool,
    /// Set `_X_AMZN_TRACE_ID` for each invocation: right only where there is one at a time.
    pub(crate) sets_trace_id: bool,
    /// An invocation was served.
    pub(crate) served: bool,
}

impl<S: Clone, X: Executor> Worker<S, X> {
    /// Another one beside it, with a connection of its own and a clone of the service.
    pub(crate) fn another(&self) -> Self {
        Self {
            service: self.service.clone(),
            connection: self.connection.another(),
            config: Arc::clone(&self.config),
            slot: Slot::default(),
            ..*self
        }
    }
}

impl<S, X> Worker<S, X>
where
    S: Service<LambdaInvocation, Response = (), Error = Error>,
    X: Executor,
{
    /// Serves invocations until the API cannot go on; returns why.
    pub(crate) async fn run(&mut self) -> RunError {
        loop {
            let served = match self.next().await {
                Ok(invocation) => self.serve(invocation).await,
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
            // Refused only when it has been asked for already, which pipelining does.
            let _ = self.connection.client.next_invocation();
            match self.connection.event(|_, _| {}).await? {
                Event::Invocation(invocation) => return Ok(invocation),
                Event::NoInvocation(none) => {
                    warn!("the Lambda Runtime API sent no invocation: {none}; asking again");
                    self.connection.sleep(PAUSE).await;
                }
                Event::Reply(answer) => check(&answer, "")?,
                _ => {}
            }
        }
    }

    /// Has the invocation handled and answered. Both go on in turn, in this task: the service until it completes, the
    /// connection until the API has acknowledged the answer.
    async fn serve(&mut self, invocation: Invocation) -> Result<(), RunError> {
        let hand = self.slot.open();
        let unpacked = unpack(&invocation, &hand, &self.config, self.shows_headers);
        let token = invocation.into_token();
        if self.sets_trace_id
            && let Ok(invocation) = &unpacked
        {
            trace_id::set(invocation.context.xray_trace_id.as_deref());
        }
        let (mut called, mut answered) = (false, false);
        let mut failed_late = None;
        let served = {
            let mut call = pin!(call(&mut self.service, unpacked));
            let mut answer = pin!(answer(&mut self.connection, &self.slot, token, self.pipelining));
            poll_fn(|cx| {
                for _ in 0..MAX_TURNS {
                    if !called && let Poll::Ready(result) = call.as_mut().poll(cx) {
                        called = true;
                        failed_late = hand.conclude(result, cx).err();
                    }
                    if !answered && let Poll::Ready(result) = answer.as_mut().poll(cx) {
                        answered = true;
                        result?;
                        self.slot.settle(cx);
                    }
                    if called && answered {
                        return Poll::Ready(Ok(()));
                    }
                    if called || !self.slot.service_can_go_on() {
                        return Poll::Pending;
                    }
                }
                // Other tasks get their turn beside a stream that always has more for an API that always takes it.
                cx.waker().wake_by_ref();
                Poll::Pending
            })
            .await
        };
        if let Some(failure) = failed_late {
            let request_id = self.connection.client.request_id();
            failure.log(format_args!("a layer failed after invocation {request_id} was answered"));
        }
        served
    }
}

/// The answer to /next as layers see it.
fn unpack(
    invocation: &Invocation,
    hand: &Hand,
    config: &Arc<Config>,
    shows_headers: bool,
) -> Result<LambdaInvocation, Failure> {
    let context = crate::Context::of(invocation, Arc::clone(config))
        .map_err(|error| Failure::runtime("Runtime.BadHeader", error.to_string()))?;
    let (mut parts, ()) = http::Response::new(()).into_parts();
    parts.status = http::StatusCode::from_u16(invocation.status()).unwrap_or_default();
    if shows_headers {
        parts.headers = headers(invocation);
    }
    parts.extensions.insert(hand.clone());
    Ok(LambdaInvocation { parts, body: invocation.body(), context })
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

/// Calls the layered service. A panic in a layer is a failure like any other.
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
    // What an error says of itself may panic, too.
    let polled = panics::catch("a layer", || {
        poll().map_err(|error| match error.downcast::<NotReady>() {
            Ok(not_ready) => not_ready.0,
            Err(error) => error.into(),
        })
    });
    polled.unwrap_or_else(|failure| Poll::Ready(Err(failure)))
}
