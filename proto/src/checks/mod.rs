//! The checks that tests and fuzz targets share. Each takes arbitrary bytes and panics if a machine breaks a property.
//!
//! The feature `checks` makes them public, so that `cargo test` runs the same code as a fuzzer.

#![expect(clippy::panic, reason = "a check fails by panicking")]

use crate::client::Config;

mod duplex;
mod entropy;
mod headers;
mod heads;
mod splits;
#[cfg(test)]
mod tests;
mod trace;

pub use duplex::duplex;
pub use entropy::Entropy;
pub use headers::{headers, prelude};
pub use heads::heads;
pub use splits::{check_splits, client_bytes, server_bytes, splits};
pub use trace::{Command, Entry, Side, Step, trace};

fn config() -> Config {
    match "api".parse() {
        Ok(host) => Config::new(host),
        Err(error) => panic!("{error}"),
    }
}
