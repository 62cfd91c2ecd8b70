//! What the API answers.

use std::borrow::Cow;
use std::io::Write as _;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, StatusCode};

use crate::http1::push_field;

/// A reply: status, headers and body.
///
/// ```
/// use std::time::Duration;
/// use http::HeaderValue;
/// use lambda_runtime_proto::server::Reply;
///
/// let event = Reply::event("8476a536-e9f4-11e8-9739-2dfe598c3fcd", Duration::from_millis(1_542_409_706_888), "{}")
///     .header("Lambda-Runtime-Aws-Tenant-Id", HeaderValue::from_static("blue"));
/// let accepted = Reply::accepted();
/// ```
#[derive(Debug, Clone)]
pub struct Reply {
    status: u16,
    headers: Vec<(Cow<'static, str>, HeaderValue)>,
    pub(super) body: Bytes,
    close: bool,
}

impl Reply {
    /// A reply without headers of its own and without a body.
    pub fn new(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Bytes::new(), close: false }
    }

    /// The answer to /next: an event, its id and its deadline as time since the Unix epoch. An id that cannot stand
    /// in a header is left out.
    pub fn event(request_id: &str, deadline: Duration, event: impl Into<Bytes>) -> Self {
        let mut reply = Self::new(200).json(event);
        if let Ok(id) = HeaderValue::from_str(request_id) {
            reply = reply.header("Lambda-Runtime-Aws-Request-Id", id);
        }
        let deadline = u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX);
        reply.header("Lambda-Runtime-Deadline-Ms", HeaderValue::from(deadline))
    }

    /// `202 {"status":"OK"}`
    pub fn accepted() -> Self {
        Self::new(202).json(Bytes::from_static(b"{\"status\":\"OK\"}\n"))
    }

    /// Adds a header.
    pub fn header(mut self, name: impl Into<Cow<'static, str>>, value: HeaderValue) -> Self {
        self.headers.push((name.into(), value));
        self
    }

    /// Sets the body.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets the body, which is JSON.
    pub fn json(self, body: impl Into<Bytes>) -> Self {
        self.header("Content-Type", HeaderValue::from_static("application/json")).body(body)
    }

    /// Asks the peer to close the connection, and closes it.
    pub fn close(mut self) -> Self {
        self.close = true;
        self
    }

    /// Replies with some statuses never have one (RFC 9110 section 6.4.1).
    pub(super) fn has_body(&self) -> bool {
        !matches!(self.status, 100..=199 | 204 | 304)
    }

    pub(super) fn closes(&self) -> bool {
        self.close
    }

    /// The head, for a body of this length or a chunked one.
    pub(super) fn head(&self, length: Option<usize>, keep_alive: bool) -> Vec<u8> {
        let reason = StatusCode::from_u16(self.status).ok().and_then(|status| status.canonical_reason());
        let mut head = Vec::with_capacity(256);
        // Writing to a Vec does not fail.
        let _ = write!(head, "HTTP/1.1 {} {}\r\n", self.status, reason.unwrap_or("-"));
        for (name, value) in &self.headers {
            push_field(&mut head, name, value.as_bytes());
        }
        match length {
            Some(length) if self.has_body() => push_field(&mut head, "Content-Length", length.to_string().as_bytes()),
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
