//! Commands: the requests that the caller makes.

use std::sync::Arc;

use base64::Engine as _;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, TRAILER, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::{Client, InvocationToken, MAX_PRELUDE, MAX_TRAILERS, Phase, Request, ResponseStream};
use crate::http1::{Outgoing, push_field, trailer_section};
use crate::{Endpoint, Misuse, Refused};

/// A buffered response.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Response {
    /// `application/json` for JSON.
    pub content_type: HeaderValue,
    /// At most 6,291,556 bytes; the API refuses more with 413.
    pub body: Bytes,
}

impl Response {
    /// Returns a response of this content type.
    pub fn new(content_type: HeaderValue, body: impl Into<Bytes>) -> Self {
        Self { content_type, body: body.into() }
    }

    /// Returns a response of type `application/json`.
    pub fn json(body: impl Into<Bytes>) -> Self {
        Self::new(HeaderValue::from_static("application/json"), body)
    }
}

/// The head of a streamed response.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum StreamHead {
    /// A response of an HTTP integration.
    Http {
        /// The metadata: JSON such as `{"statusCode":200,"headers":{},"cookies":[]}`. The machine sends it before the
        /// payload, followed by the delimiter (eight NUL bytes). Both must fit into [`MAX_PRELUDE`].
        prelude: Bytes,
    },
    /// A stream of bytes.
    Plain {
        /// The type of the bytes.
        content_type: HeaderValue,
    },
}

/// A report of a failure.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Failure {
    /// The value of `Lambda-Runtime-Function-Error-Type`. The API accepts `Function.Name` and `Runtime.Name`, with a name
    /// of ASCII letters; it replaces any other value.
    pub error_type: HeaderValue,
    /// JSON: `{"errorMessage": text, "errorType": text, "stackTrace": [text]}`.
    pub body: Bytes,
    /// The value of `Lambda-Runtime-Function-XRay-Error-Cause`: JSON for X-Ray. The API uses at most 64 KiB.
    pub xray_cause: Option<HeaderValue>,
}

impl Failure {
    /// Returns a failure without a cause for X-Ray.
    pub fn new(error_type: HeaderValue, body: impl Into<Bytes>) -> Self {
        Self { error_type, body: body.into(), xray_cause: None }
    }

    /// Sets [`xray_cause`](Self::xray_cause).
    pub fn xray_cause(self, xray_cause: HeaderValue) -> Self {
        Self { xray_cause: Some(xray_cause), ..self }
    }
}

const ERROR_TYPE: &str = "Lambda-Runtime-Function-Error-Type";
const ERROR_BODY: &str = "Lambda-Runtime-Function-Error-Body";

impl Client {
    /// Requests the next invocation, which arrives as [`Event::Invocation`](super::Event::Invocation), possibly hours
    /// later. Do not apply a timeout while the connection is alive: the API would deliver the event to it.
    ///
    /// # Errors
    ///
    /// An invocation is in hand, or the last request has no reply. With
    /// [`Config::pipelining`](super::Config::pipelining), an outcome that is not acknowledged yet is not an error.
    pub fn next_invocation(&mut self) -> Result<(), Misuse> {
        let pending = self.outstanding.iter().any(|request| !(self.pipelining && request.endpoint.posts_outcome()));
        match self.phase {
            Phase::Init | Phase::Idle if !pending => {}
            _ => return Err(self.wrong_state()),
        }
        self.phase = Phase::Idle;
        let mut head = self.head_storage();
        self.heads.next(&mut head);
        self.request(Endpoint::Next, Outgoing::buffered(head, Bytes::new()));
        Ok(())
    }

    /// Posts a buffered response.
    ///
    /// # Errors
    ///
    /// The token belongs to another machine or to an earlier invocation.
    pub fn respond(&mut self, token: InvocationToken, response: Response) -> Result<(), Refused<InvocationToken>> {
        self.redeem(token)?;
        let mut head = self.begin_outcome(Endpoint::Response);
        push_field(&mut head, "Content-Type", response.content_type.as_bytes());
        self.post_outcome(Endpoint::Response, head, response.body);
        Ok(())
    }

    /// Posts a failure.
    ///
    /// # Errors
    ///
    /// The token belongs to another machine or to an earlier invocation.
    pub fn fail(&mut self, token: InvocationToken, failure: Failure) -> Result<(), Refused<InvocationToken>> {
        self.redeem(token)?;
        let mut head = self.begin_outcome(Endpoint::Error);
        failure.push_fields(&mut head);
        self.post_outcome(Endpoint::Error, head, failure.body);
        Ok(())
    }

