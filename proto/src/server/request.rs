//! What the API reads of a request.

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

/// Where a request belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Route<'a> {
    /// The Runtime API or Extensions API, with the request id where the path has one.
    Api(Endpoint, &'a str),
    /// Lambda's own `POST /2015-03-31/functions/{name}/invocations`, by which a function is invoked. See
    /// [Invoke](https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html).
    Invoke {
        /// The function's name.
        function: &'a str,
    },
    /// `POST /2021-11-15/functions/{name}/response-streaming-invocations`. See
    /// [InvokeWithResponseStream](https://docs.aws.amazon.com/lambda/latest/api/API_InvokeWithResponseStream.html).
    InvokeWithResponseStream {
        /// The function's name.
        function: &'a str,
    },
    /// None of these.
    Unknown,
}

impl Request {
    pub(super) fn new(method: Method, target: String, head: Bytes) -> Self {
        Self { method, target, head }
    }

    /// The method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The path, without a query.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// Where it belongs.
    pub fn route(&self) -> Route<'_> {
        if let Some((endpoint, id)) = Endpoint::parse(self.method.as_str(), self.path()) {
            return Route::Api(endpoint, id);
        }
        let between = |before: &str, after: &str| {
            let name = self.path().strip_prefix(before)?.strip_suffix(after)?;
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

    /// All headers, in the order they came.
    pub fn headers(&self) -> Headers<'_> {
        Headers::of_head(&self.head)
    }

    /// The value of the first header with this name, whatever its case, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.headers().get(name)?).ok()
    }

    /// `Lambda-Runtime-Function-Response-Mode: streaming`
    pub fn is_streaming(&self) -> bool {
        self.header("lambda-runtime-function-response-mode") == Some("streaming")
    }
}

/// The fields behind a chunked body.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trailers(Vec<u8>);

impl Trailers {
    pub(super) fn new(section: Vec<u8>) -> Self {
        Self(section)
    }

    /// The fields, in the order they came.
    pub fn fields(&self) -> Headers<'_> {
        Headers::of_trailers(&self.0)
    }
}
