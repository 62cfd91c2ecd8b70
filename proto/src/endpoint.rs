//! The requests of the Runtime API and the Extensions API.

use std::fmt;

/// Defines [`Endpoint`] from one table, so that a variant without a method or a path does not compile.
macro_rules! endpoints {
    ($($variant:ident: $method:ident $path:literal $({id} $suffix:literal)?,)*) => {
        /// A request that a runtime makes.
        ///
        /// See the [Runtime API](https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html) and the
        /// [Extensions API](https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Endpoint {
            $(
                #[doc = concat!("`", stringify!($method), " ", $path, $("{id}", $suffix,)? "`")]
                $variant,
            )*
        }

        const ALL: &[Endpoint] = &[$(Endpoint::$variant),*];

        impl Endpoint {
            const fn route(self) -> Route {
                match self {
                    $(Endpoint::$variant => Route {
                        method: stringify!($method),
                        path: ($path, concat!($($suffix)?)),
                    },)*
                }
            }
        }
    };
}

endpoints! {
    Next: GET "/2018-06-01/runtime/invocation/next",
    Response: POST "/2018-06-01/runtime/invocation/" {id} "/response",
    Error: POST "/2018-06-01/runtime/invocation/" {id} "/error",
    InitError: POST "/2018-06-01/runtime/init/error",
    RestoreNext: GET "/2018-06-01/runtime/restore/next",
    RestoreError: POST "/2018-06-01/runtime/restore/error",
    RegisterExtension: POST "/2020-01-01/extension/register",
    NextExtensionEvent: GET "/2020-01-01/extension/event/next",
    Metadata: GET "/2026-01-15/metadata/execution-environment",
}

/// A row of the table.
struct Route {
    method: &'static str,
    /// The parts before and after the request id; the latter is empty where the path has no id.
    path: (&'static str, &'static str),
}

impl Endpoint {
    /// `GET` or `POST`.
    pub fn method(self) -> &'static str {
        self.route().method
    }

    /// Whether the request posts the outcome of the invocation whose id is in its path.
    pub fn posts_outcome(self) -> bool {
        self.has_request_id()
    }

    /// Returns the endpoint that a request addresses and the request id in its path, which is empty where the endpoint
    /// has none.
    ///
    /// ```
    /// use lambda_runtime_proto::Endpoint;
    ///
    /// let path = "/2018-06-01/runtime/invocation/8476a536/response";
    /// assert_eq!(Endpoint::parse("POST", path), Some((Endpoint::Response, "8476a536")));
    /// assert_eq!(Endpoint::parse("GET", path), None);
    /// ```
    pub fn parse<'p>(method: &str, path: &'p str) -> Option<(Endpoint, &'p str)> {
        ALL.iter().copied().filter(|endpoint| endpoint.method() == method).find_map(|endpoint| {
            let (prefix, suffix) = endpoint.path();
            let id = path.strip_prefix(prefix)?.strip_suffix(suffix)?;
            let fits = if endpoint.has_request_id() { !id.is_empty() && !id.contains('/') } else { id.is_empty() };
            fits.then_some((endpoint, id))
        })
    }

    /// The parts of the path before and after the request id.
    pub(crate) fn path(self) -> (&'static str, &'static str) {
        self.route().path
    }

    fn has_request_id(self) -> bool {
        !self.path().1.is_empty()
    }
}

/// Writes the path, with `{id}` in place of a request id.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (prefix, suffix) = self.path();
        write!(f, "{prefix}{}{suffix}", if self.has_request_id() { "{id}" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The request line as AWS documents it. The match is exhaustive, so that a new variant needs a row here.
    fn documented(endpoint: Endpoint) -> &'static str {
        match endpoint {
            Endpoint::Next => "GET /2018-06-01/runtime/invocation/next",
            Endpoint::Response => "POST /2018-06-01/runtime/invocation/{id}/response",
            Endpoint::Error => "POST /2018-06-01/runtime/invocation/{id}/error",
            Endpoint::InitError => "POST /2018-06-01/runtime/init/error",
            Endpoint::RestoreNext => "GET /2018-06-01/runtime/restore/next",
            Endpoint::RestoreError => "POST /2018-06-01/runtime/restore/error",
            Endpoint::RegisterExtension => "POST /2020-01-01/extension/register",
            Endpoint::NextExtensionEvent => "GET /2020-01-01/extension/event/next",
            Endpoint::Metadata => "GET /2026-01-15/metadata/execution-environment",
        }
    }

    #[test]
    fn every_endpoint_has_its_documented_method_and_path() {
        for endpoint in ALL {
            assert_eq!(format!("{} {endpoint}", endpoint.method()), documented(*endpoint));
        }
    }

    #[test]
    fn every_request_line_is_parsed_into_its_endpoint_and_no_other() {
        for endpoint in ALL {
            let (method, template) = documented(*endpoint).split_once(' ').unwrap();
            let with_id = |id: &str| template.replace("{id}", id);
            let id = if endpoint.posts_outcome() { "8476a536" } else { "" };
            assert_eq!(Endpoint::parse(method, &with_id(id)), Some((*endpoint, id)));
            let other_method = if method == "GET" { "POST" } else { "GET" };
            assert_eq!(Endpoint::parse(other_method, &with_id(id)), None);
            for path in [format!("{}/", with_id(id)), format!("/{}", with_id(id))] {
                assert_eq!(Endpoint::parse(method, &path), None, "{path}");
            }
            if endpoint.posts_outcome() {
                for bad_id in ["", "a/b"] {
                    assert_eq!(Endpoint::parse(method, &with_id(bad_id)), None, "{bad_id:?}");
                }
            }
        }
    }
}
