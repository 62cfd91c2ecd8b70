//! The runtime's own messages, and the subscriber for functions.

#[cfg(feature = "tracing")]
mod filter;
#[cfg(feature = "tracing")]
pub(crate) mod layer;
#[cfg(feature = "tracing")]
mod line;
pub(crate) mod messages;
#[cfg(feature = "tracing")]
pub mod subscriber;
pub(crate) mod text;
