//! `lambda-runtime-tokio` under the name and version of `lambda_runtime`.
//!
//! With it, `lambda_http` and other crates that depend on `lambda_runtime` run on this runtime unchanged. Add to the
//! `Cargo.toml` of the function's workspace:
//!
//! ```toml
//! [patch.crates-io]
//! lambda_runtime = { path = "PROJECT/compat" }
//! ```
//!
//! or `{ git = "URL OF THE PROJECT" }`. A function that uses `lambda_runtime` directly and nothing built on it needs no
//! patch: it can depend on `lambda-runtime-tokio` instead.

pub use lambda_runtime_tokio::*;
