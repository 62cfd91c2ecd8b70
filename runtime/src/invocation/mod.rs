//! Invocations: the event, its context, and how an event is decoded.

pub(crate) mod context;
pub(crate) mod deserializer;
pub(crate) mod event;
mod path;
