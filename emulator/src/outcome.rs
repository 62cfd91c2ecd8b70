//! The outcome of an invocation.

use bytes::Bytes;
use http::HeaderMap;

use crate::prelude::Prelude;
use crate::text::shortened;

/// The outcome of an invocation: the part of the response that arrived, and how the invocation ended.
///
/// The two are separate because a streamed response can fail midway: then there is a part of a response *and* an error.
#[derive(Debug, Clone)]
pub struct Outcome {
    head: Option<ResponseHead>,
    body: Bytes,
    trailers: HeaderMap,
    end: End,
}

/// How an invocation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum End {
    /// The function responded, and the response is complete.
    Complete,
    /// The function reported an error (on /error, in the trailers of a streamed response, or on /init/error), or Lambda
    /// reports one for it: the response was too large, or the process ended.
    Failed(FunctionError),
    /// The response is incomplete: its connection was closed, or its bytes were not valid HTTP.
    Truncated(FunctionError),
    /// The timeout passed.
    TimedOut(FunctionError),
}

impl End {
    /// The error that the caller gets; `None` if the response is complete.
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

    /// The value of `Content-Type`, if it is text.
    pub fn content_type(&self) -> Option<&str> {
        self.headers.get(http::header::CONTENT_TYPE)?.to_str().ok()
    }

    /// Whether the runtime streams the response.
    pub fn is_streamed(&self) -> bool {
        self.headers.get(RESPONSE_MODE).is_some_and(|mode| mode == "streaming")
    }

    /// Whether the body starts with a [prelude](Outcome::prelude).
    pub fn has_prelude(&self) -> bool {
        self.content_type() == Some("application/vnd.awslambda.http-integration-response")
    }
}

pub(crate) const RESPONSE_MODE: &str = "lambda-runtime-function-response-mode";

impl Outcome {
    pub(crate) fn new(head: Option<ResponseHead>, body: Bytes, trailers: HeaderMap, end: End) -> Self {
        Self { head, body, trailers, end }
    }

    /// How the invocation ended.
    pub fn end(&self) -> &End {
        &self.end
    }

    /// Whether the function responded and the response is complete.
    pub fn is_complete(&self) -> bool {
        self.end == End::Complete
    }

    /// The error that the caller gets; `None` if the response is complete.
    pub fn error(&self) -> Option<&FunctionError> {
        self.end.error()
    }

    /// The head of the response, if one has begun.
    pub fn head(&self) -> Option<&ResponseHead> {
        self.head.as_ref()
    }

    /// The part of the response's body that arrived; empty without a response.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The trailers of a response that is complete, as the runtime sent them; including those that report an error.
    pub fn trailers(&self) -> &HeaderMap {
        &self.trailers
    }

    /// The body as text. Bytes that are not UTF-8 are replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Errors
    ///
    /// The body is not JSON.
    pub fn json(&self) -> serde_json::Result<serde_json::Value> {
        serde_json::from_slice(&self.body)
    }

    /// The content type of the response.
    pub fn content_type(&self) -> Option<&str> {
        self.head.as_ref()?.content_type()
    }

    /// Whether the response was streamed.
    pub fn is_streamed(&self) -> bool {
        self.head.as_ref().is_some_and(ResponseHead::is_streamed)
    }

    /// The metadata prelude of a streamed HTTP response: JSON with the status, headers and cookies. In the body it
    /// precedes eight NUL bytes and the payload.
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
    /// An error that a runtime reported.
    pub(crate) fn reported(sent_type: Option<&str>, body: Bytes, xray_cause: Option<&str>) -> Self {
        let sent = sent_type.unwrap_or_default();
        Self {
            error_type: normalized_type(sent).to_owned(),
            sent_type: sent_type.map(str::to_owned),
            body,
            xray_cause: xray_cause.map(str::to_owned),
        }
    }

    /// An error that Lambda itself reports.
    pub(crate) fn of_platform(error_type: &'static str, message: &str) -> Self {
        let body = serde_json::json!({"errorType": error_type, "errorMessage": message}).to_string();
        Self { error_type: error_type.to_owned(), sent_type: None, body: body.into(), xray_cause: None }
    }

    /// The error as it is retained.
    pub(crate) fn shortened(&self) -> Self {
        const MAX_BODY: usize = 64 * 1024;
        Self {
            error_type: shortened(&self.error_type),
            sent_type: self.sent_type.as_deref().map(shortened),
            body: Bytes::copy_from_slice(self.body.get(..MAX_BODY).unwrap_or(&self.body)),
            xray_cause: self.xray_cause.as_deref().map(shortened),
        }
    }

    /// The type as Lambda keeps it: `Function.…` or `Runtime.…`. Any other type is replaced with `Runtime.Unknown`.
    pub fn error_type(&self) -> &str {
        &self.error_type
    }

    /// The type as the runtime sent it, in the header or trailer `Lambda-Runtime-Function-Error-Type`.
    pub fn sent_type(&self) -> Option<&str> {
        self.sent_type.as_deref()
    }

    /// The error: usually JSON, `{"errorMessage":"…","errorType":"…","stackTrace":[]}`. The value of a trailer is
    /// decoded.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The body as JSON.
    ///
    /// # Errors
    ///
    /// The body is not JSON.
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

/// Lambda keeps a type that contains a match of `(Runtime|Function)\.[A-Z][a-zA-Z]+`, and replaces any other.
fn normalized_type(sent: &str) -> &str {
    let has_name_after = |prefix: &str| {
        sent.match_indices(prefix).any(|(at, _)| {
            let mut name = sent.bytes().skip(at + prefix.len());
            name.next().is_some_and(|b| b.is_ascii_uppercase()) && name.next().is_some_and(|b| b.is_ascii_alphabetic())
        })
    };
    if has_name_after("Runtime.") || has_name_after("Function.") {
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
            assert_eq!(normalized_type(kept), kept);
        }
        assert_eq!(normalized_type("Function.panic"), "Function.Unknown");
        assert_eq!(normalized_type("Function.X"), "Function.Unknown");
        for unknown in ["", "unhandled", "Runtime.", "Runtime.x", "Error"] {
            assert_eq!(normalized_type(unknown), "Runtime.Unknown", "{unknown:?}");
        }
    }
}