    /// Gives up an invocation without an outcome, because none can be delivered. The API notices it when the next
    /// invocation is requested, or when this one times out.
    ///
    /// # Errors
    ///
    /// The token belongs to another machine or to an earlier invocation.
    pub fn abandon(&mut self, token: InvocationToken) -> Result<(), Refused<InvocationToken>> {
        self.redeem(token)?;
        self.phase = Phase::Idle;
        Ok(())
    }

    /// Gives up an outcome that cannot be delivered, and returns the token of its invocation, so that a shorter outcome
    /// can be posted instead. Drops a pipelined request for the next invocation, too.
    ///
    /// Returns `None` if no buffered response or error is outstanding, or if a part of it was written on the current
    /// connection: call it after [`reset`](Self::reset).
    pub fn withdraw(&mut self) -> Option<InvocationToken> {
        let Request { endpoint, outgoing } = self.outstanding.first()?;
        if !endpoint.posts_outcome() || outgoing.is_started() || outgoing.is_open() {
            return None;
        }
        self.outstanding.clear();
        if self.has_holder() {
            self.identity = Arc::new(());
        }
        self.phase = Phase::InHand;
        Some(InvocationToken { identity: Arc::clone(&self.identity) })
    }

    /// Starts a streamed response. Follow with [`chunk`](Self::chunk), then [`finish`](Self::finish) or
    /// [`abort`](Self::abort).
    ///
    /// # Errors
    ///
    /// The token belongs to another machine or to an earlier invocation, or the prelude is too long.
    pub fn stream(
        &mut self,
        token: InvocationToken,
        head: StreamHead,
    ) -> Result<ResponseStream, Refused<InvocationToken>> {
        const DELIMITER: &[u8] = &[0; 8];
        let (content_type, prelude) = match head {
            StreamHead::Plain { content_type } => (content_type, None),
            StreamHead::Http { prelude } => {
                if prelude.len() + DELIMITER.len() > MAX_PRELUDE {
                    return Err(Refused { misuse: Misuse::PreludeTooLong(prelude.len()), token });
                }
                (HeaderValue::from_static("application/vnd.awslambda.http-integration-response"), Some(prelude))
            }
        };
        let identity = self.redeem(token)?;
        let mut head = self.begin_outcome(Endpoint::Response);
        push_field(&mut head, "Content-Type", content_type.as_bytes());
        push_field(&mut head, "Lambda-Runtime-Function-Response-Mode", b"streaming");
        push_field(&mut head, "Transfer-Encoding", b"chunked");
        push_field(&mut head, "Trailer", ERROR_TYPE.as_bytes());
        push_field(&mut head, "Trailer", ERROR_BODY.as_bytes());
        head.extend_from_slice(b"\r\n");
        let mut outgoing = Outgoing::chunked(head);
        if let Some(prelude) = prelude {
            outgoing.chunk(prelude);
            outgoing.chunk(Bytes::from_static(DELIMITER));
        }
        self.request(Endpoint::Response, outgoing);
        self.phase = Phase::Streaming;
        Ok(ResponseStream { identity })
    }

    /// Appends a chunk to a streamed response. An empty chunk is ignored, because on the wire it would end the response.
    ///
    /// # Errors
    ///
    /// [`Misuse::StreamOver`]: the API replied before the stream ended, its connection was lost, or the handle belongs to
    /// another machine.
    pub fn chunk(&mut self, stream: &ResponseStream, data: impl Into<Bytes>) -> Result<(), Misuse> {
        self.open_stream(stream).ok_or(Misuse::StreamOver)?.chunk(data.into());
        Ok(())
    }

    /// Ends a streamed response as complete.
    ///
    /// # Errors
    ///
    /// [`Misuse::StreamOver`], as for [`chunk`](Self::chunk).
    pub fn finish(&mut self, stream: ResponseStream) -> Result<(), Misuse> {
        self.end_stream(stream, b"\r\n").map_err(|refused| refused.misuse)
    }

