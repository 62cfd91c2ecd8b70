//! One request of a runtime, while it is received.

use std::sync::Arc;

use base64::Engine as _;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};
use lambda_runtime_proto::server::{Reply, Request, Route, Trailers};
use lambda_runtime_proto::{CloseReason, Endpoint, Headers};

use super::metadata;
use super::outcomes::Refused;
use super::{Api, Pending};
use crate::access::is_from_browser;
use crate::budget::Reservation;
use crate::decided::Decided;
use crate::text::shortened;
use crate::{End, FunctionError, MAX_RESPONSE, Observed, Refusal, ResponseHead, event};

/// A request whose body is being received.
pub(super) enum Exchange {
    /// A request with an irrelevant body, whose reply has to wait for something.
    Wait {
        waiting: Waiting,
        discarded: u64,
    },
    Response(Response),
    Report(Report),
    Decided(Decided),
}

/// The event or condition that a request waits for.
pub(super) enum Waiting {
    Next,
    Restore,
    Extension(Option<String>),
}

/// The next step after a request has been received.
pub(super) enum NextStep {
    Reply(Reply),
    Wait(Waiting),
}

/// A response to an invocation.
pub(super) struct Response {
    pending: Arc<Pending>,
    path: String,
    size: u64,
    body: Body,
}

enum Body {
    /// Passed to the caller once it is complete.
    Buffered(ResponseHead, BytesMut),
    /// Passed to the caller as it arrives.
    Streamed,
}

/// An error report, or the registration of an extension: a body that has to be complete.
pub(super) struct Report {
    endpoint: Endpoint,
    path: String,
    request_id: String,
    echo: Option<Vec<u8>>,
    error_type: Option<String>,
    xray_cause: Option<String>,
    extension: Option<String>,
    body: BytesMut,
    reservation: Reservation,
}

const ERROR_TYPE: &str = "lambda-runtime-function-error-type";
const ERROR_BODY: &str = "lambda-runtime-function-error-body";
const TO_RESPONSE: &str = "InvocationResponse";

impl Exchange {
    pub(super) fn new(api: &Api, request: &Request) -> Self {
        if is_from_browser(request) {
            let refused = Refused::new(403, "Forbidden", "Requests from web browsers are not accepted");
            return Self::decided(api.refuse(request.path(), &refused));
        }
        let Route::Api(endpoint, id) = request.route() else { return Self::of_no_endpoint(api, request) };
        let wait = |waiting| Self::Wait { waiting, discarded: 0 };
        match endpoint {
            Endpoint::Next => wait(Waiting::Next),
            Endpoint::RestoreNext => wait(Waiting::Restore),
            Endpoint::NextExtensionEvent => {
                wait(Waiting::Extension(request.headers().get_str("lambda-extension-identifier").map(str::to_owned)))
            }
            Endpoint::Metadata => Self::decided(metadata::reply(api, request)),
            Endpoint::Response => Self::of_response(api, request, id),
            _ => Self::Report(Report::new(api, endpoint, request, id)),
        }
    }

    fn of_no_endpoint(api: &Api, request: &Request) -> Self {
        let reply = match (request.method().as_str(), request.path()) {
            // AWS's emulator sends the same reply.
            ("PUT", "/2022-07-01/telemetry" | "/2020-08-15/logs") => {
                let refused = Refused::new(202, "Telemetry.NotSupported", "Telemetry API is not supported");
                refused.reply()
            }
            ("POST", "/2020-01-01/extension/init/error" | "/2020-01-01/extension/exit/error") => {
                api.extension_failed(request.headers().get_str("lambda-extension-identifier").unwrap_or_default());
                Reply::accepted()
            }
            (method, path) => {
                let message = format!("unknown endpoint {method} {}", shortened(path));
                api.refuse(path, &Refused::new(404, "NotFound", message))
            }
        };
        Self::decided(reply)
    }

