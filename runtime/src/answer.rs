//! The answer to an invocation, from the slot to the API's word on it.

use std::task::{Context, Poll};

use http::HeaderMap;
use lambda_runtime_proto::Misuse;
use lambda_runtime_proto::client::{Client, Event, InvocationToken, Reply, ReplyKind, Response, ResponseStream};

use crate::connection::Connection;
use crate::error::words;
use crate::failure::Failure;
use crate::log::{error, warn};
use crate::slot::{Item, Outcome, Slot};
use crate::{Executor, RunError};

/// Gives the machine what the slot brings, and sees to it that the API gets it.
pub(crate) async fn answer<X: Executor>(
    connection: &mut Connection<X>,
    slot: &Slot,
    token: InvocationToken,
    pipelining: bool,
) -> Result<(), RunError> {
    let mut giving = Giving::Outcome(token);
    loop {
        let event = connection
            .event(|client, cx| {
                giving.give(client, slot, cx);
                if pipelining && matches!(giving, Giving::Nothing) {
                    let _ = client.next_invocation();
                }
            })
            .await?;
        match event {
            Event::Reply(answer) => return check(&answer, connection.client.request_id()),
            Event::StreamInterrupted => {
                let request_id = connection.client.request_id();
                warn!("invocation {request_id}: the connection broke while the response was streamed");
                return Ok(());
            }
            _ => {}
        }
    }
}

/// What of an answer the machine still has to be given.
enum Giving {
    Outcome(InvocationToken),
    Stream(ResponseStream),
    Nothing,
}

impl Giving {
    fn give(&mut self, client: &mut Client, slot: &Slot, cx: &Context<'_>) {
        loop {
            *self = match std::mem::replace(self, Giving::Nothing) {
                Giving::Nothing => return,
                Giving::Outcome(token) => match slot.poll_outcome(cx) {
                    Poll::Ready(outcome) => give_outcome(client, token, outcome),
                    Poll::Pending => {
                        *self = Giving::Outcome(token);
                        return;
                    }
                },
                Giving::Stream(stream) => match slot.poll_item(cx) {
                    // When the stream is over on the API's side, its answer is on the way and says so.
                    Poll::Ready(Item::Chunk(data)) => match client.chunk(&stream, data) {
                        Ok(()) => Giving::Stream(stream),
                        Err(_) => Giving::Nothing,
                    },
                    Poll::Ready(Item::Finish(trailers)) => {
                        finish(client, stream, &trailers);
                        Giving::Nothing
                    }
                    Poll::Ready(Item::Abort(failure)) => {
                        abort(client, stream, &failure);
                        Giving::Nothing
                    }
                    Poll::Pending => {
                        slot.set_unwritten(client.queued(), cx);
                        *self = Giving::Stream(stream);
                        return;
                    }
                },
            };
        }
    }
}

fn give_outcome(client: &mut Client, token: InvocationToken, outcome: Outcome) -> Giving {
    let refused = match outcome {
        Outcome::Json(json) => client.respond(token, Response::json(json)).err(),
        Outcome::Response(response) => client.respond(token, response).err(),
        Outcome::Failure(failure) => {
            failure.log(format_args!("invocation {} failed", client.request_id()));
            client.fail(token, failure.to_proto()).err()
        }
        Outcome::Stream(head) => match client.stream(token, head) {
            Ok(stream) => return Giving::Stream(stream),
            Err(refused) => Some(refused),
        },
    };
    if let Some(refused) = refused {
        let failure = Failure::runtime("Runtime.BadResponse", refused.to_string());
        failure.log(format_args!("invocation {} failed", client.request_id()));
        let _ = client.fail(refused.token, failure.to_proto());
    }
    Giving::Nothing
}

fn finish(client: &mut Client, stream: ResponseStream, trailers: &HeaderMap) {
    match client.finish_with_trailers(stream, trailers) {
        Ok(removed) => removed.iter().for_each(|name| {
            warn!("invocation {}: the response's trailer {name} is reserved and was removed", client.request_id());
        }),
        Err(refused) if refused.misuse == Misuse::StreamOver => {}
        Err(refused) => {
            let failure = Failure::runtime("Runtime.BadResponse", refused.to_string());
            abort(client, refused.token, &failure);
        }
    }
}

fn abort(client: &mut Client, stream: ResponseStream, failure: &Failure) {
    failure.log(format_args!("invocation {} failed while its response was streamed", client.request_id()));
    let _ = client.abort(stream, failure.to_trailers());
}

/// What the API said to a request, or to an invocation's answer.
pub(crate) fn check(answer: &Reply, request_id: &str) -> Result<(), RunError> {
    let status = answer.status();
    match answer.kind() {
        ReplyKind::Accepted => {}
        ReplyKind::Fatal => return Err(RunError::refused(answer)),
        ReplyKind::TooLate => warn!(
            "invocation {request_id}: the answer came too late, the invocation has timed out ({status} {})",
            words(answer)
        ),
        _ => error!("invocation {request_id}: the Lambda Runtime API refused the answer: {status} {}", words(answer)),
    }
    Ok(())
}
