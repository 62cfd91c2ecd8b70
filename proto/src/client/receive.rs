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

/// Sent by servers that close an idle connection (RFC 9110
/// [section 15.5.9](https://www.rfc-editor.org/rfc/rfc9110#section-15.5.9)). The request can be repeated on a new one.
const REQUEST_TIMEOUT: u16 = 408;

impl Client {
    /// Decodes the input until there is an event, more input is needed, or the connection is over.
    pub(super) fn read(&mut self) -> Option<Event> {
        if self.ready.is_none() && self.reader.needs_input() {
            return None;
        }
        while self.closed.is_none() {
            if let Some(ready) = self.ready {
                if self.outstanding.first().is_some_and(Request::is_sent) {
                    self.ready = None;
                    return self.complete_request(&ready);
                }
                if self.output_ended {
                    // The rest of the request cannot be sent.
                    self.close(CloseReason::TransportFailed);
                    break;
                }
            }
            if self.reading.is_none() && !self.expects_reply() && !self.reader.is_between_messages() {
                self.close(CloseReason::Peer(PeerError::Unsolicited));
                break;
            }
            match self.reader.poll() {
                Ok(Step::Head(head)) => self.receive_head(head),
                Ok(Step::Data) => self.receive_data(),
                Ok(Step::End) => self.receive_end(),
                Ok(Step::NeedInput) => break,
                Ok(Step::Closed) => self.close(CloseReason::ClosedByPeer),
                Err(error) => self.fail_reading(error),
            }
        }
        None
    }

    /// Whether the status of a reply is known while its body is incomplete. Apply a short timeout, then call
    /// [`disconnected`](Self::disconnected); no outcome is resent because of that.
    ///
    /// The [`Event::Reply`] of an acknowledgement precedes the drain, during which the next request can be queued. The
    /// [`Event::Reply`] of a refusal follows the drain, with the part of the message that has arrived.
    pub fn is_draining(&self) -> bool {
        let reading = self.reading.is_some_and(|reading| reading.body != BodyUse::Required);
        reading && self.ready.is_none() && self.closed.is_none()
    }

    /// The API may reply as soon as it has received the first byte of a request.
    fn expects_reply(&self) -> bool {
        self.ready.is_none() && self.outstanding.first().is_some_and(|request| request.outgoing.is_started())
    }

    fn receive_head(&mut self, head: Head) {
        let (StartLine::Response { status }, Some(request)) = (head.start_line, self.outstanding.first()) else {
            return;
        };
        let body = match status {
            REQUEST_TIMEOUT => return self.close(CloseReason::RequestTimeout),
            200..=299 if request.endpoint.posts_outcome() => BodyUse::Discarded,
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
            BodyUse::Required => {}
            // It is truncated, which is not an error.
            BodyUse::Message => self.reader.limit_body(u64::MAX),
            BodyUse::Discarded => {
                self.reader.drain_body(self.reply_body);
                self.ready = Some(reading);
            }
        }
    }

    fn receive_data(&mut self) {
        let Some(reading) = &self.reading else { return };
        let limit = usize::try_from(self.reply_body).unwrap_or(usize::MAX).saturating_add(reading.head_len);
        if reading.body == BodyUse::Message && self.reader.message().len() > limit {
            self.reader.truncate(limit);
            self.close(CloseReason::ReplyBodyTooLarge(self.reply_body));
        }
    }

    fn receive_end(&mut self) {
        let Some(reading) = self.reading.take() else { return };
        let complete = Reading { complete: true, ..reading };
        match reading.body {
            BodyUse::Discarded => {}
            BodyUse::Message if !self.outstanding.first().is_some_and(Request::is_sent) => {
                self.reading = Some(complete);
                self.close(CloseReason::RepliedEarly);
            }
            // A server may accept a request after its head, and forward the body as it arrives.
            BodyUse::Message | BodyUse::Required => self.ready = Some(complete),
        }
    }

    fn fail_reading(&mut self, error: PeerError) {
        let is_next = self.outstanding.first().is_some_and(|request| request.endpoint == Endpoint::Next);
        match (error, self.reading) {
            (PeerError::BodyTooLong(limit), Some(Reading { body: BodyUse::Discarded, .. })) => {
                self.close(CloseReason::ReplyBodyTooLarge(limit));
            }
            (PeerError::BodyTooLong(limit), Some(reading)) if is_next => {
                self.close(CloseReason::EventTooLarge(limit));
                self.reader.truncate(reading.head_len);
                let event = self.complete_request(&reading).map(|event| match event {
                    Event::Invocation(invocation) => Event::EventTooLarge { invocation, length: reading.length, limit },
                    event => event,
                });
                self.pending = event.map(Box::new);
            }
            (error, _) => self.close(CloseReason::Peer(error)),
        }
    }

    /// Ends the connection. A reply whose status is known still becomes an event, unless it accepts a stream whose rest
    /// cannot be sent.
    pub(super) fn close(&mut self, reason: CloseReason) {
        if self.closed.is_some() {
            return;
        }
        self.closed = Some(reason);
        let known = match self.ready.take() {
            Some(ready) => {
                Some(ready).filter(|_| self.outstanding.first().is_some_and(Request::is_settled_by_acceptance))
            }
            None => self.reading.take_if(|reading| reading.body == BodyUse::Message),
        };
        if let Some(reading) = known {
            self.pending = self.complete_request(&reading).map(Box::new);
        }
    }

    /// Removes the oldest request, and returns the event of its reply.
    fn complete_request(&mut self, reading: &Reading) -> Option<Event> {
        if self.outstanding.is_empty() {
            return None;
        }
        let Request { endpoint, outgoing } = self.outstanding.remove(0);
        self.spare_heads.push(outgoing.into_head());
        if self.phase == Phase::Streaming {
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
