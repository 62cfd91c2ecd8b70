//! Requests, as the API receives them.

use bytes::Bytes;
use http::Method;

use crate::{Endpoint, Headers};

/// The head of a request.
#[derive(Debug)]
pub struct Request {
    method: Method,
    target: String,
    head: Bytes,
}

/// The operation that a request addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Route<'a> {
    /// The Runtime API or Extensions API, with the request id where the path has one.
    Api(Endpoint, &'a str),
    /// `POST /2015-03-31/functions/{name}/invocations`, by which a caller invokes a function. See
    /// [Invoke](https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html).
    Invoke {
        /// The name of the function.
        function: &'a str,
    },
    /// `POST /2021-11-15/functions/{name}/response-streaming-invocations`. See
    /// [InvokeWithResponseStream](https://docs.aws.amazon.com/lambda/latest/api/API_InvokeWithResponseStream.html).
    InvokeWithResponseStream {
        /// The name of the function.
        function: &'a str,
    },
    /// Any other.
    Unknown,
}

impl Request {
    /// `method` and `target` are lengths, as of [`StartLine`](crate::http1::StartLine).
    pub(super) fn new(method: usize, target: usize, head: Bytes) -> Self {
        let text = |start, len| head.get(start..).and_then(|rest: &[u8]| rest.get(..len)).unwrap_or_default();
        let target = String::from_utf8_lossy(text(method + 1, target)).into_owned();
        Self { method: Method::from_bytes(text(0, method)).unwrap_or_default(), target, head }
    }

    /// The method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The path, without a query.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The query, without the question mark; `None` if the target has none.
    pub fn query(&self) -> Option<&str> {
        self.target.split_once('?').map(|(_, query)| query)
    }

    /// Returns the operation that the request addresses.
    pub fn route(&self) -> Route<'_> {
        if let Some((endpoint, id)) = Endpoint::parse(self.method.as_str(), self.path()) {
            return Route::Api(endpoint, id);
        }
        let between = |prefix: &str, suffix: &str| {
            let name = self.path().strip_prefix(prefix)?.strip_suffix(suffix)?;
            (self.method == Method::POST && !name.is_empty() && !name.contains('/')).then_some(name)
        };
        if let Some(function) = between("/2015-03-31/functions/", "/invocations") {
            Route::Invoke { function }
        } else if let Some(function) = between("/2021-11-15/functions/", "/response-streaming-invocations") {
            Route::InvokeWithResponseStream { function }
        } else {
            Route::Unknown
        }
    }

    /// All headers, in the order received.
    pub fn headers(&self) -> Headers<'_> {
        Headers::of_head(&self.head)
    }

    /// Whether the headers contain `Lambda-Runtime-Function-Response-Mode: streaming`.
    pub fn is_streaming(&self) -> bool {
        self.headers().get_str("lambda-runtime-function-response-mode") == Some("streaming")
    }
}

/// The fields after a chunked body.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trailers(Vec<u8>);

impl Trailers {
    pub(super) fn new(section: Vec<u8>) -> Self {
        Self(section)
    }

    /// The fields, in the order received.
    pub fn fields(&self) -> Headers<'_> {
        Headers::of_trailers(&self.0)
    }
}
