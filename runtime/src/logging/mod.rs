//! The runtime's own messages, and the subscriber for functions.

pub(crate) mod messages;
#[cfg(feature = "tracing")]
pub mod subscriber;
pub(crate) mod text;
