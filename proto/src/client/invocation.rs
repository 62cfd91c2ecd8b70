//! What /next brings, and the tokens by which it is answered.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;

use crate::http1::{Headers, Reader};

/// An invocation: the event, its headers, and the token by which it is answered once.
///
/// Head and event lie in one allocation; [`body`](Self::body) is a slice of it.
#[derive(Debug)]
pub struct Invocation {
    token: InvocationToken,
    message: Message,
}

impl Invocation {
    pub(super) fn new(token: InvocationToken, message: Message) -> Self {
        Self { token, message }
    }

    /// `Lambda-Runtime-Aws-Request-Id`: never empty, and safe in a path.
    pub fn request_id(&self) -> &str {
        self.message.request_id()
    }

    /// `Lambda-Runtime-Deadline-Ms`, as time since the Unix epoch. `None` if it is absent or no number.
    pub fn deadline(&self) -> Option<Duration> {
        let text = std::str::from_utf8(self.header("lambda-runtime-deadline-ms")?).ok()?;
        text.parse().ok().map(Duration::from_millis)
    }

    /// The status of the answer that brought it: 200 as a rule.
    pub fn status(&self) -> u16 {
        self.message.status
    }

    /// All headers of the answer, in the order they came.
    pub fn headers(&self) -> Headers<'_> {
        self.message.headers()
    }

    /// The raw value of the first header with this name, whatever its case.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.message.header(name)
    }

    /// The event: JSON as a rule.
    pub fn body(&self) -> Bytes {
        self.message.bytes.slice(self.message.head_len..)
    }

    /// The head and the event as one piece of memory, and where the event starts. Slices of it are cheap.
    pub fn bytes(&self) -> (&Bytes, usize) {
        (&self.message.bytes, self.message.head_len)
    }

    /// Gives up everything but the token.
    pub fn into_token(self) -> InvocationToken {
        self.token
    }
}

/// The right to answer one invocation, once: [`Client::respond`](super::Client::respond),
/// [`fail`](super::Client::fail) and [`stream`](super::Client::stream) consume it.
#[must_use = "the caller waits until its deadline if the invocation is not answered"]
#[derive(Debug, PartialEq, Eq)]
pub struct InvocationToken {
    machine: u64,
    serial: u64,
}

impl InvocationToken {
    pub(super) fn new(machine: u64, serial: u64) -> Self {
        Self { machine, serial }
    }
}

/// An open response stream: [`Client::finish`](super::Client::finish) or [`abort`](super::Client::abort) ends it.
/// Dropping it aborts it: the API is told that the response is incomplete.
#[must_use = "dropping the stream aborts the response"]
#[derive(Debug)]
pub struct ResponseStream {
    pub(super) alive: Arc<()>,
}

/// A 2xx answer to /next that is no invocation. Emulators send them; the invocation, if there was one, cannot be
/// answered.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum NoInvocation {
    /// `204 No Content`.
    NoContent,
    /// The header `Lambda-Runtime-Aws-Request-Id` is missing or empty.
    NoRequestId,
    /// The request id, given, cannot stand in a path: it is longer than 256 bytes or holds something other than
    /// ASCII letters, digits, `-`, `_`, `.` and `~`, or is `.` or `..`.
    UnsafeRequestId(Vec<u8>),
}

impl fmt::Display for NoInvocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoInvocation::NoContent => f.write_str("204 No Content"),
            NoInvocation::NoRequestId => f.write_str("no header Lambda-Runtime-Aws-Request-Id"),
            NoInvocation::UnsafeRequestId(id) => {
                write!(f, "the value of Lambda-Runtime-Aws-Request-Id is not safe in a path: \"{}\"", id.escape_ascii())
            }
        }
    }
}

/// The answer to a /next.
#[derive(Debug)]
pub(super) struct Message {
    status: u16,
    bytes: Bytes,
    head_len: usize,
    request_id: Range<usize>,
}

impl Message {
    /// Takes the message that `reader` has completed, and from it the value of `Lambda-Runtime-Invocation-Id`.
    pub(super) fn read(
        reader: &mut Reader,
        status: u16,
        head_len: usize,
    ) -> Result<(Self, Option<HeaderValue>), NoInvocation> {
        if status == 204 {
            return Err(NoInvocation::NoContent);
        }
        let head = reader.message().get(..head_len).unwrap_or_default();
        let (mut request_id, mut invocation_id) = (None, None);
        for (name, value) in Headers::of_head(head).raw() {
            // The length tells almost every other field apart without a comparison.
            let place = match name.len() {
                29 if name.eq_ignore_ascii_case(b"lambda-runtime-aws-request-id") => &mut request_id,
                28 if name.eq_ignore_ascii_case(b"lambda-runtime-invocation-id") => &mut invocation_id,
                _ => continue,
            };
            place.get_or_insert(value);
        }
        let id = match request_id {
            None | Some([]) => return Err(NoInvocation::NoRequestId),
            Some(id) if !is_safe_in_a_path(id) => return Err(NoInvocation::UnsafeRequestId(id.to_vec())),
            Some(id) => id,
        };
        // Both are parts of one slice, so this is the id's place in it.
        let start = id.as_ptr().addr() - head.as_ptr().addr();
        let request_id = start..start + id.len();
        let invocation_id = invocation_id.filter(|id| !id.is_empty()).and_then(|id| HeaderValue::from_bytes(id).ok());
        Ok((Self { status, bytes: reader.take(), head_len, request_id }, invocation_id))
    }

    pub(super) fn request_id(&self) -> &str {
        let id = self.bytes.get(self.request_id.clone()).unwrap_or_default();
        std::str::from_utf8(id).unwrap_or_default()
    }

    fn headers(&self) -> Headers<'_> {
        Headers::of_head(self.bytes.get(..self.head_len).unwrap_or_default())
    }

    pub(super) fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers().get(name)
    }
}

/// RFC 3986's unreserved characters, and no dot segment.
fn is_safe_in_a_path(id: &[u8]) -> bool {
    id.len() <= 256
        && id.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~'))
        && id != b"."
        && id != b".."
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unreserved_characters_are_safe_in_a_path() {
        for id in ["8476a536-e9f4-11e8-9739-2dfe598c3fcd", "a", "A.b_c~1", "..."] {
            assert!(is_safe_in_a_path(id.as_bytes()), "{id}");
        }
        for id in ["a/b", "a b", "a%2fb", "..", ".", "a\r\nb", "é", "a?b", "a#b", &"x".repeat(257)] {
            assert!(!is_safe_in_a_path(id.as_bytes()), "{id}");
        }
    }
}
