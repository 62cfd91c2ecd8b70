//! An axum application for `lambda_http`.

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

/// Responds to any request with a description of it; the response of `/truncated` fails midway.
pub fn router() -> Router {
    Router::new().route("/truncated", get(truncated)).fallback(describe)
}

/// The same with buffered bodies: the concurrent functions of `lambda_http` need bodies that are `Sync`, which axum's are
/// not.
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
        // The events of function URLs have the same format.
        RequestContext::ApiGatewayV2(_) => "API Gateway v2",
        RequestContext::Alb(_) => "ALB",
        RequestContext::WebSocket(_) => "WebSocket",
        RequestContext::VpcLattice(_) => "VPC Lattice",
        _ => "unknown",
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

async fn truncated() -> Body {
    Body::from_stream(stream::iter([Ok("half of it"), Err("the rest is lost")]))
}
