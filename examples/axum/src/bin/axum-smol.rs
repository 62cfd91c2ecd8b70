//! An axum application behind API Gateway, a load balancer or a function URL, on smol, without a tokio runtime:
//! `lambda_http` makes requests of events, and this project's runtime is under it (`[patch.crates-io]` in `Cargo.toml`).
//!
//!     cargo build --manifest-path examples/axum/Cargo.toml
//!     cargo emulate --event @examples/events/http.json -- examples/axum/target/debug/axum-smol

use axum::extract::Path;
use axum::routing::get;
use axum::{Json, Router};
use lambda_http::Adapter;
use lambda_runtime_smol::{Error, run};
use serde_json::{Value, json};

fn main() -> Result<(), Error> {
    // Or `StreamAdapter`, for functions that are invoked so. `run` of `lambda_http` is tokio's.
    smol::block_on(run(Adapter::from(router())))
}

fn router() -> Router {
    Router::new().route("/hello/{name}", get(hello))
}

async fn hello(Path(name): Path<String>) -> Json<Value> {
    Json(json!({ "message": format!("Hello, {name}!") }))
}
