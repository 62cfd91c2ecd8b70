//! The AWS Lambda Runtime API as a state machine that does no I/O.

#![forbid(unsafe_code)]

#[cfg(any(test, feature = "checks"))]
#[doc(hidden)]
pub mod checks;
pub mod client;
mod endpoint;
mod error;
mod http1;
mod limits;
mod output;
pub mod server;

pub use endpoint::Endpoint;
pub use error::{Misuse, Part, PeerError, Refused};
pub use http1::{Headers, Slices};
pub use limits::Limits;
pub use output::{CloseReason, Output};
