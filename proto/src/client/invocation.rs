//! Invocations, and the tokens for their outcomes.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf as _, Bytes};

use crate::http1::{Field, Headers, Reader};

/// An invocation: the event, its headers, and the token for its outcome.
///
/// Head and event share one allocation; [`body`](Self::body) is a slice of it.
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

    /// `Lambda-Runtime-Deadline-Ms`, as time since the Unix epoch. `None` if it is absent or not a number.
    pub fn deadline(&self) -> Option<Duration> {
        let text = std::str::from_utf8(self.message.value(KnownHeader::Deadline)?).ok()?;
        text.parse().ok().map(Duration::from_millis)
    }

    /// `Lambda-Runtime-Invoked-Function-Arn`. Here and below, an empty header counts as absent.
    pub fn function_arn(&self) -> Option<&[u8]> {
        self.message.value(KnownHeader::FunctionArn)
    }

    /// `Lambda-Runtime-Trace-Id`, for X-Ray.
    pub fn trace_id(&self) -> Option<&[u8]> {
        self.message.value(KnownHeader::TraceId)
    }

    /// `Lambda-Runtime-Client-Context`: JSON.
    pub fn client_context(&self) -> Option<&[u8]> {
        self.message.value(KnownHeader::ClientContext)
    }

    /// `Lambda-Runtime-Cognito-Identity`: JSON.
    pub fn cognito_identity(&self) -> Option<&[u8]> {
        self.message.value(KnownHeader::CognitoIdentity)
    }

    /// `Lambda-Runtime-Aws-Tenant-Id`, in functions that are isolated by tenant.
    pub fn tenant_id(&self) -> Option<&[u8]> {
        self.message.value(KnownHeader::TenantId)
    }

    /// `Content-Type`, which is `application/json` in Lambda.
    pub fn content_type(&self) -> Option<&[u8]> {
        self.message.slice(self.message.places.content_type.as_ref()?)
    }

    /// The headers that start with `Lambda-Runtime-` and have no method here, in the order received: those that a later
    /// version of Lambda adds. A name can occur more than once.
    pub fn other_headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let headers = self.message.places.has_others.then(|| self.headers().iter());
        headers.into_iter().flatten().filter(|(name, _)| is_other(name.as_bytes()))
    }

    /// The HTTP status of the reply, usually 200.
    pub fn status(&self) -> u16 {
        self.message.status
    }

    /// All headers of the reply, in the order received.
    pub fn headers(&self) -> Headers<'_> {
        self.message.headers()
    }

    /// The event, usually JSON.
    pub fn body(&self) -> Bytes {
        self.message.bytes.slice(self.message.head_len..)
    }

    /// The allocation that contains head and event, and the offset of the event. Slices of it are cheap.
    pub fn bytes(&self) -> (&Bytes, usize) {
        (&self.message.bytes, self.message.head_len)
    }

    /// Splits the invocation into its token and its event. Discards the headers.
    pub fn into_parts(self) -> (InvocationToken, Bytes) {
        let mut event = self.message.bytes;
        event.advance(self.message.head_len.min(event.len()));
        (self.token, event)
    }

    /// Discards everything but the token.
    pub fn into_token(self) -> InvocationToken {
        self.token
    }
}

/// The right to post the outcome of one invocation, once: [`Client::respond`](super::Client::respond),
/// [`fail`](super::Client::fail) and [`stream`](super::Client::stream) consume it.
#[must_use = "the function's caller waits until the deadline unless an outcome is posted"]
#[derive(Debug)]
pub struct InvocationToken {
    pub(super) identity: Arc<()>,
}

/// The handle of a streamed response. [`Client::finish`](super::Client::finish) or [`abort`](super::Client::abort) ends
/// the response; dropping the handle aborts it.
#[must_use = "dropping the stream aborts the response"]
#[derive(Debug)]
pub struct ResponseStream {
    pub(super) identity: Arc<()>,
}

/// Why a 2xx reply to /next is not an invocation. Emulators send such replies.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum NoInvocation {
    /// `204 No Content`.
    NoContent,
    /// The header `Lambda-Runtime-Aws-Request-Id` is missing or empty.
    NoRequestId,
    /// The request id, which this contains, is not safe in a path: it is longer than 256 bytes, contains something other
    /// than ASCII letters, digits, `-`, `_`, `.` and `~`, or is `.` or `..`.
    UnsafeRequestId(Vec<u8>),
}

impl fmt::Display for NoInvocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoInvocation::NoContent => f.write_str("204 No Content"),
            NoInvocation::NoRequestId => f.write_str("no header Lambda-Runtime-Aws-Request-Id"),
            NoInvocation::UnsafeRequestId(id) => {
                let start = id.get(..MAX_REQUEST_ID).unwrap_or(id);
                write!(f, "the request id \"{}\" is not safe in a path", start.escape_ascii())
            }
        }
    }
}

/// The headers that describe an invocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KnownHeader {
    RequestId,
    Deadline,
    FunctionArn,
    TraceId,
    ClientContext,
    CognitoIdentity,
    TenantId,
    InvocationId,
}

