//! The replies of the API.

use std::io::Write as _;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, StatusCode};

use crate::http1::push_field;

/// A reply: status, headers and body.
///
/// ```
/// use std::time::Duration;
/// use http::{HeaderName, HeaderValue};
/// use lambda_runtime_proto::server::Reply;
///
/// const TENANT_ID: HeaderName = HeaderName::from_static("lambda-runtime-aws-tenant-id");
///
/// let event = Reply::event("8476a536-e9f4-11e8-9739-2dfe598c3fcd", Duration::from_millis(1_542_409_706_888), "{}")
///     .header(TENANT_ID, HeaderValue::from_static("blue"));
/// let accepted = Reply::accepted();
/// ```
#[derive(Debug, Clone)]
pub struct Reply {
    status: u16,
    headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) body: Bytes,
    close: bool,
    pub(super) omits_length: bool,
}

impl Reply {
    /// Returns a reply with this status, without headers and body.
    pub fn new(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Bytes::new(), close: false, omits_length: false }
    }

    /// Returns the reply to /next: an event, its request id and its deadline as time since the Unix epoch. An id that is
    /// not a valid header value is left out.
    pub fn event(request_id: &str, deadline: Duration, event: impl Into<Bytes>) -> Self {
        const REQUEST_ID: HeaderName = HeaderName::from_static("lambda-runtime-aws-request-id");
        const DEADLINE: HeaderName = HeaderName::from_static("lambda-runtime-deadline-ms");
        let mut reply = Self::new(200).json(event);
        if let Ok(id) = HeaderValue::from_str(request_id) {
            reply = reply.header(REQUEST_ID, id);
        }
        let deadline = u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX);
        reply.header(DEADLINE, HeaderValue::from(deadline))
    }

    /// `202 {"status":"OK"}`
    pub fn accepted() -> Self {
        Self::new(202).json(Bytes::from_static(b"{\"status\":\"OK\"}\n"))
    }

    /// Adds a header. Its name is written as Go's server, on which the API is built, writes it: `Content-Type`.
    ///
    /// The machine adds `Content-Length` or `Transfer-Encoding`; another one makes the reply malformed.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Sets the body.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets the body and the content type `application/json`.
    pub fn json(self, body: impl Into<Bytes>) -> Self {
        self.header(CONTENT_TYPE, HeaderValue::from_static("application/json")).body(body)
    }

    /// Asks the peer to close the connection, and closes it.
    pub fn close(mut self) -> Self {
        self.close = true;
        self
    }

    /// Leaves out `Content-Length` in the reply to a `HEAD`: the length is not known, or a header that was added has it.
    pub fn omit_length_for_head(mut self) -> Self {
        self.omits_length = true;
        self
    }

    /// Whether a reply with this status has a body (RFC 9110 section 6.4.1).
    pub(super) fn has_body(&self) -> bool {
        !matches!(self.status, 100..=199 | 204 | 304)
    }

    pub(super) fn closes(&self) -> bool {
        self.close
    }

    /// Returns the head, for a body of this length or, without one, a chunked body.
    pub(super) fn head(&self, length: Option<usize>, keep_alive: bool) -> Vec<u8> {
        let reason = StatusCode::from_u16(self.status).ok().and_then(|status| status.canonical_reason());
        let mut head = Vec::with_capacity(256);
        // Writing to a Vec does not fail.
        let _ = write!(head, "HTTP/1.1 {} {}\r\n", self.status, reason.unwrap_or("-"));
        for (name, value) in &self.headers {
            push_field(&mut head, &title_case(name), value.as_bytes());
        }
        match length {
            Some(length) if self.has_body() && !self.omits_length => {
                push_field(&mut head, "Content-Length", length.to_string().as_bytes())
            }
            Some(_) => {}
            None => push_field(&mut head, "Transfer-Encoding", b"chunked"),
        }
        if !keep_alive {
            push_field(&mut head, "Connection", b"close");
        }
        head.extend_from_slice(b"\r\n");
        head
    }
}

/// `content-type` becomes `Content-Type`.
pub(super) fn title_case(name: &HeaderName) -> String {
    let mut starts_word = true;
    let letter = |letter: char| {
        let cased = if starts_word { letter.to_ascii_uppercase() } else { letter };
        starts_word = letter == '-';
        cased
    };
    let mut title = String::with_capacity(name.as_str().len());
    title.extend(name.as_str().chars().map(letter));
    title
}