    fn of_response(api: &Api, request: &Request, id: &str) -> Self {
        let echo = request.headers().get(event::INVOCATION_ID);
        let pending = match api.claim(id, echo, TO_RESPONSE) {
            Ok(pending) => pending,
            Err(refused) => return Self::decided(api.refuse(request.path(), &refused)),
        };
        let head = ResponseHead::new(header_map(request.headers()));
        let mode = request.headers().get(crate::outcome::RESPONSE_MODE);
        let body = match mode {
            None | Some(b"") => Body::Buffered(head, BytesMut::new()),
            Some(b"streaming") => {
                pending.pipe.start(head);
                Body::Streamed
            }
            Some(_) => {
                api.fail_response_mode(id);
                let refused = Refused::new(400, "InvalidFunctionResponseMode", "Invalid function response mode");
                return Self::decided(api.refuse(request.path(), &refused));
            }
        };
        Self::Response(Response { pending, path: request.path().to_owned(), size: 0, body })
    }

    fn decided(reply: Reply) -> Self {
        Self::Decided(Decided::new(reply))
    }

    /// Processes a piece of the body. Send a returned reply at once, before the rest arrives.
    pub(super) fn data(&mut self, api: &Api, data: Bytes) -> Option<Reply> {
        match self {
            Self::Wait { discarded, .. } => {
                *discarded = discarded.saturating_add(size(data.len()));
                (*discarded > Decided::DISCARD_LIMIT).then(|| Refused::too_large(Decided::DISCARD_LIMIT).reply())
            }
            Self::Response(response) => {
                *self = Self::decided(response.data(api, data)?);
                None
            }
            Self::Report(report) => {
                *self = Self::decided(report.data(api, &data)?);
                None
            }
            Self::Decided(decided) => decided.discard(data.len()),
        }
    }

    /// Processes the end of the request.
    pub(super) fn end(self, api: &Api, trailers: &Trailers) -> NextStep {
        match self {
            Self::Wait { waiting, .. } => NextStep::Wait(waiting),
            Self::Response(response) => NextStep::Reply(response.end(api, trailers)),
            Self::Report(report) => NextStep::Reply(report.end(api)),
            Self::Decided(decided) => NextStep::Reply(decided.into_reply()),
        }
    }

    /// Handles the end of a connection before that of the request. Truncates a response; the runtime resends anything else.
    pub(super) fn truncated(self, api: &Api, reason: &CloseReason) {
        if let Self::Response(response) = self {
            let message = format!("Response truncated: {reason}");
            let error = FunctionError::of_platform("Runtime.TruncatedResponse", &message);
            api.finish(&response.pending.request_id, End::Truncated(error));
        }
    }
}

impl Response {
    /// Bytes received of an oversized buffered response, which may never end. AWS's emulator has no such limit.
    const OVERSIZE_LIMIT: u64 = 64 * 1024 * 1024;

    fn data(&mut self, api: &Api, data: Bytes) -> Option<Reply> {
        self.size = self.size.saturating_add(size(data.len()));
        match &mut self.body {
            Body::Buffered(..) if self.size > Self::OVERSIZE_LIMIT => Some(self.too_large(api, size(MAX_RESPONSE))),
            Body::Buffered(_, body) if self.size > size(MAX_RESPONSE) => {
                *body = BytesMut::new();
                None
            }
            Body::Buffered(_, body) => {
                body.extend_from_slice(&data);
                None
            }
            Body::Streamed if self.size > api.config.stream_limit => Some(self.too_large(api, api.config.stream_limit)),
            Body::Streamed if self.pending.pipe.push(data) => None,
            Body::Streamed => Some(self.too_late(api)),
        }
    }

    fn end(self, api: &Api, trailers: &Trailers) -> Reply {
        let limit = MAX_RESPONSE;
        if matches!(self.body, Body::Buffered(..)) && self.size > size(limit) {
            return self.too_large(api, size(limit));
        }
        let end = match trailers.fields().get(ERROR_TYPE) {
            None | Some(b"") => End::Complete,
            Some(sent) => End::Failed(error_of_trailers(sent, trailers)),
        };
        let (path, pending) = (self.path, self.pending);
        pending.pipe.put_trailers(header_map(trailers.fields()));
        if let Body::Buffered(head, body) = self.body {
            pending.pipe.put(head, body.freeze());
        }
        match api.finish(&pending.request_id, end) {
            true => Reply::accepted(),
            false => api.refuse(&path, &api.not_in_flight(&pending.request_id, TO_RESPONSE)),
        }
    }

