//! Sending an outcome, from the commands for the machine to the API's acknowledgement.

use std::mem;
use std::task::{Context, Poll};

use http::HeaderMap;
use lambda_runtime_proto::client::{Client, Event, InvocationToken, Reply, ReplyKind, ResponseStream};

use crate::connection::retry::MAX_SENDS;
use crate::connection::{Connection, ConnectionError};
use crate::error::RunError;
use crate::error::failure::Failure;
use crate::executor::Executor;
use crate::invocation::running::Running;
use crate::logging::messages;
use crate::service::outcome::{Item, Outcome, ResponseBody};

/// Chunks are pulled from a stream only while fewer bytes than this are unwritten.
const MAX_UNWRITTEN: usize = 64 * 1024;

/// Bytes of chunks that one poll forwards before it yields to other tasks. With a stream that is always ready and a socket
/// that is always writable, it would never yield.
const MAX_PER_POLL: usize = 1024 * 1024;

/// A chunk counts for at least this much of [`MAX_PER_POLL`], so that an endless stream of empty chunks yields too.
const MIN_CHUNK_COST: usize = 1024;

/// An outcome on its way to the API.
pub(crate) struct Sending<'r> {
    state: SendState,
    /// The invocation, if the next one may be requested in the same write.
    pipelined: Option<&'r Running>,
    /// Whether a short error was sent in place of an outcome that could not be delivered.
    undelivered: bool,
}

enum SendState {
    Streaming(ResponseStream, Box<ResponseBody>),
    /// The machine has received everything.
    Complete,
}

impl<'r> Sending<'r> {
    pub(crate) fn start(
        client: &mut Client,
        token: InvocationToken,
        outcome: Outcome,
        pipelined: Option<&'r Running>,
    ) -> Self {
        let refused = match outcome {
            Outcome::Response(response) => client.respond(token, response).err(),
            Outcome::Failure(failure) => {
                messages::invocation_failed(client.request_id(), &failure);
                client.fail(token, failure.to_proto()).err()
            }
            Outcome::Stream(head, body) => match client.stream(token, head) {
                Ok(stream) => {
                    return Self { state: SendState::Streaming(stream, body), pipelined, undelivered: false };
                }
                Err(refused) => Some(refused),
            },
        };
        if let Some(refused) = refused {
            let failure = Failure::runtime("Runtime.BadResponse", refused.to_string());
            messages::invocation_failed(client.request_id(), &failure);
            let _ = client.fail(refused.token, failure.to_proto());
        }
        let sending = Self { state: SendState::Complete, pipelined, undelivered: false };
        sending.request_next(client);
        sending
    }

    pub(crate) fn is_streaming(&self) -> bool {
        matches!(self.state, SendState::Streaming(..))
    }

