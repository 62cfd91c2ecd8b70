//! What a handler returns.

use std::fmt::Debug;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};

use crate::streaming::{self, Body};
use crate::{Error, PlainStream, RawResponse};

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
    fn into_any_response(self) -> AnyResponse<B, S>
    where
        Self: Sized,
    {
        self.into_response().into()
    }
}

/// A response as it goes out: what [`FunctionResponse`] can hold, and what it cannot.
#[doc(hidden)]
pub enum AnyResponse<B, S> {
    Json(B),
    Raw(RawResponse),
    Http(StreamResponse<S>),
    Plain(PlainStream<S>),
}

impl<B, S> From<FunctionResponse<B, S>> for AnyResponse<B, S> {
    fn from(response: FunctionResponse<B, S>) -> Self {
        match response {
            FunctionResponse::BufferedResponse(body) => AnyResponse::Json(body),
            FunctionResponse::StreamingResponse(response) => AnyResponse::Http(response),
        }
    }
}

/// A response without the types of its handler: JSON, or the error of encoding it, and a boxed stream.
pub(crate) type ErasedResponse = AnyResponse<serde_json::Result<Vec<u8>>, Box<dyn ByteStream>>;

impl<B: Serialize, S: ByteStream + 'static> AnyResponse<B, S> {
    pub(crate) fn erase(self) -> ErasedResponse {
        match self {
            AnyResponse::Json(body) => AnyResponse::Json(serde_json::to_vec(&body)),
            AnyResponse::Raw(response) => AnyResponse::Raw(response),
            AnyResponse::Http(StreamResponse { metadata_prelude, stream }) => {
                AnyResponse::Http(StreamResponse { metadata_prelude, stream: Box::new(stream) })
            }
            AnyResponse::Plain(PlainStream { content_type, stream }) => {
                AnyResponse::Plain(PlainStream { content_type, stream: Box::new(stream) })
            }
        }
    }
}

/// The stream of a response, its items converted.
pub trait ByteStream: Send {
    /// The next chunk.
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>>;

    /// The trailers, after the last chunk.
    fn trailers(&mut self) -> HeaderMap;
}

impl<S, D, E> ByteStream for S
where
    S: Stream<Item = Result<D, E>> + Unpin + Send + 'static,
    D: Into<Bytes>,
    E: Into<Error>,
{
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        Pin::new(self).poll_next(cx).map(|item| item.map(|item| item.map(Into::into).map_err(Into::into)))
    }

    fn trailers(&mut self) -> HeaderMap {
        streaming::trailers_of(self)
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
