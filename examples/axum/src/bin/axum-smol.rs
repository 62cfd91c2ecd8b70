//! An axum application behind API Gateway, a load balancer or a function URL, on smol, without a tokio runtime.
//! `lambda_http` converts events to requests and runs on this project's runtime (`[patch.crates-io]` in `Cargo.toml`).
//!
//!     cargo build --manifest-path examples/axum/Cargo.toml
//!     cargo emulate --event @examples/events/http.json -- examples/axum/target/debug/axum-smol

use axum::extract::Path;
use axum::routing::get;
use axum::{Json, Router};
use lambda_http::Adapter;
use lambda_runtime_smol::{Error, block_on, run};
use serde_json::{Value, json};

fn main() -> Result<(), Error> {
    // Use `StreamAdapter` if the function's URL streams responses. `lambda_http::run` itself needs tokio.
    block_on(run(Adapter::from(router())))
}

fn router() -> Router {
    Router::new().route("/hello/{name}", get(hello))
}

async fn hello(Path(name): Path<String>) -> Json<Value> {
    Json(json!({ "message": format!("Hello, {name}!") }))
}
