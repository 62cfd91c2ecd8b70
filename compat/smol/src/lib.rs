//! `lambda-runtime-smol` under the name and version of `lambda_runtime`.
//!
//! With it, `lambda_http` and other crates that depend on `lambda_runtime` run on smol:
//! `smol::block_on(lambda_http::run(router))`. In the `Cargo.toml` of the function's workspace:
//!
//! ```toml
//! [patch.crates-io]
//! lambda_runtime = { path = "PROJECT/compat/smol" }
//! ```

pub use lambda_runtime_smol::*;
