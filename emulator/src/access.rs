//! Protection against web pages: a browser lets any page send requests to this machine, even if the page may not read the
//! reply.

use lambda_runtime_proto::server::Request;

/// Whether a browser sent the request. Runtimes do not send these headers.
pub(crate) fn is_from_browser(request: &Request) -> bool {
    ["origin", "sec-fetch-site"].iter().any(|name| request.headers().get(name).is_some())
}
