//! An axum application behind API Gateway, a load balancer or a function URL, on tokio. `lambda_http` converts events to
//! requests and runs on this project's runtime (`[patch.crates-io]` in `Cargo.toml`).
//!
//!     cargo build --manifest-path examples/axum/Cargo.toml
//!     cargo emulate --event @examples/events/http.json -- examples/axum/target/debug/axum-tokio

use axum::extract::Path;
use axum::routing::get;
use axum::{Json, Router};
use lambda_http::{Error, run};
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    // Use `run_with_streaming_response` if the function's URL streams responses.
    run(router()).await
}

fn router() -> Router {
    Router::new().route("/hello/{name}", get(hello))
}

async fn hello(Path(name): Path<String>) -> Json<Value> {
    Json(json!({ "message": format!("Hello, {name}!") }))
}
