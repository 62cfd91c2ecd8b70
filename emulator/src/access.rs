//! Protection against web pages: a browser lets any page send requests to this machine, even where it does not let the
//! page read the reply.

use std::net::{IpAddr, Ipv6Addr};

use http::HeaderValue;
use lambda_runtime_proto::server::Request;

use crate::text::shortened;

/// Whether a browser sent the request. Runtimes do not send these headers.
pub(crate) fn is_from_browser(request: &Request) -> bool {
    ["origin", "sec-fetch-site"].iter().any(|name| request.headers().get(name).is_some())
}

/// The origins and hosts that may invoke the function.
#[derive(Debug, Default)]
pub(crate) struct Access {
    /// Origins of web pages, such as `http://localhost:3000`.
    pub(crate) origins: Vec<String>,
    /// Names by which this machine may be addressed, without ports.
    pub(crate) hosts: Vec<String>,
}

impl Access {
    /// Checks that the request was not sent by a web page of another origin, unless that origin is allowed. Returns the
    /// allowed origin, which needs CORS headers in the reply.
    pub(crate) fn check_origin(&self, request: &Request) -> Result<Option<HeaderValue>, String> {
        let Some(origin) = request.headers().get("origin") else {
            return match request.headers().get("sec-fetch-site") {
                Some(b"cross-site") => Err("web pages of other sites may not send requests here".to_owned()),
                _ => Ok(None),
            };
        };
        let own = request.headers().get("host").map(|host| [b"http://", host].concat());
        if own.is_some_and(|own| own.eq_ignore_ascii_case(origin)) {
            return Ok(None);
        }
        if self.origins.iter().any(|allowed| allowed.as_bytes().eq_ignore_ascii_case(origin)) {
            return Ok(HeaderValue::from_bytes(origin).ok());
        }
        let origin = String::from_utf8_lossy(origin);
        let origin = shortened(&origin);
        Err(format!("web pages of {origin} may not send requests here unless this origin is allowed"))
    }

    /// Checks that `Host` is an address, `localhost` or an allowed name. A page whose name resolves to this machine (DNS
    /// rebinding) has the emulator's own origin for the browser; only the name distinguishes it.
    pub(crate) fn check_host(&self, request: &Request) -> Result<(), String> {
        let hosts = request.headers().iter().filter(|(name, _)| name.eq_ignore_ascii_case("host"));
        for (_, value) in hosts {
            let host = std::str::from_utf8(value).map(without_port).unwrap_or_default();
            if !self.is_allowed_host(host) {
                let host = shortened(&String::from_utf8_lossy(value));
                return Err(format!("the Host {host} is neither an address nor localhost, and it is not allowed"));
            }
        }
        Ok(())
    }

    fn is_allowed_host(&self, host: &str) -> bool {
        let allowed = self.hosts.iter().map(String::as_str).chain(["localhost"]);
        is_address(host) || allowed.into_iter().any(|allowed| allowed.eq_ignore_ascii_case(host))
    }
}

fn without_port(host: &str) -> &str {
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
