//! The function URL: any HTTP request becomes an event, and the function's response becomes the reply. See [Invoking Lambda
//! function URLs](https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html).

mod event;
mod response;

use std::net::IpAddr;

use bytes::{Bytes, BytesMut};
use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Method};
use lambda_runtime_emulator::serving::{Connection, Reservation, request_id, shortened};
use lambda_runtime_emulator::{Error, Event, Invocation, MAX_EVENT, MAX_RESPONSE, Prelude, ResponseHead};
use lambda_runtime_proto::server::{Reply, Request};
use serde_json::json;

use super::access::Cors;
use super::{Shared, with};
use crate::log;
use event::HttpEvent;
use response::Metadata;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");

/// A request to the function URL.
pub(super) struct Call {
    request_id: String,
    /// The method and the path, for the history.
    source: String,
    head_only: bool,
    trace_id: Option<String>,
    event: HttpEvent,
}

impl Call {
    pub(super) fn new(request: &Request, peer: Option<IpAddr>) -> Result<Self, Reply> {
        let request_id = request_id();
        let event = HttpEvent::new(request, peer, &request_id).map_err(|message| error(400, &message))?;
        Ok(Self {
            request_id,
            source: format!("{} {}", request.method(), shortened(request.path())),
            head_only: request.method() == Method::HEAD,
            trace_id: request.headers().get_str("x-amzn-trace-id").map(str::to_owned),
            event,
        })
    }

    /// Invokes the function and replies.
    pub(super) fn make(
        self,
        shared: &Shared,
        connection: &mut Connection<'_>,
        cors: &Cors,
        body: Bytes,
        reservation: Reservation,
    ) {
        let payload = Bytes::from(self.event.into_json(&body));
        drop(body);
        if payload.len() > MAX_EVENT {
            return connection.reply(cors.apply(too_large()));
        }
        let mut event = Event::new(payload).request_id(&self.request_id);
        if let Some(trace_id) = self.trace_id {
            event = event.trace_id(trace_id);
        }
        shared.history.called(&self.request_id, &self.source, event.payload());
        let invocation = match shared.emulator.start_invocation(event) {
            Ok(invocation) => invocation,
            Err(error) => return connection.reply(cors.apply(no_outcome(&error))),
        };
        drop(reservation);
        let exchange = Exchange { shared, request_id: self.request_id, head_only: self.head_only, cors };
        match invocation.head().filter(ResponseHead::is_streamed) {
            Some(head) => exchange.pass_on(invocation, &head, connection),
            None => exchange.collect(invocation, connection),
        }
    }
}

/// A request that the function handles.
struct Exchange<'a> {
    shared: &'a Shared,
    request_id: String,
    head_only: bool,
    cors: &'a Cors,
}

