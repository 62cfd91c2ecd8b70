//! Commands: what the caller wants said to the API.

use std::io::Write as _;
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
    /// The response of an HTTP integration: JSON such as `{"statusCode":200,"headers":{},"cookies":[]}`, which the
    /// machine sends ahead of the payload with the delimiter that the API wants (eight NUL bytes). Both must fit into
    /// [`MAX_PRELUDE`].
    Http {
        /// The JSON.
        prelude: Bytes,
    },
    /// A plain stream of bytes.
    Plain {
        /// What the bytes are.
        content_type: HeaderValue,
    },
}

/// A report of a failure.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Failure {
    /// The value of `Lambda-Runtime-Function-Error-Type`. The API keeps what has the form `Function.Name` or
    /// `Runtime.Name`, with a name of ASCII letters; it replaces anything else.
    pub error_type: HeaderValue,
    /// JSON: `{"errorMessage": text, "errorType": text, "stackTrace": [text]}`.
    pub body: Bytes,
    /// The value of `Lambda-Runtime-Function-XRay-Error-Cause`: JSON for X-Ray, of which the API uses at most 64 KiB.
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
    /// Asks for the next invocation. It comes as [`Event::Invocation`](super::Event::Invocation), perhaps hours later:
    /// never give up on it while its connection lives.
    ///
    /// # Errors
    ///
    /// While an invocation is in hand, or the answer to the last request is outstanding (an answer to an invocation
    /// may be with [`Config::pipelining`](super::Config::pipelining)).
    pub fn next_invocation(&mut self) -> Result<(), Misuse> {
        let pending = self.outstanding.iter().any(|request| !(self.pipelining && request.endpoint.posts_outcome()));
        match self.phase {
            Phase::Init | Phase::Idle if !pending => {}
            _ => return Err(self.wrong_state()),
        }
        self.phase = Phase::Idle;
        let mut head = self.head_storage();
        self.heads.next(&mut head);
        self.request(Endpoint::Next, Outgoing::whole(head, Bytes::new()));
        Ok(())
    }

    /// Answers the invocation with a whole response.
    ///
    /// # Errors
    ///
    /// The token is of another machine or of an invocation that is over.
    pub fn respond(&mut self, token: InvocationToken, response: Response) -> Result<(), Refused<InvocationToken>> {
        self.redeem(token)?;
        let mut head = self.begin_answer(Endpoint::Response);
        push_field(&mut head, "Content-Type", response.content_type.as_bytes());
        self.answer(Endpoint::Response, head, response.body);
        Ok(())
    }

    /// Answers the invocation with a failure.
    ///
    /// # Errors
    ///
    /// The token is of another machine or of an invocation that is over.
    pub fn fail(&mut self, token: InvocationToken, failure: Failure) -> Result<(), Refused<InvocationToken>> {
        self.redeem(token)?;
        let mut head = self.begin_answer(Endpoint::Error);
        failure.push_fields(&mut head);
        self.answer(Endpoint::Error, head, failure.body);
        Ok(())
    }

    /// Gives up an invocation without an outcome: nothing can be delivered. The API learns of it when the next
    /// invocation is requested, or when this one times out.
    ///
    /// # Errors
    ///
    /// The token belongs to another machine or to an invocation that is over.
    pub fn abandon(&mut self, token: InvocationToken) -> Result<(), Refused<InvocationToken>> {
        self.redeem(token)?;
        self.phase = Phase::Idle;
        Ok(())
    }

    /// Gives up an outcome that cannot be delivered, and returns the token of its invocation, so that a shorter one can be
    /// sent instead. A request for the next invocation that was pipelined after it is dropped, too.
    ///
    /// `None` if no buffered response or error is outstanding, or if parts of it were written on the current connection:
    /// call it after [`reset`](Self::reset).
    pub fn withdraw(&mut self) -> Option<InvocationToken> {
        let Request { endpoint, outgoing } = self.outstanding.front()?;
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

    /// Starts to answer the invocation with a streamed response. Follow with [`chunk`](Self::chunk), then
    /// [`finish`](Self::finish) or [`abort`](Self::abort).
    ///
    /// # Errors
    ///
    /// The token is of another machine or of an invocation that is over, or the prelude is too long.
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
        let mut head = self.begin_answer(Endpoint::Response);
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

    /// Appends a chunk to a streamed response. An empty one is left out: on the wire it would end the response.
    ///
    /// # Errors
    ///
    /// [`Misuse::StreamOver`]: the API ended the stream, or its connection was lost, or it is another machine's.
    pub fn chunk(&mut self, stream: &ResponseStream, data: impl Into<Bytes>) -> Result<(), Misuse> {
        self.open_stream(stream).ok_or(Misuse::StreamOver)?.chunk(data.into());
        Ok(())
    }

    /// Ends a streamed response: it is complete.
    ///
    /// # Errors
    ///
    /// [`Misuse::StreamOver`], as for [`chunk`](Self::chunk).
    pub fn finish(&mut self, stream: ResponseStream) -> Result<(), Misuse> {
        self.end_stream(stream, b"\r\n").map_err(|refused| refused.misuse)
    }

    /// Ends a streamed response: it is complete and has these trailer fields.
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

    /// Ends a streamed response that failed midway: the trailers mark it as incomplete and contain the failure.
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
        // This is the handle again, and the report is short: nothing is refused.
        let stream = ResponseStream { identity: Arc::clone(&self.identity) };
        let _ = self.abort(stream, failure);
    }

    /// Reports that start-up failed, before the first [`next_invocation`](Self::next_invocation). The process is to end afterwards.
    ///
    /// # Errors
    ///
    /// While another request is outstanding, or after the first `next_invocation`.
    pub fn init_error(&mut self, failure: Failure) -> Result<(), Misuse> {
        self.require_init()?;
        self.report(Endpoint::InitError, failure);
        Ok(())
    }

    /// SnapStart: says that initialisation is done and waits until the environment is restored from the snapshot. The
    /// connection does not survive that: open another one afterwards.
    ///
    /// # Errors
    ///
    /// While another request is outstanding, or after the first [`next_invocation`](Self::next_invocation).
    pub fn restore_next(&mut self) -> Result<(), Misuse> {
        self.require_init()?;
        self.get(Endpoint::RestoreNext, None);
        Ok(())
    }

    /// SnapStart: reports that a hook failed after the environment was restored. The process is to end afterwards.
    ///
    /// # Errors
    ///
    /// While another request is outstanding, or after the first [`next_invocation`](Self::next_invocation).
    pub fn restore_error(&mut self, failure: Failure) -> Result<(), Misuse> {
        self.require_init()?;
        self.report(Endpoint::RestoreError, failure);
        Ok(())
    }

    /// Registers an extension, before the first [`next_invocation`](Self::next_invocation). `body` is JSON such as `{"events":[]}`. The
    /// answer's header `Lambda-Extension-Identifier` is needed for
    /// [`next_extension_event`](Self::next_extension_event).
    ///
    /// # Errors
    ///
    /// While another request is outstanding, or after the first `next_invocation`.
    pub fn register_extension(&mut self, name: &HeaderValue, body: impl Into<Bytes>) -> Result<(), Misuse> {
        self.require_init()?;
        let endpoint = Endpoint::RegisterExtension;
        let mut head = self.begin(endpoint);
        push_field(&mut head, "Lambda-Extension-Name", name.as_bytes());
        push_field(&mut head, "Content-Type", b"application/json");
        self.post(endpoint, head, body.into());
        Ok(())
    }

    /// Asks for the next event of a registered extension, perhaps for ever. It belongs on a connection of its own.
    ///
    /// # Errors
    ///
    /// While another request is outstanding, or after the first [`next_invocation`](Self::next_invocation).
    pub fn next_extension_event(&mut self, identifier: &HeaderValue) -> Result<(), Misuse> {
        self.require_init()?;
        self.get(Endpoint::NextExtensionEvent, Some(("Lambda-Extension-Identifier", identifier)));
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
        self.request(endpoint, Outgoing::whole(head, Bytes::new()));
    }

    fn report(&mut self, endpoint: Endpoint, failure: Failure) {
        let mut head = self.begin(endpoint);
        failure.push_fields(&mut head);
        self.post(endpoint, head, failure.body);
    }

    /// Completes an answer to the invocation in hand.
    fn answer(&mut self, endpoint: Endpoint, head: Vec<u8>, body: Bytes) {
        self.phase = Phase::Idle;
        self.post(endpoint, head, body);
    }

    /// Completes a head and queues the request.
    fn post(&mut self, endpoint: Endpoint, mut head: Vec<u8>, body: Bytes) {
        // Writing to a Vec does not fail.
        let _ = write!(head, "Content-Length: {}\r\n\r\n", body.len());
        self.request(endpoint, Outgoing::whole(head, body));
    }

    fn begin(&mut self, endpoint: Endpoint) -> Vec<u8> {
        let mut head = self.head_storage();
        self.heads.begin(&mut head, endpoint, "");
        head
    }

    fn begin_answer(&mut self, endpoint: Endpoint) -> Vec<u8> {
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

/// Whether a trailer field is not for the caller to set.
fn is_reserved(name: &HeaderName) -> bool {
    [CONTENT_LENGTH, TRANSFER_ENCODING, TRAILER].contains(name)
        || [ERROR_TYPE, ERROR_BODY].iter().any(|reserved| name.as_str().eq_ignore_ascii_case(reserved))
}
