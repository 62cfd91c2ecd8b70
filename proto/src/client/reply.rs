//! Replies of the API.

use bytes::Bytes;

use crate::Endpoint;
use crate::http1::Headers;

/// The API's reply to a request, except for an invocation.
#[derive(Debug, Clone)]
pub struct Reply {
    endpoint: Endpoint,
    status: u16,
    /// Head and body; empty if the reply acknowledges an outcome.
    message: Bytes,
    head_len: usize,
    truncated: bool,
}

/// The meaning of a status, by the tables of the
/// [Runtime API](https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReplyKind {
    /// 2xx: the request was accepted.
    Accepted,
    /// 410 to an outcome: the invocation has timed out. Request the next one.
    TooLate,
    /// 413 to an outcome: the response is over the limit, which the API has reported to the caller. Request the next
    /// invocation; the API would refuse an error for this one.
    TooLarge,
    /// Another status below 500 to an outcome; the message contains the reason. Request the next invocation.
    Rejected,
    /// 500 or above, or a refusal of another request: the API will not recover. Exit with a non-zero code.
    Fatal,
}

impl Reply {
    pub(super) fn new(endpoint: Endpoint, status: u16, message: Bytes, head_len: usize, truncated: bool) -> Self {
        Self { endpoint, status, head_len: head_len.min(message.len()), message, truncated }
    }

    /// The request that this is a reply to.
    pub fn endpoint(&self) -> Endpoint {
        self.endpoint
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The meaning of the status.
    pub fn kind(&self) -> ReplyKind {
        match (self.status, self.endpoint.posts_outcome()) {
            (200..=299, _) => ReplyKind::Accepted,
            (410, true) => ReplyKind::TooLate,
            (413, true) => ReplyKind::TooLarge,
            (500.., _) | (_, false) => ReplyKind::Fatal,
            (_, true) => ReplyKind::Rejected,
        }
    }

    /// The body: `{"errorMessage": text, "errorType": text}` in a refusal, and empty if the reply acknowledges an
    /// outcome.
    pub fn body(&self) -> Bytes {
        self.message.slice(self.head_len..)
    }

    /// Whether the body is incomplete, because it was longer than [`Limits::reply_body`](crate::Limits::reply_body) or
    /// the connection ended. Only refusals can be truncated.
    pub fn is_truncated(&self) -> bool {
        self.truncated
    }

    /// The headers, of which there are none if the reply acknowledges an outcome.
    pub fn headers(&self) -> Headers<'_> {
        Headers::of_head(self.message.get(..self.head_len).unwrap_or_default())
    }
}
