//! `lambda-runtime-tokio` under the name and version of `lambda_runtime`.
//!
//! With it, `lambda_http` and what else depends on `lambda_runtime` run on this runtime unchanged. In the `Cargo.toml`
//! of the function's workspace:
//!
//! ```toml
//! [patch.crates-io]
//! lambda_runtime = { path = "PROJECT/compat" }
//! ```
//!
//! or `{ git = "URL OF THE PROJECT" }`. A function that depends on `lambda_runtime` alone needs no patch: it depends on
//! `lambda-runtime-tokio` instead.

pub use lambda_runtime_tokio::*;
