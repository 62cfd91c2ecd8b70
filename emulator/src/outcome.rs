//! How an invocation ended.

use bytes::Bytes;
use http::HeaderMap;

use crate::prelude::Prelude;

/// What an invocation came to: how much of a response arrived, and how it ended.
///
/// The two are apart because a streamed response can fail midway: then there is a part of a response *and* an error.
#[derive(Debug, Clone)]
pub struct Outcome {
    head: Option<ResponseHead>,
    body: Bytes,
    trailers: HeaderMap,
    end: End,
}

/// The end of an invocation.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum End {
    /// The function responded and the response is complete.
    Complete,
    /// The function reported an error (on /error, or in the trailers of a streamed response, or on /init/error), or
    /// Lambda did so in its place: the response was too large, or the process ended.
    Failed(FunctionError),
    /// The response ended in the middle: its connection was cut, or what came was no HTTP.
    Truncated(FunctionError),
    /// The function's time was up.
    TimedOut(FunctionError),
}

impl End {
    /// The error that the caller of the function is told, unless the response is complete.
    pub fn error(&self) -> Option<&FunctionError> {
        match self {
            End::Complete => None,
            End::Failed(error) | End::Truncated(error) | End::TimedOut(error) => Some(error),
        }
    }
}

/// The headers of a response.
#[derive(Debug, Clone)]
pub struct ResponseHead {
    headers: HeaderMap,
}

impl ResponseHead {
    pub(crate) fn new(headers: HeaderMap) -> Self {
        Self { headers }
    }

    /// All headers that the runtime sent with the response.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// `Content-Type`, if it is text.
    pub fn content_type(&self) -> Option<&str> {
        self.headers.get(http::header::CONTENT_TYPE)?.to_str().ok()
    }

    /// The runtime sent the response as a stream.
    pub fn is_streamed(&self) -> bool {
        self.headers.get(RESPONSE_MODE).is_some_and(|mode| mode == "streaming")
    }

    /// The body starts with a [prelude](Outcome::prelude).
    pub fn has_prelude(&self) -> bool {
        self.content_type() == Some("application/vnd.awslambda.http-integration-response")
    }
}

pub(crate) const RESPONSE_MODE: &str = "lambda-runtime-function-response-mode";

impl Outcome {
    pub(crate) fn new(head: Option<ResponseHead>, body: Bytes, trailers: HeaderMap, end: End) -> Self {
        Self { head, body, trailers, end }
    }

    /// How it ended.
    pub fn end(&self) -> &End {
        &self.end
    }

    /// The function responded and the response is complete.
    pub fn is_complete(&self) -> bool {
        self.end == End::Complete
    }

    /// The error that the caller of the function is told, unless the response is complete.
    pub fn error(&self) -> Option<&FunctionError> {
        self.end.error()
    }

    /// The head of the response, if one has begun.
    pub fn head(&self) -> Option<&ResponseHead> {
        self.head.as_ref()
    }

    /// The response's body, as far as it came; empty if there was none.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The trailers of a response that came to its end, as the runtime sent them: those that tell of an error, too.
    pub fn trailers(&self) -> &HeaderMap {
        &self.trailers
    }

    /// The body as text. What is not UTF-8 is replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Errors
    ///
    /// It is not JSON.
    pub fn json(&self) -> serde_json::Result<serde_json::Value> {
        serde_json::from_slice(&self.body)
    }

    /// The content type of the response.
    pub fn content_type(&self) -> Option<&str> {
        self.head.as_ref()?.content_type()
    }

    /// The response was sent as a stream.
    pub fn is_streamed(&self) -> bool {
        self.head.as_ref().is_some_and(ResponseHead::is_streamed)
    }

    /// The metadata prelude of a streamed HTTP response: JSON with the status, headers and cookies. It precedes the
    /// payload and eight NUL bytes in the body.
    pub fn prelude(&self) -> Option<Bytes> {
        self.split().map(|(prelude, _)| prelude)
    }

