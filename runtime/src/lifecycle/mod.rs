//! Everything before the first invocation and around the last.

#[cfg(feature = "graceful-shutdown")]
mod extension;
pub mod init;
pub mod metadata;
#[cfg(feature = "graceful-shutdown")]
pub mod shutdown;
pub mod snapstart;