    /// Writes, and pulls chunks from the stream while there is room, until the API has replied or the stream is lost.
    /// An abandoned stream is not pulled.
    pub(crate) fn poll<X: Executor>(
        &mut self,
        connection: &mut Connection<X>,
        abandoned: bool,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), RunError>> {
        let mut budget = MAX_PER_POLL;
        loop {
            let more = !abandoned && self.pull(&mut connection.client, &mut budget, cx);
            if let Poll::Ready(event) = connection.poll_event(cx) {
                match event {
                    Ok(Event::Reply(reply)) => {
                        return Poll::Ready(check(&reply, connection));
                    }
                    Ok(Event::StreamInterrupted) => {
                        messages::stream_interrupted(connection.client.request_id());
                        return Poll::Ready(Ok(()));
                    }
                    Ok(_) => {}
                    Err(ConnectionError::GivenUp(error)) => return Poll::Ready(Err(error)),
                    Err(ConnectionError::SendFailed(error)) => {
                        if !self.report_undelivered(&mut connection.client, &error) {
                            return Poll::Ready(Ok(()));
                        }
                    }
                }
            } else if !more || connection.client.queued() >= MAX_UNWRITTEN {
                return Poll::Pending;
            } else if budget == 0 {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
    }

    /// Replaces an outcome that cannot be delivered by a short error, which may succeed where a large response fails.
    /// Returns `false` if the error was lost too.
    fn report_undelivered(&mut self, client: &mut Client, error: &str) -> bool {
        let Some(token) = client.withdraw() else { return true };
        if self.undelivered {
            let _ = client.abandon(token);
            return false;
        }
        self.undelivered = true;
        let message = format!("the response could not be delivered in {MAX_SENDS} attempts: {error}");
        let failure = Failure::runtime("Runtime.ResponseNotDelivered", message);
        messages::invocation_failed(client.request_id(), &failure);
        let _ = client.fail(token, failure.to_proto());
        self.request_next(client);
        true
    }

    /// Passes chunks to the machine while the stream has any and there is room. Returns whether the stream may have more.
    fn pull(&mut self, client: &mut Client, budget: &mut usize, cx: &mut Context<'_>) -> bool {
        while let SendState::Streaming(stream, body) = &mut self.state {
            if client.queued() >= MAX_UNWRITTEN || *budget == 0 {
                return true;
            }
            match body.poll_item(cx) {
                Poll::Pending => return false,
                Poll::Ready(Item::Chunk(data)) => {
                    *budget = budget.saturating_sub(data.len().max(MIN_CHUNK_COST));
                    // Refused if the API has ended the stream; its reply, an event, contains the reason.
                    if client.chunk(stream, data).is_err() {
                        self.state = SendState::Complete;
                    }
                }
                Poll::Ready(Item::Finish(trailers)) => self.finish(client, &trailers),
                Poll::Ready(Item::Abort(failure)) => self.abort(client, &failure),
            }
        }
        false
    }

    fn finish(&mut self, client: &mut Client, trailers: &HeaderMap) {
        let SendState::Streaming(stream, _) = self.complete() else { return };
        match client.finish_with_trailers(stream, trailers) {
            Ok(removed) => removed.iter().for_each(|name| messages::trailer_removed(client.request_id(), name)),
            Err(refused) => {
                abort(client, refused.token, &Failure::runtime("Runtime.BadResponse", refused.misuse.to_string()));
            }
        }
        self.request_next(client);
    }

    /// Ends a stream as incomplete.
    pub(crate) fn abort(&mut self, client: &mut Client, failure: &Failure) {
        if let SendState::Streaming(stream, _) = self.complete() {
            abort(client, stream, failure);
            self.request_next(client);
        }
    }

    fn complete(&mut self) -> SendState {
        mem::replace(&mut self.state, SendState::Complete)
    }

    fn request_next(&self, client: &mut Client) {
        // Not if work after the response is pending.
        if self.pipelined.is_some_and(Running::is_finished) {
            let _ = client.next_invocation();
        }
    }
}

fn abort(client: &mut Client, stream: ResponseStream, failure: &Failure) {
    messages::stream_failed(client.request_id(), failure);
    let _ = client.abort(stream, failure.to_trailers());
}

/// Checks the API's reply to an outcome.
fn check<X: Executor>(reply: &Reply, connection: &Connection<X>) -> Result<(), RunError> {
    let request_id = connection.client.request_id();
    match reply.kind() {
        ReplyKind::Accepted => {}
        ReplyKind::Fatal => return Err(RunError::refused(reply)),
        ReplyKind::TooLate => messages::response_too_late(request_id, reply),
        ReplyKind::Rejected if connection.was_resent() => messages::repeated_response_refused(request_id, reply),
        _ => messages::response_refused(request_id, reply),
    }
    Ok(())
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Wake, Waker};

    use bytes::Bytes;
    use futures_util::{FutureExt as _, stream};
    use http::HeaderValue;
    use lambda_runtime_proto::Endpoint;
    use lambda_runtime_proto::client::{Invocation, Response, StreamHead};

    use super::*;
    use crate::error::Error;
    use crate::in_memory::{InMemory, Written};

    /// An API that replies to /next with an event. It may stop reading then.
    pub(crate) fn api(stops_reading: bool) -> InMemory {
        InMemory::new(move |_, request| match request.starts_with("GET") {
            true => {
                Written::All(b"HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: id\r\nContent-Length: 2\r\n\r\n{}")
            }
            false if stops_reading => Written::Pending,
            false => Written::All(b""),
        })
    }

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A connection that has received an invocation.
    pub(crate) fn receive(api: &InMemory) -> (Connection<InMemory>, Invocation) {
        let mut connection = api.connection();
        connection.client.next_invocation().unwrap();
        match connection.event().now_or_never().unwrap() {
            Ok(Event::Invocation(invocation)) => (connection, invocation),
            other => panic!("{other:?}"),
        }
    }

    /// Polls an endless stream of chunks of this size once. Returns the number of chunks, and of wake-ups.
    fn poll_endless_stream(size: usize, stops_reading: bool) -> (usize, usize) {
        let (mut connection, invocation) = receive(&api(stops_reading));
        let (chunks, woken) = (Arc::new(AtomicUsize::new(0)), Arc::new(Woken::default()));
        let waker = Waker::from(Arc::clone(&woken));
        let mut cx = Context::from_waker(&waker);
        let counter = Arc::clone(&chunks);
        let chunk = Bytes::from(vec![b'x'; size]);
        let endless = stream::repeat_with(move || {
            counter.fetch_add(1, Ordering::Relaxed);
            Ok::<_, Error>(chunk.clone())
        });
        let body = ResponseBody::start(endless, &mut cx).unwrap();
        let head = StreamHead::Plain { content_type: HeaderValue::from_static("text/plain") };
        let client = &mut connection.client;
        let mut sending = Sending::start(client, invocation.into_token(), Outcome::Stream(head, Box::new(body)), None);
        assert!(sending.poll(&mut connection, false, &mut cx).is_pending());
        (chunks.load(Ordering::Relaxed), woken.0.load(Ordering::Relaxed))
    }

    #[test]
    fn with_pipelining_the_next_event_is_requested_together_with_the_outcome() {
        let requests = |pipelined: Option<&Running>| {
            let (mut connection, invocation) = receive(&api(false));
            let outcome = Outcome::Response(Response::json("{}"));
            let _ = Sending::start(&mut connection.client, invocation.into_token(), outcome, pipelined);
            connection.client.outstanding().map(|request| request.endpoint).collect::<Vec<_>>()
        };
        assert_eq!(requests(None), [Endpoint::Response]);
        assert_eq!(requests(Some(&Running::default())), [Endpoint::Response, Endpoint::Next]);
    }

    #[test]
    fn chunks_are_pulled_while_less_than_64_kib_are_unwritten() {
        assert_eq!(poll_endless_stream(16 * 1024, true), (4, 0));
    }

    #[test]
    fn a_stream_that_is_always_ready_yields_to_other_tasks() {
        assert_eq!(poll_endless_stream(16 * 1024, false), (64, 1));
        assert_eq!(poll_endless_stream(1, false), (1024, 1), "a short chunk has a minimum cost");
    }
}
