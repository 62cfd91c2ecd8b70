//! What the API says to a request.

use bytes::Bytes;

use crate::Endpoint;
use crate::http1::Headers;

/// The API's answer to a request other than a successful /next.
#[derive(Debug, Clone)]
pub struct Reply {
    endpoint: Endpoint,
    status: u16,
    /// Head and body; empty for an accepted answer to an invocation, which says nothing more.
    message: Bytes,
    head_len: usize,
    truncated: bool,
}

/// What a status means for the runtime
/// (the tables of the [Runtime API](https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReplyKind {
    /// 2xx: the request was accepted.
    Accepted,
    /// 410: the invocation timed out before it was answered. Ask for the next one.
    TooLate,
    /// 413: the response is over the limit; the API has told the caller so itself. Ask for the next one, and do not
    /// report an error: the API takes only one answer.
    TooLarge,
    /// Another 4xx to an answer: the API's words say why. Ask for the next invocation.
    Rejected,
    /// 500 to anything, or a refused /next: the API will not recover. End the process with a non-zero code.
    Fatal,
}

impl Reply {
    pub(super) fn new(endpoint: Endpoint, status: u16, message: Bytes, head_len: usize, truncated: bool) -> Self {
        Self { endpoint, status, head_len: head_len.min(message.len()), message, truncated }
    }

    /// The request that was answered.
    pub fn endpoint(&self) -> Endpoint {
        self.endpoint
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// What the status means.
    pub fn kind(&self) -> ReplyKind {
        match (self.status, self.endpoint.posts_outcome()) {
            (200..=299, _) => ReplyKind::Accepted,
            (410, true) => ReplyKind::TooLate,
            (413, true) => ReplyKind::TooLarge,
            (500.., _) | (_, false) => ReplyKind::Fatal,
            (_, true) => ReplyKind::Rejected,
        }
    }

    /// The body. Every answer but 2xx has `{"errorMessage": text, "errorType": text}`.
    pub fn body(&self) -> Bytes {
        self.message.slice(self.head_len..)
    }

    /// Whether the body is incomplete, because it was longer than [`Limits::reply_body`](crate::Limits::reply_body) or
    /// the connection ended. Only the body of a refusal can be.
    pub fn is_truncated(&self) -> bool {
        self.truncated
    }

    /// The headers; none for an accepted answer to an invocation.
    pub fn headers(&self) -> Headers<'_> {
        Headers::of_head(self.message.get(..self.head_len).unwrap_or_default())
    }
}
