//! The responses that a handler can return.

pub mod streaming;

use std::fmt::{self, Debug};

use bytes::Bytes;
use futures_core::Stream;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};

use self::streaming::Body;
use crate::error::Error;

/// What goes ahead of a streamed payload, for the HTTP response that an integration makes of both.
#[derive(Debug, Default, Serialize, Deserialize, Clone, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct MetadataPrelude {
    /// The status.
    #[serde(with = "http_serde::status_code")]
    pub status_code: StatusCode,
    /// The headers. Where there is no `Content-Type`, `application/octet-stream` is sent.
    #[serde(with = "http_serde::header_map")]
    pub headers: HeaderMap,
    /// The values of `Set-Cookie`.
    pub cookies: Vec<String>,
}

/// A streamed HTTP response, for functions that are invoked by way of a function URL or API Gateway. [`PlainStream`] has no
/// prelude.
///
/// ```
/// use http::header::CONTENT_TYPE;
/// use http::{HeaderMap, HeaderValue, StatusCode};
/// use lambda_runtime_base::streaming::Body;
/// use lambda_runtime_base::{Error, LambdaEvent, MetadataPrelude, StreamResponse};
///
/// async fn page(_event: LambdaEvent<serde_json::Value>) -> Result<StreamResponse<Body>, Error> {
///     Ok(StreamResponse {
///         metadata_prelude: MetadataPrelude {
///             status_code: StatusCode::CREATED,
///             headers: HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("text/html"))]),
///             cookies: vec!["theme=dark".to_owned()],
///         },
///         // Or a stream of anything that is bytes, or the body of `streaming::channel`.
///         stream: Body::from("<h1>Hello</h1>"),
///     })
/// }
/// ```
#[derive(Debug)]
pub struct StreamResponse<S> {
    /// What goes ahead.
    pub metadata_prelude: MetadataPrelude,
    /// The payload, chunk by chunk.
    pub stream: S,
}

/// A response that is one or the other, from event to event.
pub enum FunctionResponse<B, S> {
    /// A whole response, sent as JSON: at most 6 MiB.
    BufferedResponse(B),
    /// A response sent piece by piece, each as soon as the stream yields it.
    StreamingResponse(StreamResponse<S>),
}

/// What can be returned from a handler: anything that serde can serialize, a [`StreamResponse`], a
/// [`FunctionResponse`] that is one or the other, and beside JSON a [`RawResponse`] or a [`PlainStream`].
pub trait IntoFunctionResponse<B, S> {
    /// As one of the two kinds of response.
    fn into_response(self) -> FunctionResponse<B, S>;

    /// What goes out.
    #[doc(hidden)]
    fn into_handler_response(self) -> HandlerResponse<B, S>
    where
        Self: Sized,
    {
        self.into_response().into()
    }
}

/// A response as it goes out: what [`FunctionResponse`] can hold, and what it cannot.
#[doc(hidden)]
pub enum HandlerResponse<B, S> {
    Json(B),
    Raw(RawResponse),
    Http(StreamResponse<S>),
    Plain(PlainStream<S>),
}

impl<B, S> From<FunctionResponse<B, S>> for HandlerResponse<B, S> {
    fn from(response: FunctionResponse<B, S>) -> Self {
        match response {
            FunctionResponse::BufferedResponse(body) => HandlerResponse::Json(body),
            FunctionResponse::StreamingResponse(response) => HandlerResponse::Http(response),
        }
    }
}

impl<B, S> IntoFunctionResponse<B, S> for FunctionResponse<B, S> {
    fn into_response(self) -> FunctionResponse<B, S> {
        self
    }
}

impl<B> IntoFunctionResponse<B, Body> for B
where
    B: Serialize,
{
    fn into_response(self) -> FunctionResponse<B, Body> {
        FunctionResponse::BufferedResponse(self)
    }
}

impl<S, D, E> IntoFunctionResponse<(), S> for StreamResponse<S>
where
    S: Stream<Item = Result<D, E>> + Unpin + Send + 'static,
    D: Into<Bytes> + Send,
    E: Into<Error> + Send + Debug,
{
    fn into_response(self) -> FunctionResponse<(), S> {
        FunctionResponse::StreamingResponse(self)
    }
}

impl<S, D, E> From<S> for StreamResponse<S>
where
    S: Stream<Item = Result<D, E>> + Unpin + Send + 'static,
    D: Into<Bytes> + Send,
    E: Into<Error> + Send + Debug,
{
    fn from(value: S) -> Self {
        StreamResponse { metadata_prelude: MetadataPrelude::default(), stream: value }
    }
}

/// A response of bytes as they are, with a content type of its own: at most 6 MiB.
#[derive(Debug, Clone)]
pub struct RawResponse {
    /// What the bytes are.
    pub content_type: HeaderValue,
    /// The bytes.
    pub body: Bytes,
}

impl RawResponse {
    /// These bytes.
    pub fn new(content_type: HeaderValue, body: impl Into<Bytes>) -> Self {
        Self { content_type, body: body.into() }
    }
}

/// A streamed response without a metadata prelude: a plain stream of bytes with a content type of its own, for
/// functions that are invoked by
/// [`InvokeWithResponseStream`](https://docs.aws.amazon.com/lambda/latest/api/API_InvokeWithResponseStream.html) and not
/// by way of HTTP.
#[derive(Debug)]
pub struct PlainStream<S> {
    /// What the bytes are.
    pub content_type: HeaderValue,
    /// The bytes.
    pub stream: S,
}

impl<S> PlainStream<S> {
    /// This stream.
    pub fn new(content_type: HeaderValue, stream: S) -> Self {
        Self { content_type, stream }
    }
}

impl IntoFunctionResponse<(), Body> for RawResponse {
    /// As a streamed response, which is the only one of the two kinds that holds bytes. The runtime itself sends it
    /// whole.
    fn into_response(self) -> FunctionResponse<(), Body> {
        FunctionResponse::StreamingResponse(StreamResponse::from(Body::from(self.body)))
    }

    fn into_handler_response(self) -> HandlerResponse<(), Body> {
        HandlerResponse::Raw(self)
    }
}

impl<S, D, E> IntoFunctionResponse<(), S> for PlainStream<S>
where
    S: Stream<Item = Result<D, E>> + Unpin + Send + 'static,
    D: Into<Bytes> + Send,
    E: Into<Error> + Send + fmt::Debug,
{
    /// As a streamed response with an empty prelude. The runtime itself sends it without.
    fn into_response(self) -> FunctionResponse<(), S> {
        FunctionResponse::StreamingResponse(StreamResponse::from(self.stream))
    }

    fn into_handler_response(self) -> HandlerResponse<(), S> {
        HandlerResponse::Plain(self)
    }
}
