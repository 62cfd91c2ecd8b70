//! Received bytes become events.
//!
//! The status in the head of a reply decides how its body is treated, and is not lost if the body never arrives:
//!
//! | reply | event | body |
//! |---|---|---|
//! | 2xx to /next | [`Event::Invocation`] when complete | stored up to `Limits::body`; beyond, [`Event::EventTooLarge`] |
//! | 2xx to an outcome | [`Event::Reply`] at once | discarded up to `Limits::reply_body` |
//! | 2xx to another request | [`Event::Reply`] when complete | stored up to `Limits::body` |
//! | 408 | none: the connection is over, and the request is repeated on the next | |
//! | any other | [`Event::Reply`] when complete, or truncated | stored up to `Limits::reply_body` |

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderValue;

use super::invocation::Message;
use super::{Client, Event, Invocation, InvocationToken, Phase, Reply, Request};
use crate::http1::{Framing, Head, StartLine, Step};
use crate::{CloseReason, Endpoint, PeerError};

/// A reply whose head was received.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    status: u16,
    head_len: usize,
    keep_alive: bool,
    /// `Content-Length`.
    length: Option<u64>,
    body: BodyUse,
    complete: bool,
}

/// How the body of a reply is treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BodyUse {
    /// The content of a successful reply.
    Required,
    /// The message of a refusal.
    Message,
    /// The body of an acknowledgement.
    Discarded,
}

/// A server sends it to close an idle connection (RFC 9110
/// [section 15.5.9](https://www.rfc-editor.org/rfc/rfc9110#section-15.5.9)): the request can be repeated on a new one.
const REQUEST_TIMEOUT: u16 = 408;

impl Client {
    /// Decodes the input until there is an event, more input is needed, or the connection is over.
    pub(super) fn read(&mut self) -> Option<Event> {
        while self.closed.is_none() {
            if let Some(early) = self.early.take_if(|_| self.outstanding.front().is_some_and(Request::is_sent)) {
                return self.complete_request(&early);
            }
            if self.early.is_some() && self.output_ended {
                // The rest of the request cannot be sent.
                self.close(CloseReason::TransportFailed);
                break;
            }
            if self.reading.is_none() && !self.expects_reply() && !self.reader.is_between_messages() {
                self.close(CloseReason::Peer(PeerError::Unsolicited));
                break;
            }
            let event = match self.reader.poll() {
                Ok(Step::Head(head)) => self.receive_head(&head),
                Ok(Step::Data) => self.receive_data(),
                Ok(Step::End) => self.receive_end(),
                Ok(Step::NeedInput) => break,
                Ok(Step::Closed) => {
                    self.close(CloseReason::ClosedByPeer);
                    break;
                }
                Err(error) => self.fail_reading(error),
            };
            if event.is_some() {
                return event;
            }
        }
        None
    }

    /// Whether the status of a reply is known and its body incomplete, which is not worth a long wait. A driver may call
    /// [`disconnected`](Self::disconnected) after a timeout: no outcome is resent because of that.
    ///
    /// If the reply was an acknowledgement, its [`Event::Reply`] was handed out before, and the next request can be
    /// queued. If it was a refusal, its event follows with what has arrived of the message.
    pub fn is_draining(&self) -> bool {
        let reading = self.reading.is_some_and(|reading| reading.body != BodyUse::Required);
        reading && self.early.is_none() && self.closed.is_none()
    }

    /// The API may reply as soon as it has received the first byte of a request.
    fn expects_reply(&self) -> bool {
        self.early.is_none() && self.outstanding.front().is_some_and(|request| request.outgoing.is_started())
    }

    fn receive_head(&mut self, head: &Head) -> Option<Event> {
        let StartLine::Response { status } = head.start_line else { return None };
        let Request { endpoint, outgoing } = self.outstanding.front()?;
        let (endpoint, is_sent) = (*endpoint, outgoing.is_sent());
        if status == REQUEST_TIMEOUT {
            self.close(CloseReason::RequestTimeout);
            return None;
        }
        let body = match status {
            200..=299 if endpoint.posts_outcome() => BodyUse::Discarded,
            200..=299 => BodyUse::Required,
            _ => BodyUse::Message,
        };
        let (length, lasts_until_close) = match head.framing {
            Framing::Length(length) => (Some(length), false),
            Framing::Chunked => (None, false),
            Framing::UntilClose => (None, true),
        };
        let keep_alive = head.keep_alive && !lasts_until_close;
        let reading = Reading { status, head_len: head.len, keep_alive, length, body, complete: false };
        self.reading = Some(reading);
        match body {
            BodyUse::Required => None,
            BodyUse::Message => {
                // It is truncated, which is not an error.
                self.reader.limit_body(u64::MAX);
                None
            }
            BodyUse::Discarded => {
                self.reader.limit_body(self.reply_body);
                if is_sent {
                    return self.complete_request(&reading);
                }
                self.early = Some(reading);
                None
            }
        }
    }

