//! An axum application by way of `lambda_http`.

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, SET_COOKIE};
use axum::response::{AppendHeaders, IntoResponse, Response};
use axum::routing::get;
use futures_util::stream;
use http_body_util::Full;
use lambda_http::request::RequestContext;
use lambda_http::tower::ServiceExt as _;
use lambda_http::{Error, RequestExt as _, Service, service_fn};
use serde_json::json;

/// Answers any request with what arrived of it, and `/torn` with half a response.
pub fn router() -> Router {
    Router::new().route("/torn", get(torn)).fallback(describe)
}

/// The same, but each response as a whole: where `lambda_http` serves many requests at once, it asks for responses that
/// are `Sync`, which axum's are not.
pub fn collected()
-> impl Service<lambda_http::Request, Response = Response<Full<Bytes>>, Error = Error, Future: Send> + Clone + Send + 'static
{
    let router = router();
    service_fn(move |request| {
        let response = router.clone().oneshot(request);
        async {
            let (parts, body) = response.await?.into_parts();
            Ok(Response::from_parts(parts, Full::new(to_bytes(body, LIMIT).await?)))
        }
    })
}

const LIMIT: usize = 1 << 20;

async fn describe(request: Request) -> Result<impl IntoResponse, StatusCode> {
    let on_tokio = tokio::runtime::Handle::try_current().is_ok();
    let request_id = request.lambda_context().request_id;
    let origin = match request.request_context() {
        RequestContext::ApiGatewayV1(_) => "API Gateway v1",
        // Function URLs have the same form.
        RequestContext::ApiGatewayV2(_) => "API Gateway v2",
        RequestContext::Alb(_) => "ALB",
        RequestContext::WebSocket(_) => "WebSocket",
        RequestContext::VpcLattice(_) => "VPC Lattice",
        _ => "something else",
    };
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, LIMIT).await.map_err(|_| StatusCode::BAD_REQUEST)?;
    let mut query: Vec<_> = parts.uri.query().unwrap_or_default().split_terminator('&').collect();
    query.sort_unstable();
    let description = json!({
        "body": String::from_utf8_lossy(&body),
        "method": parts.method.as_str(),
        "onTokio": on_tokio,
        "origin": origin,
        "path": parts.uri.path(),
        "query": query,
        "requestId": request_id,
    });
    let pieces: Vec<_> =
        description.to_string().into_bytes().chunks(20).map(|piece| Ok::<_, Error>(piece.to_vec())).collect();
    Ok((
        StatusCode::CREATED,
        AppendHeaders([(CONTENT_TYPE, "application/json"), (SET_COOKIE, "a=1"), (SET_COOKIE, "b=2")]),
        Body::from_stream(stream::iter(pieces)),
    ))
}

async fn torn() -> Body {
    Body::from_stream(stream::iter([Ok("half of it"), Err("the rest is lost")]))
}
