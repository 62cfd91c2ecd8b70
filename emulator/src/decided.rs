//! A reply that is decided before the request's body has been received.

use lambda_runtime_proto::server::Reply;

/// A reply that does not depend on the rest of the request's body. The body is discarded, so that the connection
/// survives, up to a limit, because it may never end.
#[derive(Debug)]
pub struct Decided {
    reply: Reply,
    discardable: u64,
}

impl Decided {
    /// Bytes of the body to discard. Go's server, on which the real API is built, has the same limit.
    pub const DISCARD_LIMIT: u64 = 256 * 1024;

    /// Decides on this reply.
    pub fn new(reply: Reply) -> Self {
        Self { reply, discardable: Self::DISCARD_LIMIT }
    }

    /// Discards a piece of the body. Beyond the limit, returns the reply, which must be sent at once.
    pub fn discard(&mut self, len: usize) -> Option<Reply> {
        let left = u64::try_from(len).ok().and_then(|len| self.discardable.checked_sub(len));
        self.discardable = left.unwrap_or(0);
        left.is_none().then(|| self.reply.clone())
    }

    /// Returns the reply, at the end of the body.
    pub fn into_reply(self) -> Reply {
        self.reply
    }
}