    fn receive_data(&mut self) -> Option<Event> {
        let reading = self.reading?;
        let limit = usize::try_from(self.reply_body).unwrap_or(usize::MAX).saturating_add(reading.head_len);
        match reading.body {
            BodyUse::Discarded => self.reader.discard(),
            BodyUse::Message if self.reader.message().len() > limit => {
                self.reader.truncate(limit);
                self.close(CloseReason::ReplyBodyTooLarge(self.reply_body));
            }
            BodyUse::Message | BodyUse::Required => {}
        }
        None
    }

    fn receive_end(&mut self) -> Option<Event> {
        let reading = Reading { complete: true, ..self.reading.take()? };
        let is_sent = self.outstanding.front().is_some_and(Request::is_sent);
        match reading.body {
            BodyUse::Discarded => None,
            _ if is_sent => self.complete_request(&reading),
            // A server may accept a request after its head, and forward the body as it arrives.
            BodyUse::Required => {
                self.early = Some(reading);
                None
            }
            BodyUse::Message => {
                self.close(CloseReason::RepliedEarly);
                self.complete_request(&reading)
            }
        }
    }

    fn fail_reading(&mut self, error: PeerError) -> Option<Event> {
        let is_next = self.outstanding.front().is_some_and(|request| request.endpoint == Endpoint::Next);
        match (error, self.reading) {
            (PeerError::BodyTooLong(limit), Some(Reading { body: BodyUse::Discarded, .. })) => {
                self.close(CloseReason::ReplyBodyTooLarge(limit));
                None
            }
            (PeerError::BodyTooLong(limit), Some(reading)) if is_next => {
                self.reading = None;
                self.reader.truncate(reading.head_len);
                self.close(CloseReason::EventTooLarge(limit));
                let length = reading.length;
                self.complete_request(&reading).map(|event| match event {
                    Event::Invocation(invocation) => Event::EventTooLarge { invocation, length, limit },
                    event => event,
                })
            }
            (error, _) => {
                self.close(CloseReason::Peer(error));
                None
            }
        }
    }

    /// Ends the connection. A reply whose status is known is not lost with it, unless it accepted a stream of which the
    /// rest cannot be sent.
    pub(super) fn close(&mut self, reason: CloseReason) {
        if self.closed.is_some() {
            return;
        }
        self.closed = Some(reason);
        let known = match self.early.take() {
            Some(early) => {
                Some(early).filter(|_| self.outstanding.front().is_some_and(Request::is_settled_by_acceptance))
            }
            None => self.reading.take_if(|reading| reading.body == BodyUse::Message),
        };
        if let Some(reading) = known {
            self.pending = self.complete_request(&reading).map(Box::new);
        }
    }

    /// Removes the oldest request, whose reply this is, and makes the event of it.
    fn complete_request(&mut self, reading: &Reading) -> Option<Event> {
        let Request { endpoint, outgoing } = self.outstanding.pop_front()?;
        self.spare_heads.push(outgoing.into_head());
        if endpoint == Endpoint::Response && self.phase == Phase::Streaming {
            self.phase = Phase::Idle;
        }
        if !reading.keep_alive {
            self.close(CloseReason::CloseRequested);
        }
        let Reading { status, head_len, .. } = *reading;
        if endpoint == Endpoint::Next && (200..=299).contains(&status) {
            return Some(self.invocation(status, head_len));
        }
        let (message, truncated) = match reading.body {
            BodyUse::Discarded => (Bytes::new(), false),
            BodyUse::Required | BodyUse::Message => (self.reader.take(), !reading.complete),
        };
        Some(Event::Reply(Reply::new(endpoint, status, message, head_len, truncated)))
    }

    fn invocation(&mut self, status: u16, head_len: usize) -> Event {
        let message = match Message::read(&mut self.reader, status, head_len) {
            Ok(message) => message,
            Err(none) => return Event::NoInvocation(none),
        };
        if self.has_holder() {
            // The caller kept the void handle of an earlier stream.
            self.identity = Arc::new(());
        }
        message.request_id().clone_into(&mut self.request_id);
        self.invocation_id = message.invocation_id().and_then(|id| HeaderValue::from_bytes(id).ok());
        self.phase = Phase::InHand;
        let token = InvocationToken { identity: Arc::clone(&self.identity) };
        Event::Invocation(Invocation::new(token, message))
    }
}
