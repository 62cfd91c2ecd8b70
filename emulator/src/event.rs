//! What a function is invoked with.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue};

/// An event and the headers that come with it.
///
/// Anything that is text or bytes becomes an event by itself. What a test wants to say besides is said step by step:
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
/// The emulator sends `Content-Type`, `Lambda-Runtime-Aws-Request-Id`, `Lambda-Runtime-Deadline-Ms` and
/// `Lambda-Runtime-Invoked-Function-Arn` by itself; [`header`](Self::header) puts another value in their place and
/// [`without`](Self::without) leaves them out.
#[derive(Debug, Clone)]
pub struct Event {
    payload: Bytes,
    request_id: Option<String>,
    timeout: Option<Duration>,
    headers: Vec<(&'static str, HeaderValue)>,
    left_out: Vec<&'static str>,
    /// The first header whose value cannot stand in HTTP.
    invalid: Option<&'static str>,
}

pub(crate) const REQUEST_ID: &str = "Lambda-Runtime-Aws-Request-Id";
pub(crate) const DEADLINE: &str = "Lambda-Runtime-Deadline-Ms";
pub(crate) const ARN: &str = "Lambda-Runtime-Invoked-Function-Arn";
pub(crate) const TRACE_ID: &str = "Lambda-Runtime-Trace-Id";
pub(crate) const INVOCATION_ID: &str = "Lambda-Runtime-Invocation-Id";

impl Event {
    /// An event with this payload: JSON as a rule, but any bytes are sent as they are.
    pub fn new(payload: impl Into<Bytes>) -> Self {
        Self {
            payload: payload.into(),
            request_id: None,
            timeout: None,
            headers: Vec::new(),
            left_out: Vec::new(),
            invalid: None,
        }
    }

    /// Sets the request id, which is a new UUID otherwise.
    pub fn request_id(mut self, id: impl Into<String>) -> Self {
        self.request_id = Some(id.into());
        self
    }

    /// Sets the time that the function has for this event, in place of [`Builder::timeout`](crate::Builder::timeout).
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sets `Lambda-Runtime-Trace-Id`, for X-Ray.
    pub fn trace_id(self, trace_id: impl AsRef<[u8]>) -> Self {
        self.header(TRACE_ID, trace_id)
    }

    /// Sets `Lambda-Runtime-Client-Context`: JSON, `{"client":{},"custom":{},"env":{}}`.
    pub fn client_context(self, json: impl AsRef<[u8]>) -> Self {
        self.header("Lambda-Runtime-Client-Context", json)
    }

    /// Sets `Lambda-Runtime-Cognito-Identity`.
    pub fn cognito_identity(self, identity_id: &str, identity_pool_id: &str) -> Self {
        let json = serde_json::json!({"cognitoIdentityId": identity_id, "cognitoIdentityPoolId": identity_pool_id});
        self.header("Lambda-Runtime-Cognito-Identity", json.to_string())
    }

    /// Sets `Lambda-Runtime-Aws-Tenant-Id`, which functions with tenant isolation get.
    pub fn tenant_id(self, tenant_id: impl AsRef<[u8]>) -> Self {
        self.header("Lambda-Runtime-Aws-Tenant-Id", tenant_id)
    }

    /// Sets `Lambda-Runtime-Invocation-Id`. An answer that does not echo it is refused.
    pub fn invocation_id(self, invocation_id: impl AsRef<[u8]>) -> Self {
        self.header(INVOCATION_ID, invocation_id)
    }

    /// Adds a header, whatever it is; a name given twice is sent twice. One that the emulator would send by itself is
    /// replaced.
    pub fn header(mut self, name: &'static str, value: impl AsRef<[u8]>) -> Self {
        match (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value.as_ref())) {
            (Ok(_), Ok(value)) => self.headers.push((name, value)),
            _ => self.invalid = self.invalid.or(Some(name)),
        }
        self
    }

    /// Leaves out a header that the emulator would send by itself.
    pub fn without(mut self, name: &'static str) -> Self {
        self.left_out.push(name);
        self
    }

    pub(crate) fn with_payload(self, payload: Bytes) -> Self {
        Self { payload, ..self }
    }

    /// The payload.
    pub fn payload(&self) -> &Bytes {
        &self.payload
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

    /// The emulator is to send this header by itself.
    pub(crate) fn wants_default(&self, name: &str) -> bool {
        let set = self.headers.iter().map(|(name, _)| name);
        !set.chain(&self.left_out).any(|mentioned| mentioned.eq_ignore_ascii_case(name))
    }

    /// The value that answers must echo.
    pub(crate) fn echo(&self) -> Option<&HeaderValue> {
        let mut values = self.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(INVOCATION_ID));
        values.next().map(|(_, value)| value).filter(|value| !value.is_empty())
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
