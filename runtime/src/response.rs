//! What a handler returns.

use std::fmt::Debug;

use bytes::Bytes;
use futures_core::Stream;
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};

use crate::streaming::Body;
use crate::{Error, PlainStream, RawResponse};

/// Metadata prelude for a stream response: what an HTTP integration sends ahead of the payload.
#[derive(Debug, Default, Serialize, Deserialize, Clone, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct MetadataPrelude {
    /// The HTTP status code.
    #[serde(with = "http_serde::status_code")]
    pub status_code: StatusCode,
    /// The HTTP headers.
    #[serde(with = "http_serde::header_map")]
    pub headers: HeaderMap,
    /// The HTTP cookies.
    pub cookies: Vec<String>,
}

/// A streaming response that contains the metadata prelude and the stream of bytes that will be
/// sent to the client.
#[derive(Debug)]
pub struct StreamResponse<S> {
    /// The metadata prelude.
    pub metadata_prelude: MetadataPrelude,
    /// The stream of bytes that will be sent to the client.
    pub stream: S,
}

/// An enum representing the response of a function that can return either a buffered
/// response of type `B` or a streaming response of type `S`.
pub enum FunctionResponse<B, S> {
    /// A whole response, sent as JSON: at most 6 MiB.
    BufferedResponse(B),
    /// A response sent piece by piece, each as soon as the stream yields it.
    StreamingResponse(StreamResponse<S>),
}

/// What can be returned from a handler: anything that serde can serialize, a [`StreamResponse`], a
/// [`FunctionResponse`] that is one or the other, and beside JSON a [`RawResponse`] or a [`PlainStream`].
pub trait IntoFunctionResponse<B, S> {
    /// Convert the type into a FunctionResponse.
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