    fn too_large(&self, api: &Api, limit: u64) -> Reply {
        let message = format!("Response payload size exceeded maximum allowed payload size ({limit} bytes).");
        let error = FunctionError::of_platform("Function.ResponseSizeTooLarge", &message);
        match api.finish(&self.pending.request_id, End::Failed(error)) {
            true => api.refuse(&self.path, &Refused::too_large(limit)),
            false => self.too_late(api),
        }
    }

    fn too_late(&self, api: &Api) -> Reply {
        api.refuse(&self.path, &api.not_in_flight(&self.pending.request_id, TO_RESPONSE))
    }
}

fn error_of_trailers(sent_type: &[u8], trailers: &Trailers) -> FunctionError {
    let encoded = trailers.fields().get(ERROR_BODY).unwrap_or_default();
    // A value that is not base64 is shown as it is.
    let body = base64::engine::general_purpose::STANDARD.decode(encoded).unwrap_or_else(|_| encoded.to_vec());
    FunctionError::reported(Some(&String::from_utf8_lossy(sent_type)), body.into(), None)
}

impl Report {
    fn new(api: &Api, endpoint: Endpoint, request: &Request, request_id: &str) -> Self {
        let text = |name| request.headers().get_str(name).map(str::to_owned);
        Self {
            endpoint,
            path: request.path().to_owned(),
            request_id: request_id.to_owned(),
            echo: request.headers().get(event::INVOCATION_ID).map(<[u8]>::to_vec),
            error_type: text(ERROR_TYPE),
            xray_cause: text("lambda-runtime-function-xray-error-cause"),
            extension: text("lambda-extension-name"),
            body: BytesMut::new(),
            reservation: api.buffers.reservation(),
        }
    }

    fn data(&mut self, api: &Api, data: &[u8]) -> Option<Reply> {
        // The limit of Managed Instances; a classic function's report may be as long as a response.
        let limit = if api.config.is_classic() { MAX_RESPONSE } else { 1024 * 1024 };
        if self.body.len() + data.len() > limit {
            return Some(api.refuse(&self.path, &Refused::too_large(size(limit))));
        }
        if !self.reservation.grow(data.len()) {
            let refused = Refused::new(503, "ServiceUnavailable", "Too many requests at the same time");
            return Some(api.refuse(&self.path, &refused));
        }
        self.body.extend_from_slice(data);
        None
    }

    fn end(self, api: &Api) -> Reply {
        let accepted = |()| Reply::accepted();
        let body = self.body.freeze();
        let error = FunctionError::reported(self.error_type.as_deref(), body.clone(), self.xray_cause.as_deref());
        let done = match self.endpoint {
            Endpoint::Error => api.fail(&self.request_id, self.echo.as_deref(), error).map(accepted),
            Endpoint::InitError => api.init_error(error).map(accepted),
            Endpoint::RestoreError => api.restore_error(error).map(accepted),
            Endpoint::RegisterExtension => api.register(self.extension.as_deref(), &body),
            _ => Err(Refused::new(404, "NotFound", "Not a request of the Runtime API")),
        };
        done.unwrap_or_else(|refused| api.refuse(&self.path, &refused))
    }
}

fn size(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

fn header_map(headers: Headers<'_>) -> HeaderMap {
    let parsed = headers.iter().filter_map(|(name, value)| {
        Some((HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_bytes(value).ok()?))
    });
    let mut map = HeaderMap::new();
    for (name, value) in parsed {
        map.append(name, value);
    }
    map
}

impl Api {
    /// Records a refusal, and returns the reply.
    pub(super) fn refuse(&self, path: &str, refused: &Refused) -> Reply {
        let Refused { status, error_type, message } = refused;
        let refusal = Refusal { path: shortened(path), status: *status, error_type, message: shortened(message) };
        Observed::push(&mut self.state().observed.refusals, refusal);
        self.changed.notify_all();
        refused.reply()
    }
}
