//! Responses of a function, as those of a function URL.

use base64::Engine as _;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, SET_COOKIE};
use http::{HeaderName, HeaderValue};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// The status and the headers of a response.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Metadata {
    pub(super) status: u16,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    /// `Content-Length` as the function sent it; it matters only in the reply to a `HEAD`.
    pub(super) length: Option<HeaderValue>,
}

/// A buffered response or a prelude. Its parts are parsed one by one, so that an error names the field.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Fields<'a> {
    #[serde(borrow)]
    status_code: Option<&'a RawValue>,
    #[serde(borrow)]
    headers: Option<&'a RawValue>,
    #[serde(borrow)]
    cookies: Option<&'a RawValue>,
    #[serde(borrow)]
    body: Option<&'a RawValue>,
    #[serde(borrow)]
    is_base64_encoded: Option<&'a RawValue>,
}

/// Headers that concern only the connection.
const HOP_BY_HOP: [&str; 7] =
    ["connection", "keep-alive", "proxy-authenticate", "te", "trailer", "transfer-encoding", "upgrade"];

impl Metadata {
    const MAX_HEADERS: usize = 64 * 1024;

    /// Status 200 and this content type.
    pub(super) fn plain(content_type: HeaderValue) -> Self {
        Self { status: 200, headers: vec![(CONTENT_TYPE, content_type)], length: None }
    }

    /// The prelude of a streamed response.
    pub(super) fn parse(prelude: &[u8]) -> Result<Self, String> {
        if !is_object(prelude) {
            return Err("its prelude: expected a JSON object".to_owned());
        }
        let fields: Fields<'_> = serde_json::from_slice(prelude).map_err(|error| format!("its prelude: {error}"))?;
        Self::of_fields(&fields, HeaderValue::from_static("application/octet-stream"))
    }

    /// Whether a response with this status has a body.
    pub(super) fn has_body(&self) -> bool {
        !matches!(self.status, 204 | 304)
    }

    fn of_fields(fields: &Fields<'_>, default_type: HeaderValue) -> Result<Self, String> {
        let mut metadata = Self { status: status(fields.status_code)?, headers: Vec::new(), length: None };
        let headers: Map<String, Value> = parse("headers", fields.headers)?.unwrap_or_default();
        for (name, value) in headers {
            let invalid = |why: &str| format!("headers.{name}: {why}");
            let text = match value {
                Value::String(text) => text,
                Value::Number(_) | Value::Bool(_) => value.to_string(),
                Value::Null => continue,
                _ => return Err(invalid("expected text")),
            };
            let header = HeaderName::from_bytes(name.as_bytes()).map_err(|error| invalid(&error.to_string()))?;
            let value = HeaderValue::from_str(&text).map_err(|error| invalid(&error.to_string()))?;
            if header == CONTENT_LENGTH {
                metadata.length = text.bytes().all(|byte| byte.is_ascii_digit()).then_some(value);
            } else if !HOP_BY_HOP.contains(&header.as_str()) {
                metadata.headers.push((header, value));
            }
        }
        if !metadata.headers.iter().any(|(name, _)| name == CONTENT_TYPE) && metadata.has_body() {
            metadata.headers.push((CONTENT_TYPE, default_type));
        }
        let cookies: Vec<String> = parse("cookies", fields.cookies)?.unwrap_or_default();
        for cookie in cookies {
            let value = HeaderValue::from_str(&cookie).map_err(|error| format!("cookies: {error}"))?;
            metadata.headers.push((SET_COOKIE, value));
        }
        let size = metadata.headers.iter().fold(0, |size, (name, value)| size + name.as_str().len() + value.len());
        if size > Self::MAX_HEADERS {
            return Err(format!("headers: {size} bytes, more than {}", Self::MAX_HEADERS));
        }
        Ok(metadata)
    }
}

