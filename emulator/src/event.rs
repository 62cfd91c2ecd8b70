//! The input of an invocation.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue};

use crate::{InvalidPayload, MAX_EVENT, json};

/// An event and the headers that are delivered with it.
///
/// Text, bytes and JSON values convert into an event. The methods set what a test needs beyond the payload:
///
/// ```
/// use std::time::Duration;
/// use lambda_runtime_emulator::Event;
///
/// let event = Event::new(r#"{"name":"World"}"#)
///     .trace_id("Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1")
///     .tenant_id("blue")
///     .timeout(Duration::from_secs(1));
/// ```
///
/// The emulator adds `Content-Type`, `Lambda-Runtime-Aws-Request-Id`, `Lambda-Runtime-Deadline-Ms`,
/// `Lambda-Runtime-Invoked-Function-Arn` and `Lambda-Runtime-Trace-Id`, as Lambda does; [`header`](Self::header)
/// replaces such a header and [`without`](Self::without) omits it.
#[derive(Debug, Clone)]
pub struct Event {
    payload: Bytes,
    request_id: Option<String>,
    timeout: Option<Duration>,
    headers: Vec<(&'static str, HeaderValue)>,
    omitted: Vec<&'static str>,
    /// The first header whose value HTTP does not allow.
    invalid: Option<&'static str>,
}

pub(crate) const REQUEST_ID: &str = "Lambda-Runtime-Aws-Request-Id";
pub(crate) const DEADLINE: &str = "Lambda-Runtime-Deadline-Ms";
pub(crate) const ARN: &str = "Lambda-Runtime-Invoked-Function-Arn";
pub(crate) const TRACE_ID: &str = "Lambda-Runtime-Trace-Id";
pub(crate) const INVOCATION_ID: &str = "Lambda-Runtime-Invocation-Id";

impl Event {
    /// An event with this payload. Any bytes are delivered as they are; see [`json`](Self::json).
    pub fn new(payload: impl Into<Bytes>) -> Self {
        Self {
            payload: payload.into(),
            request_id: None,
            timeout: None,
            headers: Vec::new(),
            omitted: Vec::new(),
            invalid: None,
        }
    }

    /// An event with a payload that Lambda's [Invoke](https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html)
    /// accepts: JSON of at most [`MAX_EVENT`] bytes.
    ///
    /// # Errors
    ///
    /// The payload is larger, or it is not JSON.
    pub fn json(payload: impl Into<Bytes>) -> Result<Self, InvalidPayload> {
        let payload = payload.into();
        if payload.len() > MAX_EVENT {
            return Err(InvalidPayload::TooLarge);
        }
        json::check(&payload).map_err(InvalidPayload::NotJson)?;
        Ok(Self::new(payload))
    }

    /// Sets the request id. Default: a new UUID.
    pub fn request_id(mut self, id: impl Into<String>) -> Self {
        self.request_id = Some(id.into());
        self
    }

    /// Sets the timeout of this invocation. Default: [`Builder::timeout`](crate::Builder::timeout).
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sets `Lambda-Runtime-Trace-Id`, for X-Ray. Default: a new id that is not sampled.
    pub fn trace_id(self, trace_id: impl AsRef<[u8]>) -> Self {
        self.header(TRACE_ID, trace_id)
    }

    /// Sets `Lambda-Runtime-Client-Context`: JSON, `{"client":{},"custom":{},"env":{}}`. It may be pretty-printed: line
    /// breaks and other whitespace between its tokens are removed.
    pub fn client_context(self, json: impl AsRef<[u8]>) -> Self {
        const NAME: &str = "Lambda-Runtime-Client-Context";
        match json::compact(json.as_ref()) {
            Some(compact) => self.header(NAME, compact),
            None => self.header(NAME, json),
        }
    }

    /// Sets `Lambda-Runtime-Cognito-Identity`.
    pub fn cognito_identity(self, identity_id: &str, identity_pool_id: &str) -> Self {
        let json = serde_json::json!({"cognitoIdentityId": identity_id, "cognitoIdentityPoolId": identity_pool_id});
        self.header("Lambda-Runtime-Cognito-Identity", json.to_string())
    }

    /// Sets `Lambda-Runtime-Aws-Tenant-Id`, for functions with tenant isolation.
    pub fn tenant_id(self, tenant_id: impl AsRef<[u8]>) -> Self {
        self.header("Lambda-Runtime-Aws-Tenant-Id", tenant_id)
    }

    /// Sets `Lambda-Runtime-Invocation-Id`. A response or error that does not echo it is refused.
    pub fn invocation_id(self, invocation_id: impl AsRef<[u8]>) -> Self {
        self.header(INVOCATION_ID, invocation_id)
    }

    /// Adds any header; a name that is added twice is sent twice. It replaces a header that the emulator adds.
    pub fn header(mut self, name: &'static str, value: impl AsRef<[u8]>) -> Self {
        match (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value.as_ref())) {
            (Ok(_), Ok(value)) => self.headers.push((name, value)),
            _ => self.invalid = self.invalid.or(Some(name)),
        }
        self
    }

    /// Omits a header that the emulator adds.
    pub fn without(mut self, name: &'static str) -> Self {
        self.omitted.push(name);
        self
    }

    /// Replaces the payload.
    pub fn with_payload(self, payload: Bytes) -> Self {
        Self { payload, ..self }
    }

    /// The payload.
    pub fn payload(&self) -> &Bytes {
        &self.payload
    }

    /// Bytes that the event occupies in memory, approximately.
    pub(crate) fn size(&self) -> usize {
        self.headers.iter().fold(self.payload.len(), |size, (_, value)| size.saturating_add(value.len()))
    }

    pub(crate) fn chosen_request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    pub(crate) fn chosen_timeout(&self) -> Option<Duration> {
        self.timeout
    }

    pub(crate) fn headers(&self) -> impl Iterator<Item = &(&'static str, HeaderValue)> {
        self.headers.iter()
    }

    /// Whether the emulator adds this header.
    pub(crate) fn wants_default(&self, name: &str) -> bool {
        let set = self.headers.iter().map(|(name, _)| name);
        !set.chain(&self.omitted).any(|mentioned| mentioned.eq_ignore_ascii_case(name))
    }

    /// The first value that was set for a header.
    pub(crate) fn value(&self, name: &str) -> Option<&HeaderValue> {
        self.headers.iter().find(|(set, _)| set.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The value that a response or error must echo.
    pub(crate) fn echo(&self) -> Option<&HeaderValue> {
        self.value(INVOCATION_ID).filter(|value| !value.is_empty())
    }

    pub(crate) fn invalid_header(&self) -> Option<&'static str> {
        self.invalid
    }
}

impl From<Bytes> for Event {
    fn from(payload: Bytes) -> Self {
        Self::new(payload)
    }
}

impl From<Vec<u8>> for Event {
    fn from(payload: Vec<u8>) -> Self {
        Self::new(payload)
    }
}

impl From<String> for Event {
    fn from(payload: String) -> Self {
        Self::new(payload)
    }
}

impl From<&str> for Event {
    fn from(payload: &str) -> Self {
        Self::new(Bytes::copy_from_slice(payload.as_bytes()))
    }
}

impl From<serde_json::Value> for Event {
    fn from(payload: serde_json::Value) -> Self {
        Self::new(payload.to_string())
    }
}
