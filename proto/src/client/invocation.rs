//! Invocations, and the tokens for their outcomes.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf as _, Bytes};

use crate::http1::{Field, Headers, Name, Reader, decimal};

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

    /// `Lambda-Runtime-Deadline-Ms`, as time since the Unix epoch. `None` if it is absent or anything but digits.
    pub fn deadline(&self) -> Option<Duration> {
        decimal(self.message.value(Name::Deadline)?).map(Duration::from_millis)
    }

    /// `Lambda-Runtime-Invoked-Function-Arn`. Here and below, an empty header counts as absent.
    pub fn function_arn(&self) -> Option<&[u8]> {
        self.message.value(Name::FunctionArn)
    }

    /// `Lambda-Runtime-Trace-Id`, for X-Ray.
    pub fn trace_id(&self) -> Option<&[u8]> {
        self.message.value(Name::TraceId)
    }

    /// `Lambda-Runtime-Client-Context`: JSON.
    pub fn client_context(&self) -> Option<&[u8]> {
        self.message.value(Name::ClientContext)
    }

    /// `Lambda-Runtime-Cognito-Identity`: JSON.
    pub fn cognito_identity(&self) -> Option<&[u8]> {
        self.message.value(Name::CognitoIdentity)
    }

    /// `Lambda-Runtime-Aws-Tenant-Id`, in functions that are isolated by tenant.
    pub fn tenant_id(&self) -> Option<&[u8]> {
        self.message.value(Name::TenantId)
    }

    /// `Content-Type`, which is `application/json` in Lambda.
    pub fn content_type(&self) -> Option<&[u8]> {
        self.message.value(Name::ContentType)
    }

    /// The headers that start with `Lambda-Runtime-` and have no method here, in the order received: those that a later
    /// version of Lambda adds. A name can occur more than once.
    pub fn other_headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let headers = self.message.places.has_others.then(|| self.headers().iter());
        headers.into_iter().flatten().filter(|(name, _)| Name::of(name.as_bytes()) == Name::OtherOfRuntime)
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

/// The positions of the headers that describe an invocation.
#[derive(Debug, Default)]
struct Places {
    /// The first value of each name, in the order of [`Name`].
    first: [Place; Name::OF_INVOCATION],
    /// Whether there is an [`Name::OtherOfRuntime`].
    has_others: bool,
}

/// The position of a value. It starts at 0 if there is none.
#[derive(Debug, Default, Clone, Copy)]
struct Place {
    start: u32,
    len: u32,
}

impl Places {
    fn of(fields: &[Field]) -> Self {
        let mut places = Self::default();
        for Field { known, value, .. } in fields {
            if let Some(place) = places.first.get_mut(*known as usize)
                && place.start == 0
                && let (Ok(start), Ok(len)) = (u32::try_from(value.start), u32::try_from(value.len()))
            {
                *place = Place { start, len };
            }
            places.has_others |= *known == Name::OtherOfRuntime;
        }
        places
    }
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
        let places = Places::of(reader.fields());
        let message = Self { status, bytes: reader.take(), head_len, places };
        match message.value(Name::RequestId) {
            None => Err(NoInvocation::NoRequestId),
            Some(id) if !is_safe_in_a_path(id) => Err(NoInvocation::UnsafeRequestId(id.to_vec())),
            Some(_) => Ok(message),
        }
    }

    pub(super) fn request_id(&self) -> &str {
        std::str::from_utf8(self.value(Name::RequestId).unwrap_or_default()).unwrap_or_default()
    }

    /// `Lambda-Runtime-Invocation-Id`, which the outcome repeats.
    pub(super) fn invocation_id(&self) -> Option<&[u8]> {
        self.value(Name::InvocationId)
    }

    /// The value of the first such header; `None` if it is absent or empty.
    fn value(&self, name: Name) -> Option<&[u8]> {
        let Place { start, len } = *self.places.first.get(name as usize)?;
        let value = self.bytes.get(usize::try_from(start).ok()?..)?.get(..usize::try_from(len).ok()?)?;
        Some(value).filter(|value| !value.is_empty())
    }

    fn headers(&self) -> Headers<'_> {
        Headers::of_head(self.bytes.get(..self.head_len).unwrap_or_default())
    }
}

const MAX_REQUEST_ID: usize = 256;

/// RFC 3986's unreserved characters, but not a dot segment.
fn is_safe_in_a_path(id: &[u8]) -> bool {
    let is_unreserved = |byte| matches!(byte, b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~');
    // Without an early exit, so that it is vectorised.
    id.len() <= MAX_REQUEST_ID
        && id.iter().fold(true, |safe, &byte| safe & is_unreserved(byte))
        && id != b"."
        && id != b".."
}

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

    #[test]
    fn other_headers_are_looked_for_only_if_there_are_some() {
        let field = |known| Field { known, name: 17..18, value: 20..21 };
        let fields = [Name::RequestId, Name::ContentType, Name::Other].map(field);
        assert!(!Places::of(&fields).has_others);
        assert!(Places::of(&[&fields[..], &[field(Name::OtherOfRuntime)]].concat()).has_others);
    }
}
