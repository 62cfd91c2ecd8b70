//! The runtime's own messages, and the subscriber for functions.

pub(crate) mod report;
#[cfg(feature = "tracing")]
pub mod subscriber;
