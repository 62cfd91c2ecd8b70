//! How a client addresses the API and what it accepts from it.

use http::HeaderValue;

use super::{BasePath, Host};
use crate::Limits;

/// How a [`Client`](super::Client) addresses the API and what it accepts from it.
///
/// ```
/// use lambda_runtime_proto::Limits;
/// use lambda_runtime_proto::client::Config;
///
/// let config = Config::new("127.0.0.1:9000".parse()?)
///     .base_path("/.rt".parse()?)
///     .limits(Limits::default().body(64 * 1024));
/// assert!(!config.pipelining);
/// # Ok::<(), lambda_runtime_proto::client::ParseAddressError>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// The value of the `Host` header.
    pub host: Host,
    /// The start of every path. Default empty.
    pub base_path: BasePath,
    /// The value of the `User-Agent` header. Default `lambda-runtime-proto/` and the version of this crate.
    pub user_agent: HeaderValue,
    /// Limits of what the API may send.
    pub limits: Limits,
    /// Allows [`next_invocation`](super::Client::next_invocation) before an outcome is acknowledged, so that both
    /// requests can be sent in one write. Default `false`.
    ///
    /// The API reads one request of a connection at a time. A `GET` that it did not read is resent on the next
    /// connection.
    pub pipelining: bool,
}

impl Config {
    /// Returns the defaults for this host.
    pub fn new(host: Host) -> Self {
        Self {
            host,
            base_path: BasePath::default(),
            user_agent: HeaderValue::from_static(concat!("lambda-runtime-proto/", env!("CARGO_PKG_VERSION"))),
            limits: Limits::default(),
            pipelining: false,
        }
    }

    /// Sets [`base_path`](Self::base_path).
    pub fn base_path(self, base_path: BasePath) -> Self {
        Self { base_path, ..self }
    }

    /// Sets [`user_agent`](Self::user_agent).
    pub fn user_agent(self, user_agent: HeaderValue) -> Self {
        Self { user_agent, ..self }
    }

    /// Sets [`limits`](Self::limits).
    pub fn limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Sets [`pipelining`](Self::pipelining).
    pub fn pipelining(self, pipelining: bool) -> Self {
        Self { pipelining, ..self }
    }
}
