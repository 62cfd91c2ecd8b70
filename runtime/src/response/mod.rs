//! The responses that a handler can return.

pub mod streaming;

use std::fmt::{self, Debug};

use bytes::Bytes;
use futures_core::Stream;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};

use self::streaming::Body;
use crate::error::Error;

/// The head of a streamed HTTP response, sent before the payload.
#[derive(Debug, Default, Serialize, Deserialize, Clone, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct MetadataPrelude {
    /// The status.
    #[serde(with = "http_serde::status_code")]
    pub status_code: StatusCode,
    /// The headers. `Content-Type` defaults to `application/octet-stream`.
    #[serde(with = "http_serde::header_map")]
    pub headers: HeaderMap,
    /// The values of `Set-Cookie`.
    pub cookies: Vec<String>,
}

/// A streamed HTTP response, for functions behind a function URL or API Gateway. [`PlainStream`] has no prelude.
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
///         // Or any stream of bytes, or the body of `streaming::channel`.
///         stream: Body::from("<h1>Hello</h1>"),
///     })
/// }
/// ```
#[derive(Debug)]
pub struct StreamResponse<S> {
    /// Status, headers and cookies.
    pub metadata_prelude: MetadataPrelude,
    /// The payload, in chunks.
    pub stream: S,
}

/// A response that is buffered or streamed.
pub enum FunctionResponse<B, S> {
    /// A buffered response, sent as JSON: at most 6 MiB.
    BufferedResponse(B),
    /// A streamed response, each chunk of which is sent as soon as the stream yields it.
    StreamingResponse(StreamResponse<S>),
}

/// A response of a handler: anything that implements `Serialize`, or a [`StreamResponse`], [`FunctionResponse`],
/// [`RawResponse`] or [`PlainStream`].
pub trait IntoFunctionResponse<B, S> {
    /// Converts into a buffered or streamed response.
    fn into_response(self) -> FunctionResponse<B, S>;

    /// Converts into the response that is sent.
    #[doc(hidden)]
    fn into_handler_response(self) -> HandlerResponse<B, S>
    where
        Self: Sized,
    {
        self.into_response().into()
    }
}

/// A response as it is sent, including kinds that [`FunctionResponse`] lacks.
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

/// A buffered response of bytes with a content type: at most 6 MiB.
#[derive(Debug, Clone)]
pub struct RawResponse {
    /// The content type of the bytes.
    pub content_type: HeaderValue,
    /// The bytes.
    pub body: Bytes,
}

impl RawResponse {
    /// Creates a response.
    pub fn new(content_type: HeaderValue, body: impl Into<Bytes>) -> Self {
        Self { content_type, body: body.into() }
    }
}

/// A streamed response of bytes with a content type, without a metadata prelude: for functions that are invoked by
/// [`InvokeWithResponseStream`](https://docs.aws.amazon.com/lambda/latest/api/API_InvokeWithResponseStream.html) instead of
/// HTTP.
#[derive(Debug)]
pub struct PlainStream<S> {
    /// The content type of the bytes.
    pub content_type: HeaderValue,
    /// The bytes.
    pub stream: S,
}

impl<S> PlainStream<S> {
    /// Creates a response.
    pub fn new(content_type: HeaderValue, stream: S) -> Self {
        Self { content_type, stream }
    }
}

impl IntoFunctionResponse<(), Body> for RawResponse {
    /// Converts into a streamed response, because the buffered kind cannot contain bytes. The runtime sends it buffered.
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
    /// Converts into a streamed response with an empty prelude. The runtime sends it without a prelude.
    fn into_response(self) -> FunctionResponse<(), S> {
        FunctionResponse::StreamingResponse(StreamResponse::from(self.stream))
    }

    fn into_handler_response(self) -> HandlerResponse<(), S> {
        HandlerResponse::Plain(self)
    }
}
