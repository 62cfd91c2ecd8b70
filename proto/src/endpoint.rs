//! The requests of the Runtime API and the Extensions API.

use std::fmt;

/// A request that a runtime makes.
/// See the [Runtime API](https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html) and the
/// [Extensions API](https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Endpoint {
    /// `GET /2018-06-01/runtime/invocation/next`
    Next,
    /// `POST /2018-06-01/runtime/invocation/{id}/response`
    Response,
    /// `POST /2018-06-01/runtime/invocation/{id}/error`
    Error,
    /// `POST /2018-06-01/runtime/init/error`
    InitError,
    /// `GET /2018-06-01/runtime/restore/next` (SnapStart)
    RestoreNext,
    /// `POST /2018-06-01/runtime/restore/error` (SnapStart)
    RestoreError,
    /// `POST /2020-01-01/extension/register`
    RegisterExtension,
    /// `GET /2020-01-01/extension/event/next`
    NextExtensionEvent,
}

impl Endpoint {
    /// It settles an invocation.
    pub fn posts_outcome(self) -> bool {
        matches!(self, Endpoint::Response | Endpoint::Error)
    }
}

/// The path, with `{id}` where a request id stands.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (before, after) = self.path();
        write!(f, "{before}{}{after}", if after.is_empty() { "" } else { "{id}" })
    }
}

impl Endpoint {
    const ALL: [Endpoint; 8] = [
        Endpoint::Next,
        Endpoint::Response,
        Endpoint::Error,
        Endpoint::InitError,
        Endpoint::RestoreNext,
        Endpoint::RestoreError,
        Endpoint::RegisterExtension,
        Endpoint::NextExtensionEvent,
    ];

    /// The path: what precedes the request id, and what follows it.
    pub(crate) fn path(self) -> (&'static str, &'static str) {
        match self {
            Endpoint::Next => ("/2018-06-01/runtime/invocation/next", ""),
            Endpoint::Response => ("/2018-06-01/runtime/invocation/", "/response"),
            Endpoint::Error => ("/2018-06-01/runtime/invocation/", "/error"),
            Endpoint::InitError => ("/2018-06-01/runtime/init/error", ""),
            Endpoint::RestoreNext => ("/2018-06-01/runtime/restore/next", ""),
            Endpoint::RestoreError => ("/2018-06-01/runtime/restore/error", ""),
            Endpoint::RegisterExtension => ("/2020-01-01/extension/register", ""),
            Endpoint::NextExtensionEvent => ("/2020-01-01/extension/event/next", ""),
        }
    }

    /// `GET` or `POST`.
    pub fn method(self) -> &'static str {
        match self {
            Endpoint::Next | Endpoint::RestoreNext | Endpoint::NextExtensionEvent => "GET",
            _ => "POST",
        }
    }

    /// Which endpoint a request is for, and the request id in its path, empty where the endpoint has none.
    ///
    /// ```
    /// use lambda_runtime_proto::Endpoint;
    ///
    /// let path = "/2018-06-01/runtime/invocation/8476a536/response";
    /// assert_eq!(Endpoint::parse("POST", path), Some((Endpoint::Response, "8476a536")));
    /// assert_eq!(Endpoint::parse("GET", path), None);
    /// ```
    pub fn parse<'p>(method: &str, path: &'p str) -> Option<(Endpoint, &'p str)> {
        Self::ALL.into_iter().filter(|endpoint| endpoint.method() == method).find_map(|endpoint| {
            let (before, after) = endpoint.path();
            let id = path.strip_prefix(before)?.strip_suffix(after)?;
            let fits = if after.is_empty() { id.is_empty() } else { !id.is_empty() && !id.contains('/') };
            fits.then_some((endpoint, id))
        })
    }
}