impl KnownHeader {
    /// In the order of the variants, as the API writes them.
    const NAMES: [&'static [u8]; 8] = [
        b"Lambda-Runtime-Aws-Request-Id",
        b"Lambda-Runtime-Deadline-Ms",
        b"Lambda-Runtime-Invoked-Function-Arn",
        b"Lambda-Runtime-Trace-Id",
        b"Lambda-Runtime-Client-Context",
        b"Lambda-Runtime-Cognito-Identity",
        b"Lambda-Runtime-Aws-Tenant-Id",
        b"Lambda-Runtime-Invocation-Id",
    ];
}

const PREFIX: &[u8] = b"Lambda-Runtime-";

const CONTENT_TYPE: &[u8] = b"Content-Type";

/// Whether it has the prefix and is not a [`KnownHeader`].
fn is_other(name: &[u8]) -> bool {
    name.get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
        && !KnownHeader::NAMES.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// The positions of the headers that describe an invocation.
#[derive(Debug, Default)]
struct Places {
    /// The position of the first value of each [`KnownHeader`], in the order of its variants.
    known: [Option<Range<u32>>; KnownHeader::NAMES.len()],
    content_type: Option<Range<u32>>,
    /// Whether a header starts with [`PREFIX`] and is not a [`KnownHeader`].
    has_others: bool,
}

fn places(head: &[u8], fields: &[Field]) -> Places {
    let mut places = Places::default();
    for Field { name, value } in fields {
        if name.len() != CONTENT_TYPE.len() && name.len() < PREFIX.len() {
            continue;
        }
        let name = head.get(name.clone()).unwrap_or_default();
        let known = KnownHeader::NAMES.iter().zip(&mut places.known).find(|(known, _)| {
            // Most names differ in length, so that few are compared.
            known.len() == name.len() && (**known == name || known.eq_ignore_ascii_case(name))
        });
        let place = match known {
            Some((_, place)) => place,
            None if CONTENT_TYPE.eq_ignore_ascii_case(name) => &mut places.content_type,
            None => {
                places.has_others |= is_other(name);
                continue;
            }
        };
        if let (None, Ok(start), Ok(end)) = (&place, u32::try_from(value.start), u32::try_from(value.end)) {
            *place = Some(start..end);
        }
    }
    places
}

/// A reply to /next.
#[derive(Debug)]
pub(super) struct Message {
    status: u16,
    bytes: Bytes,
    head_len: usize,
    places: Places,
}

impl Message {
    /// Takes the message that `reader` has completed.
    pub(super) fn read(reader: &mut Reader, status: u16, head_len: usize) -> Result<Self, NoInvocation> {
        if status == 204 {
            return Err(NoInvocation::NoContent);
        }
        let places = places(reader.message(), reader.fields());
        let message = Self { status, bytes: reader.take(), head_len, places };
        match message.value(KnownHeader::RequestId) {
            None => Err(NoInvocation::NoRequestId),
            Some(id) if !is_safe_in_a_path(id) => Err(NoInvocation::UnsafeRequestId(id.to_vec())),
            Some(_) => Ok(message),
        }
    }

    pub(super) fn request_id(&self) -> &str {
        std::str::from_utf8(self.value(KnownHeader::RequestId).unwrap_or_default()).unwrap_or_default()
    }

    /// `Lambda-Runtime-Invocation-Id`, which the outcome repeats.
    pub(super) fn invocation_id(&self) -> Option<&[u8]> {
        self.value(KnownHeader::InvocationId)
    }

    /// The value of the first such header; `None` if it is absent or empty.
    fn value(&self, known: KnownHeader) -> Option<&[u8]> {
        self.slice(self.places.known.get(known as usize)?.as_ref()?)
    }

    /// `None` if it is empty.
    fn slice(&self, place: &Range<u32>) -> Option<&[u8]> {
        let value = self.bytes.get(usize::try_from(place.start).ok()?..usize::try_from(place.end).ok()?)?;
        Some(value).filter(|value| !value.is_empty())
    }

    fn headers(&self) -> Headers<'_> {
        Headers::of_head(self.bytes.get(..self.head_len).unwrap_or_default())
    }
}

const MAX_REQUEST_ID: usize = 256;

/// RFC 3986's unreserved characters, but not a dot segment.
fn is_safe_in_a_path(id: &[u8]) -> bool {
    id.len() <= MAX_REQUEST_ID
        && id.iter().all(|b| UNRESERVED.get(usize::from(*b)).is_some_and(|unreserved| *unreserved))
        && id != b"."
        && id != b".."
}

/// Indexed by byte.
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const UNRESERVED: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        table[byte as usize] = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_about_an_unsafe_id_contains_its_start() {
        let message = NoInvocation::UnsafeRequestId(vec![b'/'; 1_000_000]).to_string();
        assert!(message.starts_with("the request id \"////") && message.len() < 400, "{} bytes", message.len());
    }

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