    /// Ends a streamed response as complete, with these trailer fields.
    ///
    /// Fields that describe the framing
    /// (RFC 9110 [section 6.5.1](https://www.rfc-editor.org/rfc/rfc9110#section-6.5.1)) and those by which
    /// [`abort`](Self::abort) reports a failure are removed; returns their names.
    ///
    /// # Errors
    ///
    /// - [`Misuse::StreamOver`], as for [`chunk`](Self::chunk).
    /// - [`Misuse::TrailersTooLong`]: the remaining fields exceed [`MAX_TRAILERS`]. The stream stays open.
    pub fn finish_with_trailers(
        &mut self,
        stream: ResponseStream,
        trailers: &HeaderMap,
    ) -> Result<Vec<HeaderName>, Refused<ResponseStream>> {
        let fields = trailers.iter().filter(|(name, _)| !is_reserved(name));
        let section = trailer_section(fields.map(|(name, value)| (name.as_str(), value.as_bytes())));
        self.end_stream(stream, &section)?;
        Ok(trailers.keys().filter(|name| is_reserved(name)).cloned().collect())
    }

    /// Ends a streamed response as incomplete, with the failure in its trailers.
    ///
    /// # Errors
    ///
    /// - [`Misuse::StreamOver`], as for [`chunk`](Self::chunk).
    /// - [`Misuse::TrailersTooLong`]: the failure, whose body is sent in base64, exceeds [`MAX_TRAILERS`]. The stream
    ///   stays open.
    pub fn abort(&mut self, stream: ResponseStream, failure: Failure) -> Result<(), Refused<ResponseStream>> {
        let body = base64::engine::general_purpose::STANDARD.encode(&failure.body);
        let fields = [(ERROR_TYPE, failure.error_type.as_bytes()), (ERROR_BODY, body.as_bytes())];
        self.end_stream(stream, &trailer_section(fields))
    }

    fn end_stream(&mut self, stream: ResponseStream, trailers: &[u8]) -> Result<(), Refused<ResponseStream>> {
        let refused = match self.open_stream(&stream) {
            None => Misuse::StreamOver,
            Some(_) if trailers.len() > MAX_TRAILERS => Misuse::TrailersTooLong(trailers.len()),
            Some(outgoing) => {
                outgoing.end(trailers);
                self.phase = Phase::Idle;
                return Ok(());
            }
        };
        Err(Refused { misuse: refused, token: stream })
    }

    /// Aborts the response whose handle was dropped.
    pub(super) fn abort_if_dropped(&mut self) {
        if self.phase != Phase::Streaming || self.has_holder() {
            return;
        }
        let failure = Failure::new(
            HeaderValue::from_static("Runtime.StreamDropped"),
            Bytes::from_static(
                br#"{"errorMessage":"the response stream was dropped before its end","errorType":"Runtime.StreamDropped","stackTrace":[]}"#,
            ),
        );
        // Cannot be refused: the handle equals the dropped one, and the failure is short.
        let stream = ResponseStream { identity: Arc::clone(&self.identity) };
        let _ = self.abort(stream, failure);
    }

    /// Reports that start-up failed, before the first [`next_invocation`](Self::next_invocation). The process should exit
    /// afterwards.
    ///
    /// # Errors
    ///
    /// Another request is outstanding, or this is after the first `next_invocation`.
    pub fn init_error(&mut self, failure: Failure) -> Result<(), Misuse> {
        self.require_init()?;
        self.report(Endpoint::InitError, failure);
        Ok(())
    }

    /// SnapStart: reports that initialisation is complete, and waits until the environment is restored from the snapshot.
    /// Open another connection afterwards, because this one does not survive.
    ///
    /// # Errors
    ///
    /// Another request is outstanding, or this is after the first [`next_invocation`](Self::next_invocation).
    pub fn restore_next(&mut self) -> Result<(), Misuse> {
        self.require_init()?;
        self.get(Endpoint::RestoreNext, None);
        Ok(())
    }

    /// SnapStart: reports that a hook failed after the environment was restored. The process should exit afterwards.
    ///
    /// # Errors
    ///
    /// Another request is outstanding, or this is after the first [`next_invocation`](Self::next_invocation).
    pub fn restore_error(&mut self, failure: Failure) -> Result<(), Misuse> {
        self.require_init()?;
        self.report(Endpoint::RestoreError, failure);
        Ok(())
    }

    /// Registers an extension, before the first [`next_invocation`](Self::next_invocation). `body` is JSON such as
    /// `{"events":[]}`. Pass the reply's header `Lambda-Extension-Identifier` to
    /// [`next_extension_event`](Self::next_extension_event).
    ///
    /// # Errors
    ///
    /// Another request is outstanding, or this is after the first `next_invocation`.
    pub fn register_extension(&mut self, name: &HeaderValue, body: impl Into<Bytes>) -> Result<(), Misuse> {
        self.require_init()?;
        let endpoint = Endpoint::RegisterExtension;
        let mut head = self.begin(endpoint);
        push_field(&mut head, "Lambda-Extension-Name", name.as_bytes());
        push_field(&mut head, "Content-Type", b"application/json");
        self.post(endpoint, head, body.into());
        Ok(())
    }

