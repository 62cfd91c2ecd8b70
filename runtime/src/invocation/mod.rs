//! Invocations: the event, its context, and how an event is decoded.

pub(crate) mod caller;
pub(crate) mod context;
#[cfg(feature = "current")]
pub(crate) mod current;
pub(crate) mod deserializer;
pub(crate) mod event;
mod path;
pub(crate) mod running;
#[cfg(feature = "wait-until")]
pub(crate) mod work;