impl Exchange<'_> {
    /// Replies with a buffered response.
    fn collect(&self, mut invocation: Invocation, connection: &mut Connection<'_>) {
        // Until the caller has read it, the response counts as buffered.
        let mut reservation = self.shared.buffers.reservation();
        let mut body = BytesMut::new();
        for chunk in invocation.by_ref() {
            self.responded(&chunk.data);
            if !reservation.grow(chunk.data.len()) {
                return connection.reply(self.cors.apply(error(500, "too many responses wait to be read")));
            }
            body.extend_from_slice(&chunk.data);
        }
        match invocation.wait() {
            Err(error) => return connection.reply(self.cors.apply(no_outcome(&error))),
            Ok(outcome) if outcome.error().is_some() => {
                self.responded(outcome.error().map(|error| error.body().as_ref()).unwrap_or_default());
                return connection.reply(self.cors.apply(internal_error(&self.request_id)));
            }
            Ok(_) => {}
        }
        let (metadata, body) = match response::parse_buffered(body.freeze()) {
            Ok(response) if response.1.len() <= MAX_RESPONSE => response,
            Ok(_) => return self.invalid("its body is too large", connection),
            Err(why) => return self.invalid(&why, connection),
        };
        let mut reply = self.reply(&metadata).body(body.clone());
        if self.head_only {
            // The function may omit the body and still announce its length.
            let length = metadata.length.unwrap_or(HeaderValue::from(body.len()));
            reply = reply.omit_length_for_head().header(CONTENT_LENGTH, length);
        }
        connection.reply(reply);
        connection.send();
    }

    /// Passes a streamed response on, as it arrives.
    fn pass_on(&self, mut invocation: Invocation, head: &ResponseHead, connection: &mut Connection<'_>) {
        let mut first = Bytes::new();
        let metadata = match head.has_prelude() {
            false => {
                let content_type = head.headers().get(CONTENT_TYPE).cloned();
                Metadata::plain(content_type.unwrap_or(HeaderValue::from_static("application/octet-stream")))
            }
            true => {
                let mut prelude = Prelude::default();
                let payload = invocation.by_ref().find_map(|chunk| {
                    self.responded(&chunk.data);
                    prelude.take(chunk.data)
                });
                let json = prelude.json();
                first = payload.unwrap_or_default();
                match json.ok_or("its prelude is incomplete".to_owned()).and_then(|json| Metadata::parse(&json)) {
                    Ok(metadata) => metadata,
                    Err(why) => return self.invalid(&why, connection),
                }
            }
        };
        let reply = self.reply(&metadata);
        if self.head_only || !metadata.has_body() {
            // A reply without a body cannot be streamed.
            let reply = match metadata.length.filter(|_| self.head_only) {
                Some(length) => reply.header(CONTENT_LENGTH, length),
                None => reply,
            };
            return connection.reply(reply.omit_length_for_head());
        }
        // Cannot fail: the request has no reply yet.
        let _ = connection.machine.stream(reply);
        let _ = connection.machine.chunk(first);
        let mut sent = connection.send();
        while sent && let Some(chunk) = invocation.next() {
            self.responded(&chunk.data);
            let _ = connection.machine.chunk(chunk.data);
            sent = connection.send();
        }
        if !sent {
            return connection.machine.disconnected();
        }
        match invocation.wait() {
            Ok(outcome) if outcome.is_complete() => {
                let _ = connection.machine.finish([]);
            }
            // A response that failed midway must not look complete.
            _ => connection.machine.close_abruptly(),
        }
    }

    fn responded(&self, data: &[u8]) {
        self.shared.history.responded(&self.request_id, data);
    }

    /// The reply without its body.
    fn reply(&self, metadata: &Metadata) -> Reply {
        let reply = with(Reply::new(metadata.status), REQUEST_ID, &self.request_id);
        let headers = metadata.headers.iter().cloned();
        let reply = headers.fold(reply, |reply, (name, value)| reply.header(name, value));
        // A function that handles CORS itself decides which pages may read its responses.
        match metadata.headers.iter().any(|(name, _)| name == ACCESS_CONTROL_ALLOW_ORIGIN) {
            true => reply,
            false => self.cors.apply(reply),
        }
    }

    /// Logs why the response cannot be sent, and replies with 502.
    fn invalid(&self, why: &str, connection: &mut Connection<'_>) {
        let id = &self.request_id;
        log::message(format_args!("the response to {id} is not valid for a function URL: {why}; the caller gets 502"));
        connection.reply(self.cors.apply(internal_error(id)));
    }
}

/// The reply to a request whose invocation has no outcome.
fn no_outcome(failed: &Error) -> Reply {
    match failed {
        Error::QueueFull => too_many_requests(),
        _ => error(502, &failed.to_string()),
    }
}

fn internal_error(request_id: &str) -> Reply {
    let text = HeaderValue::from_static("text/plain");
    with(Reply::new(502), REQUEST_ID, request_id).header(CONTENT_TYPE, text).body("Internal Server Error")
}

pub(super) fn too_large() -> Reply {
    error(413, &format!("the event, which contains the body, is larger than {MAX_EVENT} bytes"))
}

pub(super) fn too_many_requests() -> Reply {
    error(429, "Rate Exceeded.")
}

fn error(status: u16, message: &str) -> Reply {
    Reply::new(status).json(json!({"Message": message}).to_string())
}