/// Parses a buffered response: an object with `statusCode`, or any other JSON, which is the body.
pub(super) fn parse_buffered(response: Bytes) -> Result<(Metadata, Bytes), String> {
    serde_json::from_slice::<&RawValue>(&response).map_err(|error| format!("it is not JSON: {error}"))?;
    let json = || HeaderValue::from_static("application/json");
    let fields = match is_object(&response) {
        true => serde_json::from_slice::<Fields<'_>>(&response).map_err(|error| error.to_string())?,
        false => return Ok((Metadata::plain(json()), response)),
    };
    if fields.status_code.is_none() {
        return Ok((Metadata::plain(json()), response));
    }
    let metadata = Metadata::of_fields(&fields, json())?;
    let body: String = parse("body", fields.body)?.unwrap_or_default();
    let body = match parse("isBase64Encoded", fields.is_base64_encoded)?.unwrap_or(false) {
        false => body.into_bytes(),
        true => {
            let decoded = base64::engine::general_purpose::STANDARD.decode(body);
            decoded.map_err(|error| format!("body: it is not base64: {error}"))?
        }
    };
    Ok((metadata, body.into()))
}

/// Whether this JSON is an object.
fn is_object(json: &[u8]) -> bool {
    json.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{')
}

fn status(raw: Option<&RawValue>) -> Result<u16, String> {
    let text = raw.map_or("200", RawValue::get);
    let digits = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    digits.parse().ok().filter(|status| (200..=599).contains(status)).ok_or_else(|| {
        format!("statusCode: invalid value {}: expected a number from 200 to 599", crate::front::shortened(text))
    })
}

/// A field; `None` if it is absent or null.
fn parse<'a, T: Deserialize<'a>>(name: &str, raw: Option<&'a RawValue>) -> Result<Option<T>, String> {
    let Some(raw) = raw else { return Ok(None) };
    serde_json::from_str(raw.get()).map_err(|error| format!("{name}: {error}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn parsed(response: &'static str) -> (u16, Vec<(String, String)>, String) {
        let (metadata, body) = parse_buffered(Bytes::from(response)).unwrap();
        let headers = metadata.headers.iter();
        let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
        (metadata.status, headers.collect(), String::from_utf8(body.to_vec()).unwrap())
    }

    #[test]
    fn an_object_with_a_status_code_is_a_response() {
        let (status, headers, body) = parsed(
            r#"{"statusCode":"201","headers":{"X-A":"b","x-n":7,"Connection":"close","content-length":"9"},
                "cookies":["a=1; Path=/","b=2"],"body":"SGVsbG8=","isBase64Encoded":true,"other":[]}"#,
        );
        assert_eq!((status, body.as_str()), (201, "Hello"));
        let expected = [
            ("x-a", "b"),
            ("x-n", "7"),
            ("content-type", "application/json"),
            ("set-cookie", "a=1; Path=/"),
            ("set-cookie", "b=2"),
        ];
        assert_eq!(headers, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let nulls = parsed(r#"{"statusCode":200,"headers":null,"cookies":null,"body":null,"isBase64Encoded":null}"#);
        assert_eq!((nulls.0, nulls.2.as_str()), (200, ""));
    }

    #[test]
    fn other_json_is_the_body() {
        for json in [r#"{"message":"Hello"}"#, "\"Hello\"", "[1]", "null", "7"] {
            let (status, headers, body) = parsed(json);
            assert_eq!((status, body.as_str()), (200, json));
            assert_eq!(headers, [("content-type".to_owned(), "application/json".to_owned())]);
        }
    }

    #[test]
    fn an_invalid_response_names_the_field() {
        for (response, field) in [
            ("Hello", "not JSON"),
            (r#"{"statusCode":1000}"#, "statusCode"),
            (r#"{"statusCode":101}"#, "statusCode"),
            (r#"{"statusCode":"ok"}"#, "statusCode"),
            (r#"{"statusCode":200,"headers":[]}"#, "headers"),
            (r#"{"statusCode":200,"headers":{"a b":"c"}}"#, "headers.a b"),
            (r#"{"statusCode":200,"headers":{"a":"b\r\nc: d"}}"#, "headers.a"),
            (r#"{"statusCode":200,"headers":{"a":{}}}"#, "headers.a"),
            (r#"{"statusCode":200,"cookies":"a=1"}"#, "cookies"),
            (r#"{"statusCode":200,"cookies":["a\nb"]}"#, "cookies"),
            (r#"{"statusCode":200,"body":{}}"#, "body"),
            (r#"{"statusCode":200,"body":"%","isBase64Encoded":true}"#, "body"),
            (r#"{"statusCode":200,"isBase64Encoded":"yes"}"#, "isBase64Encoded"),
        ] {
            let error = parse_buffered(Bytes::from(response)).unwrap_err();
            assert!(error.contains(field), "{response}: {error}");
        }
    }
}