    /// The body without the [prelude](Self::prelude).
    pub fn payload(&self) -> Bytes {
        self.split().map_or_else(|| self.body.clone(), |(_, payload)| payload)
    }

    fn split(&self) -> Option<(Bytes, Bytes)> {
        if !self.head.as_ref()?.has_prelude() {
            return None;
        }
        let mut prelude = Prelude::default();
        let payload = prelude.take(self.body.clone())?;
        Some((prelude.json()?, payload))
    }
}

/// An error as the caller of a function gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionError {
    error_type: String,
    sent_type: Option<String>,
    body: Bytes,
    xray_cause: Option<String>,
}

impl FunctionError {
    /// What a runtime reported.
    pub(crate) fn reported(sent_type: Option<&str>, body: Bytes, xray_cause: Option<&str>) -> Self {
        let sent = sent_type.unwrap_or_default();
        Self {
            error_type: kept_type(sent).to_owned(),
            sent_type: sent_type.map(str::to_owned),
            body,
            xray_cause: xray_cause.map(str::to_owned),
        }
    }

    /// What Lambda itself says of a function, with the body that it makes up.
    pub(crate) fn of_platform(error_type: &'static str, message: &str) -> Self {
        let body = serde_json::json!({"errorType": error_type, "errorMessage": message}).to_string();
        Self { error_type: error_type.to_owned(), sent_type: None, body: body.into(), xray_cause: None }
    }

    /// The type as Lambda keeps it: `Function.…` or `Runtime.…`, or `Runtime.Unknown` if the runtime sent something
    /// else.
    pub fn error_type(&self) -> &str {
        &self.error_type
    }

    /// The type as the runtime sent it, in the header or trailer `Lambda-Runtime-Function-Error-Type`.
    pub fn sent_type(&self) -> Option<&str> {
        self.sent_type.as_deref()
    }

    /// The error: JSON as a rule, `{"errorMessage":"…","errorType":"…","stackTrace":[]}`. From a trailer it is decoded
    /// already.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The body as JSON.
    ///
    /// # Errors
    ///
    /// It is not JSON.
    pub fn json(&self) -> serde_json::Result<serde_json::Value> {
        serde_json::from_slice(&self.body)
    }

    /// `errorMessage` in the body, or else the whole body.
    pub fn message(&self) -> String {
        let message = self.json().ok().and_then(|json| json.get("errorMessage")?.as_str().map(str::to_owned));
        message.unwrap_or_else(|| String::from_utf8_lossy(&self.body).into_owned())
    }

    /// The header `Lambda-Runtime-Function-XRay-Error-Cause`.
    pub fn xray_cause(&self) -> Option<&str> {
        self.xray_cause.as_deref()
    }
}

/// Lambda keeps a type in which `(Runtime|Function)\.[A-Z][a-zA-Z]+` is found. It replaces any other.
fn kept_type(sent: &str) -> &str {
    let has_name_behind = |prefix: &str| {
        sent.match_indices(prefix).any(|(at, _)| {
            let mut name = sent.bytes().skip(at + prefix.len());
            name.next().is_some_and(|b| b.is_ascii_uppercase()) && name.next().is_some_and(|b| b.is_ascii_alphabetic())
        })
    };
    if has_name_behind("Runtime.") || has_name_behind("Function.") {
        sent
    } else if sent.starts_with("Function.") {
        "Function.Unknown"
    } else {
        "Runtime.Unknown"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_of_lambdas_form_is_kept_and_any_other_is_replaced() {
        for kept in ["Function.Panic", "Runtime.ExitError", "my::Function.BadInput", "Function.Error2"] {
            assert_eq!(kept_type(kept), kept);
        }
        assert_eq!(kept_type("Function.panic"), "Function.Unknown");
        assert_eq!(kept_type("Function.X"), "Function.Unknown");
        for unknown in ["", "unhandled", "Runtime.", "Runtime.x", "Error"] {
            assert_eq!(kept_type(unknown), "Runtime.Unknown", "{unknown:?}");
        }
    }
}
