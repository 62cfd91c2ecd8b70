//! The innermost service, and the handover of its outcome.

pub(crate) mod bounds;
pub(crate) mod handler;
pub(crate) mod outcome;
pub(crate) mod responder;
pub(crate) mod sync_fn;
