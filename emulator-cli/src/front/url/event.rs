//! The event of an HTTP request: [payload format
//! 2.0](https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html#urls-payloads).

use std::net::IpAddr;
use std::time::SystemTime;

use base64::Engine as _;
use lambda_runtime_proto::server::Request;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use crate::front::access::without_port;
use crate::time::Utc;

/// An event without its body.
pub(super) struct HttpEvent {
    /// A JSON object without its last brace.
    json: String,
    is_text: bool,
}

/// Headers that concern only the connection, and the cookies, which are in a separate field.
const OMITTED: [&str; 9] = [
    "connection",
    "cookie",
    "expect",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
];

impl HttpEvent {
    pub(super) fn new(request: &Request, peer: Option<IpAddr>, request_id: &str) -> Result<Self, String> {
        let path = request.path();
        // A client that uses this as a proxy sends a whole URL.
        let path =
            path.strip_prefix("http://").map_or(path, |url| url.find('/').and_then(|at| url.get(at..)).unwrap_or("/"));
        if !path.starts_with('/') {
            return Err(format!("invalid path {:?}: expected a slash at its start", crate::front::shortened(path)));
        }
        let query = request.query().unwrap_or_default();
        let headers = headers(request);
        let header = |name: &str| headers.get(name).and_then(Value::as_str).unwrap_or_default();
        let is_text = is_text(header("content-type")) && header("content-encoding").is_empty();
        let (host, user_agent) = (without_port(header("host")).to_owned(), header("user-agent").to_owned());
        let time = Utc::from(SystemTime::now());
        let source_ip = peer.map(|peer| peer.to_string()).unwrap_or_default();
        let mut event = json!({
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": path,
            "rawQueryString": query,
            "headers": headers,
            "requestContext": {
                "accountId": "anonymous",
                "apiId": "local",
                "domainName": host,
                "domainPrefix": host.split('.').next(),
                "http": {
                    "method": request.method().as_str(),
                    "path": path,
                    "protocol": "HTTP/1.1",
                    "sourceIp": source_ip,
                    "userAgent": user_agent,
                },
                "requestId": request_id,
                "routeKey": "$default",
                "stage": "$default",
                "time": time.common_log(),
                "timeEpoch": time.milliseconds,
            },
        });
        if let Some(event) = event.as_object_mut() {
            let cookies = cookies(request);
            if !cookies.is_empty() {
                event.insert("cookies".to_owned(), cookies.into());
            }
            let parameters = parameters(query);
            if !parameters.is_empty() {
                event.insert("queryStringParameters".to_owned(), parameters.into());
            }
        }
        let mut json = event.to_string();
        json.pop();
        Ok(Self { json, is_text })
    }

    /// The whole event.
    pub(super) fn into_json(self, body: &[u8]) -> String {
        let mut json = self.json;
        let text = std::str::from_utf8(body).ok().filter(|_| self.is_text || body.is_empty());
        json.push_str(if text.is_some() { ",\"isBase64Encoded\":false" } else { ",\"isBase64Encoded\":true" });
        if !body.is_empty() {
            json.push_str(",\"body\":");
            match text {
                // Text is always valid JSON.
                Some(text) => json.push_str(&serde_json::to_string(text).unwrap_or_default()),
                None => {
                    json.push('"');
                    base64::engine::general_purpose::STANDARD.encode_string(body, &mut json);
                    json.push('"');
                }
            }
        }
        json.push('}');
        json
    }
}

/// The headers, with names in lower case, and the values of one name joined by commas.
fn headers(request: &Request) -> Map<String, Value> {
    let mut headers = Map::new();
    for (name, value) in request.headers() {
        let name = name.to_ascii_lowercase();
        if OMITTED.contains(&name.as_str()) {
            continue;
        }
        append(&mut headers, name, &String::from_utf8_lossy(value));
    }
    headers
}

/// Adds a value; further ones of the same name follow a comma.
fn append(map: &mut Map<String, Value>, name: String, value: &str) {
    match map.entry(name).or_insert_with(|| Value::String(String::new())) {
        Value::String(joined) if joined.is_empty() => joined.push_str(value),
        Value::String(joined) => {
            joined.push(',');
            joined.push_str(value);
        }
        _ => {}
    }
}

fn cookies(request: &Request) -> Vec<String> {
    let fields = request.headers().iter().filter(|(name, _)| name.eq_ignore_ascii_case("cookie"));
    let texts = fields.map(|(_, value)| String::from_utf8_lossy(value).into_owned());
    texts
        .flat_map(|text| text.split(';').map(|cookie| cookie.trim().to_owned()).collect::<Vec<_>>())
        .filter(|cookie| !cookie.is_empty())
        .collect()
}

/// The parameters of the query, decoded.
fn parameters(query: &str) -> Map<String, Value> {
    let decoded = |part: &str| {
        let part = part.replace('+', " ");
        percent_decode_str(&part).decode_utf8_lossy().into_owned()
    };
    let mut parameters = Map::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        append(&mut parameters, decoded(name), &decoded(value));
    }
    parameters
}

/// Whether a body of this content type is delivered as text.
fn is_text(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_application = |subtype: &str| {
        let names = ["json", "xml", "javascript", "x-www-form-urlencoded"];
        names.contains(&subtype) || subtype.ends_with("+json") || subtype.ends_with("+xml")
    };
    essence.starts_with("text/") || essence.strip_prefix("application/").is_some_and(is_application)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_distinguished_from_other_content() {
        for text in [
            "text/plain",
            "Text/HTML; charset=utf-8",
            "application/json",
            "application/problem+json",
            "application/xml",
            "image/svg+xml",
            "application/javascript",
            "application/x-www-form-urlencoded",
        ] {
            assert_eq!(is_text(text), text != "image/svg+xml", "{text}");
        }
        for other in ["", "image/png", "application/octet-stream", "multipart/form-data; boundary=x"] {
            assert!(!is_text(other), "{other}");
        }
    }

    #[test]
    fn parameters_are_decoded_and_joined() {
        let parameters = Value::from(parameters("a=1&b=x%20y+z&a=2&&c&%C3%A4=%2B"));
        assert_eq!(parameters, json!({"a": "1,2", "b": "x y z", "c": "", "ä": "+"}));
    }
}
