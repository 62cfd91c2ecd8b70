//! An invocation, as layers and as handlers see it.

use bytes::Bytes;

use crate::Context;

/// An invocation before its event is decoded: what a [layer](crate::Runtime::layer) sees.
///
/// A layer that builds a new one must carry `parts.extensions` over: through them the response finds its way back.
pub struct LambdaInvocation {
    /// Status and headers of the answer to /next.
    pub parts: http::response::Parts,
    /// The event: JSON as a rule.
    pub body: Bytes,
    /// The context.
    pub context: Context,
}

/// An event and its context: what a handler gets.
#[derive(Clone, Debug)]
pub struct LambdaEvent<T> {
    /// Event payload.
    pub payload: T,
    /// Invocation context.
    pub context: Context,
}

impl<T> LambdaEvent<T> {
    /// Puts an event together, as tests of handlers do.
    pub fn new(payload: T, context: Context) -> Self {
        Self { payload, context }
    }

    /// Takes it apart.
    pub fn into_parts(self) -> (T, Context) {
        (self.payload, self.context)
    }
}
