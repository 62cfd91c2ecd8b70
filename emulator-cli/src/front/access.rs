//! Protection against web pages: a browser lets any page send requests to this machine, even where it does not let the
//! page read the reply.

use std::net::{IpAddr, Ipv6Addr};

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, VARY,
};
use http::{HeaderName, HeaderValue, Method};
use lambda_runtime_emulator::serving::shortened;
use lambda_runtime_proto::server::{Reply, Request};

/// The origins and hosts that may invoke the function.
#[derive(Debug, Default)]
pub struct Access {
    /// Origins of web pages, such as `http://localhost:3000`.
    pub origins: Vec<String>,
    /// Names by which this machine may be addressed, without ports.
    pub hosts: Vec<String>,
}

/// The allowed origin of the web page that sent the request; `None` for the emulator's own origin and other programs.
#[derive(Debug)]
pub(super) struct Cors(pub(super) Option<HeaderValue>);

impl Access {
    /// Refuses a request from a web page of another origin, unless that origin is allowed. An allowed one is returned,
    /// because the reply needs CORS headers for it.
    pub(super) fn check(&self, request: &Request) -> Result<Cors, String> {
        self.check_host(request)?;
        let Some(origin) = request.headers().get("origin") else { return self.check_site(request) };
        let own = request.headers().get("host").map(|host| [b"http://", host].concat());
        if own.is_some_and(|own| own.eq_ignore_ascii_case(origin)) {
            return Ok(Cors(None));
        }
        if self.is_allowed_origin(origin) {
            return Ok(Cors(HeaderValue::from_bytes(origin).ok()));
        }
        Err(forbidden(&String::from_utf8_lossy(origin)))
    }

    /// Checks a request without `Origin`, such as a navigation. Its `Referer` is the page that caused it.
    fn check_site(&self, request: &Request) -> Result<Cors, String> {
        if !matches!(request.headers().get("sec-fetch-site"), Some(b"cross-site" | b"same-site")) {
            return Ok(Cors(None));
        }
        let referer = request.headers().get_str("referer").unwrap_or_default();
        let origin = origin_of(referer);
        if origin.is_some_and(|origin| self.is_allowed_origin(origin.as_bytes())) {
            return Ok(Cors(None));
        }
        Err(forbidden(origin.unwrap_or("other sites")))
    }

    fn is_allowed_origin(&self, origin: &[u8]) -> bool {
        self.origins.iter().any(|allowed| allowed.as_bytes().eq_ignore_ascii_case(origin))
    }

    /// Checks that `Host` is an address, `localhost` or an allowed name. A page whose name resolves to this machine (DNS
    /// rebinding) has the emulator's own origin for the browser; only the name distinguishes it.
    fn check_host(&self, request: &Request) -> Result<(), String> {
        let hosts = request.headers().iter().filter(|(name, _)| name.eq_ignore_ascii_case("host"));
        for (_, value) in hosts {
            let host = std::str::from_utf8(value).map(without_port).unwrap_or_default();
            if !self.is_allowed_host(host) {
                let host = shortened(&String::from_utf8_lossy(value));
                return Err(format!(
                    "the Host {host} is neither an address nor localhost; --allow-host permits other names"
                ));
            }
        }
        Ok(())
    }

    fn is_allowed_host(&self, host: &str) -> bool {
        let allowed = self.hosts.iter().map(String::as_str).chain(["localhost"]);
        is_address(host) || allowed.into_iter().any(|allowed| allowed.eq_ignore_ascii_case(host))
    }
}

fn forbidden(origin: &str) -> String {
    let origin = shortened(origin);
    format!("web pages of {origin} may not send requests here; --allow-origin permits an origin")
}

/// Scheme, host and port of a URL.
fn origin_of(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_once("://")?;
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    url.get(..scheme.len() + "://".len() + host.len())
}

/// The host without its port.
pub(super) fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

fn is_address(host: &str) -> bool {
    match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(host) => host.parse::<Ipv6Addr>().is_ok(),
        None => matches!(host.parse(), Ok(IpAddr::V4(_))),
    }
}

impl Cors {
    /// Returns the reply to a CORS preflight; `None` if the request is not one.
    pub(super) fn preflight(&self, request: &Request) -> Option<Reply> {
        let echoed = |name: &str| request.headers().get(name).and_then(|value| HeaderValue::from_bytes(value).ok());
        let method = echoed("access-control-request-method")?;
        let origin = self.0.clone().filter(|_| request.method() == Method::OPTIONS)?;
        let headers = echoed("access-control-request-headers").map(|value| (ACCESS_CONTROL_ALLOW_HEADERS, value));
        let others = [
            (ACCESS_CONTROL_ALLOW_ORIGIN, origin),
            (ACCESS_CONTROL_ALLOW_METHODS, method),
            (ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true")),
            (ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600")),
            (VARY, HeaderValue::from_static("Origin")),
        ];
        let all = headers.into_iter().chain(others);
        Some(all.fold(Reply::new(204), |reply, (name, value)| reply.header(name, value)))
    }

    /// Returns the headers that let the page read the reply.
    pub(super) fn headers(&self) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
        self.0.clone().into_iter().flat_map(|origin| {
            [
                (ACCESS_CONTROL_ALLOW_ORIGIN, origin),
                (ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true")),
                // With credentials, browsers do not accept `*`.
                (ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED)),
                (VARY, HeaderValue::from_static("Origin")),
            ]
        })
    }

    /// Adds the headers that let the page read the reply.
    pub(super) fn apply(&self, reply: Reply) -> Reply {
        self.headers().fold(reply, |reply, (name, value)| reply.header(name, value))
    }
}

const EXPOSED: &str = "*, x-amz-executed-version, x-amz-function-error, x-amz-log-result, x-amzn-errortype, \
                       x-amzn-remapped-content-type, x-amzn-requestid";
