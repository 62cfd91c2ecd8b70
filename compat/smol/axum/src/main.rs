//! An axum application on `lambda_http`, invoked by a function URL, without tokio. `lambda_http` is unmodified:
//! `[patch.crates-io]` in the workspace makes it depend on lambda-runtime-smol.
//!
//! With the argument `streaming`, responses are streamed.

use axum::extract::Path;
use axum::routing::get;
use axum::{Json, Router};
use lambda_http::{Error, run, run_with_streaming_response};
use serde_json::{Value, json};

fn main() -> Result<(), Error> {
    let router = Router::new().route("/hello/{name}", get(hello));
    if std::env::args().nth(1).as_deref() == Some("streaming") {
        smol::block_on(run_with_streaming_response(router))
    } else {
        smol::block_on(run(router))
    }
}

async fn hello(Path(name): Path<String>) -> Json<Value> {
    Json(json!({ "message": format!("Hello, {name}!") }))
}