    /// Requests the next event of a registered extension, which may never arrive. Use a separate connection.
    ///
    /// # Errors
    ///
    /// Another request is outstanding, or this is after the first [`next_invocation`](Self::next_invocation).
    pub fn next_extension_event(&mut self, identifier: &HeaderValue) -> Result<(), Misuse> {
        self.require_init()?;
        self.get(Endpoint::NextExtensionEvent, Some(("Lambda-Extension-Identifier", identifier)));
        Ok(())
    }

    /// Requests the metadata of the execution environment. The endpoint has a separate address, so use a separate
    /// connection. `authorization` is `Bearer` and the token.
    ///
    /// # Errors
    ///
    /// Another request is outstanding, or this is after the first [`next_invocation`](Self::next_invocation).
    pub fn metadata(&mut self, authorization: &HeaderValue) -> Result<(), Misuse> {
        self.require_init()?;
        self.get(Endpoint::Metadata, Some(("Authorization", authorization)));
        Ok(())
    }

    fn require_init(&self) -> Result<(), Misuse> {
        match self.phase {
            Phase::Init if self.outstanding.is_empty() => Ok(()),
            _ => Err(self.wrong_state()),
        }
    }

    /// Consumes the token of the invocation in hand and returns its identity.
    fn redeem(&self, token: InvocationToken) -> Result<Arc<()>, Refused<InvocationToken>> {
        if self.phase == Phase::InHand && Arc::ptr_eq(&self.identity, &token.identity) {
            Ok(token.identity)
        } else {
            Err(Refused { misuse: Misuse::ForeignToken, token })
        }
    }

    fn open_stream(&mut self, stream: &ResponseStream) -> Option<&mut Outgoing> {
        if self.phase != Phase::Streaming || !Arc::ptr_eq(&self.identity, &stream.identity) {
            return None;
        }
        self.outstanding.iter_mut().map(|request| &mut request.outgoing).find(|outgoing| outgoing.is_open())
    }

    fn get(&mut self, endpoint: Endpoint, field: Option<(&str, &HeaderValue)>) {
        let mut head = self.begin(endpoint);
        if let Some((name, value)) = field {
            push_field(&mut head, name, value.as_bytes());
        }
        head.extend_from_slice(b"\r\n");
        self.request(endpoint, Outgoing::buffered(head, Bytes::new()));
    }

    fn report(&mut self, endpoint: Endpoint, failure: Failure) {
        let mut head = self.begin(endpoint);
        failure.push_fields(&mut head);
        self.post(endpoint, head, failure.body);
    }

    fn post_outcome(&mut self, endpoint: Endpoint, head: Vec<u8>, body: Bytes) {
        self.phase = Phase::Idle;
        self.post(endpoint, head, body);
    }

    /// Completes a head and queues the request.
    fn post(&mut self, endpoint: Endpoint, mut head: Vec<u8>, body: Bytes) {
        push_field(&mut head, "Content-Length", itoa::Buffer::new().format(body.len()).as_bytes());
        head.extend_from_slice(b"\r\n");
        self.request(endpoint, Outgoing::buffered(head, body));
    }

    fn begin(&mut self, endpoint: Endpoint) -> Vec<u8> {
        let mut head = self.head_storage();
        self.heads.begin(&mut head, endpoint, "");
        head
    }

    fn begin_outcome(&mut self, endpoint: Endpoint) -> Vec<u8> {
        let mut head = self.head_storage();
        self.heads.begin(&mut head, endpoint, &self.request_id);
        if let Some(id) = &self.invocation_id {
            push_field(&mut head, "Lambda-Runtime-Invocation-Id", id.as_bytes());
        }
        head
    }
}

impl Failure {
    fn push_fields(&self, head: &mut Vec<u8>) {
        push_field(head, "Content-Type", b"application/json");
        push_field(head, ERROR_TYPE, self.error_type.as_bytes());
        if let Some(cause) = &self.xray_cause {
            push_field(head, "Lambda-Runtime-Function-XRay-Error-Cause", cause.as_bytes());
        }
    }
}

/// Whether the caller must not set this trailer field.
fn is_reserved(name: &HeaderName) -> bool {
    [CONTENT_LENGTH, TRANSFER_ENCODING, TRAILER].contains(name)
        || [ERROR_TYPE, ERROR_BODY].iter().any(|reserved| name.as_str().eq_ignore_ascii_case(reserved))
}
