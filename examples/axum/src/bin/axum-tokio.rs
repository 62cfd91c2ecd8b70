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

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use lambda_http::Adapter;
    use lambda_http::lambda_runtime::Runtime;
    use lambda_http::tower::ServiceExt as _;
    use lambda_runtime_emulator::Emulator;

    use super::*;

    /// The router alone: requests in, responses out.
    #[tokio::test]
    async fn a_request() -> Result<(), Error> {
        let request = Request::get("/hello/World").body(Body::empty())?;
        let response = router().oneshot(request).await?;
        assert_eq!(response.status(), 200);
        assert_eq!(to_bytes(response.into_body(), 1024).await?, r#"{"message":"Hello, World!"}"#);
        Ok(())
    }

    /// Everything: the event of a function URL in, the JSON that Lambda expects out.
    #[tokio::test]
    async fn an_event() -> Result<(), Error> {
        let emulator = Emulator::start()?;
        let runtime = Runtime::new(Adapter::from(router())).address(emulator.endpoint().parse()?);
        // The runtime ends only with an error. Its future is not `Send`, so it cannot be spawned.
        let outcome = tokio::select! {
            ended = runtime.run() => return ended,
            outcome = emulator.invoke_async(include_str!("../../../events/http.json")) => outcome?,
        };
        let response = outcome.json()?;
        assert_eq!(response["statusCode"], 200);
        assert_eq!(response["body"], r#"{"message":"Hello, World!"}"#);
        Ok(())
    }
}
