//! The status page: `GET /_emulator/`.

use std::net::IpAddr;
use std::time::Duration;

use http::header::{ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION};
use http::{HeaderName, HeaderValue, Method};
use lambda_runtime_emulator::serving::Connection;
use lambda_runtime_proto::server::{Reply, Request};

use super::access::Cors;
use super::{Shared, invoke};
use crate::templates::TEMPLATES;

/// A file of the page, or its stream of events.
pub(super) enum Call {
    File { content_type: &'static str, content: String },
    Events,
}

const FOLDER: &str = "/_emulator";

impl Call {
    /// Returns the call that the request makes; `None` if its path is not one of the page.
    pub(super) fn new(
        shared: &Shared,
        request: &Request,
        peer: Option<IpAddr>,
        cors: &Cors,
    ) -> Result<Option<Self>, Reply> {
        let Some(path) = request.path().strip_prefix(FOLDER) else { return Ok(None) };
        let file = |content_type, content: &str| Ok(Some(Call::File { content_type, content: content.to_owned() }));
        if !(path.is_empty() || path.starts_with('/')) {
            return Ok(None);
        }
        if !peer.is_some_and(|peer| peer.to_canonical().is_loopback()) || cors.0.is_some() {
            let message = "the status page is available only on this machine, and not to other web pages";
            return Err(invoke::error(403, "AccessDeniedException", message));
        }
        if request.method() != Method::GET {
            let reply = invoke::error(405, "MethodNotAllowedException", "the status page accepts only GET");
            return Err(reply.header(ALLOW, HeaderValue::from_static("GET")));
        }
        match path {
            "" => Err(Reply::new(308).header(LOCATION, HeaderValue::from_static("/_emulator/"))),
            "/" => file("text/html; charset=utf-8", include_str!("page/index.html")),
            "/page.css" => file("text/css; charset=utf-8", include_str!("page/page.css")),
            "/page.js" => file("text/javascript; charset=utf-8", include_str!("page/page.js")),
            "/settings.json" => {
                let templates = TEMPLATES.map(|(name, event)| (name.to_owned(), event.into()));
                let templates: serde_json::Map<String, serde_json::Value> = templates.into_iter().collect();
                let name = shared.function_name.as_deref().unwrap_or("function");
                file("application/json", &serde_json::json!({"name": name, "templates": templates}).to_string())
            }
            "/events" => Ok(Some(Call::Events)),
            _ => Err(invoke::error(404, "ResourceNotFoundException", "not found: the status page is /_emulator/")),
        }
    }

    pub(super) fn make(self, shared: &Shared, connection: &mut Connection<'_>) {
        match self {
            Call::File { content_type, content } => connection.reply(reply(content_type).body(content)),
            Call::Events => send_events(shared, connection),
        }
    }
}

fn reply(content_type: &'static str) -> Reply {
    const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                          frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
    let headers: [(HeaderName, &'static str); 4] = [
        (CONTENT_TYPE, content_type),
        (CONTENT_SECURITY_POLICY, POLICY),
        (CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("x-content-type-options"), "nosniff"),
    ];
    headers
        .into_iter()
        .fold(Reply::new(200), |reply, (name, value)| reply.header(name, HeaderValue::from_static(value)))
}

/// Sends every invocation, and again whenever it changes, until the connection or the emulator ends.
fn send_events(shared: &Shared, connection: &mut Connection<'_>) {
    /// Interval of the comments that detect a closed connection while nothing changes.
    const SILENCE: Duration = Duration::from_secs(5);
    /// Many changes of one invocation become one message.
    const PAUSE: Duration = Duration::from_millis(5);
    let _ = connection.machine.stream(reply("text/event-stream"));
    let mut version = 0;
    let mut sent = connection.send();
    while sent && !shared.history.is_stopped() {
        let message = match shared.history.next_change(version, SILENCE) {
            Some((newer, json)) => {
                version = newer;
                format!("data: {json}\n\n")
            }
            None => ":\n\n".to_owned(),
        };
        let _ = connection.machine.chunk(message);
        sent = connection.send();
        shared.history.pause(PAUSE);
    }
    connection.machine.close_abruptly();
}
