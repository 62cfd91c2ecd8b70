//! One request of a runtime, while it is received.

use std::sync::Arc;

use base64::Engine as _;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};
use lambda_runtime_proto::server::{Reply, Request, Route, Trailers};
use lambda_runtime_proto::{CloseReason, Endpoint, Headers};

use super::outcomes::Refused;
use super::{Api, Pending};
use crate::{End, FunctionError, MAX_RESPONSE, Observed, Refusal, ResponseHead, event};

/// A request whose body is being received.
pub(super) enum Exchange {
    /// It has no body that matters, and is answered when there is something to tell.
    Wait(Waiting),
    Response(Response),
    Report(Report),
    /// It is decided how it is answered; what is left of its body is passed over.
    Decided {
        reply: Reply,
        /// So much may still be passed over.
        discardable: u64,
    },
}

/// What a request waits for.
pub(super) enum Waiting {
    Next,
    Restore,
    Extension(Option<String>),
}

/// What is to be done with a request that was received whole.
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
    /// It goes to the caller whole.
    Buffered(ResponseHead, BytesMut),
    /// It goes to the caller as it comes.
    Streamed,
}

/// A report of an error, or the registration of an extension: a body that is needed whole.
pub(super) struct Report {
    endpoint: Endpoint,
    path: String,
    request_id: String,
    echo: Option<Vec<u8>>,
    error_type: Option<String>,
    xray_cause: Option<String>,
    extension: Option<String>,
    body: BytesMut,
}

const ERROR_TYPE: &str = "lambda-runtime-function-error-type";
const ERROR_BODY: &str = "lambda-runtime-function-error-body";
const TO_RESPONSE: &str = "InvocationResponse";

impl Exchange {
    /// What Go's server, which the real API is built on, reads of the body of a request that is already answered.
    const DISCARD_LIMIT: u64 = 256 * 1024;

    pub(super) fn new(api: &Api, request: &Request) -> Self {
        let Route::Api(endpoint, id) = request.route() else { return Self::of_no_endpoint(api, request) };
        match endpoint {
            Endpoint::Next => Self::Wait(Waiting::Next),
            Endpoint::RestoreNext => Self::Wait(Waiting::Restore),
            Endpoint::NextExtensionEvent => {
                Self::Wait(Waiting::Extension(request.header("lambda-extension-identifier").map(str::to_owned)))
            }
            Endpoint::Response => Self::of_response(api, request, id),
            _ => Self::Report(Report::new(endpoint, request, id)),
        }
    }

    fn of_no_endpoint(api: &Api, request: &Request) -> Self {
        let reply = match (request.method().as_str(), request.path()) {
            // What AWS's emulator says, too.
            ("PUT", "/2022-07-01/telemetry" | "/2020-08-15/logs") => {
                let refused = Refused::new(202, "Telemetry.NotSupported", "Telemetry API is not supported");
                refused.reply()
            }
            (method, path) => {
                let message = format!("{method} {path} is not of the Runtime API");
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
        Self::Decided { reply, discardable: Self::DISCARD_LIMIT }
    }

    /// Takes some of the body. What it returns is to be sent at once, whatever else comes.
    pub(super) fn data(&mut self, api: &Api, data: Bytes) -> Option<Reply> {
        let len = u64::try_from(data.len()).unwrap_or(u64::MAX);
        match self {
            Self::Wait(_) => None,
            Self::Response(response) => {
                let refused = response.data(api, data)?;
                *self = Self::decided(refused);
                None
            }
            Self::Report(report) => {
                // As Managed Instances have it; a classic function's report may be as long as a response.
                let limit = if api.config.is_classic() { MAX_RESPONSE } else { 1024 * 1024 };
                if report.body.len() + data.len() > limit {
                    *self = Self::decided(api.refuse(&report.path, &Refused::too_large(size(limit))));
                } else {
                    report.body.extend_from_slice(&data);
                }
                None
            }
            Self::Decided { reply, discardable } => match discardable.checked_sub(len) {
                Some(left) => {
                    *discardable = left;
                    None
                }
                None => Some(reply.clone()),
            },
        }
    }

    /// The request was received whole.
    pub(super) fn end(self, api: &Api, trailers: &Trailers) -> NextStep {
        match self {
            Self::Wait(waiting) => NextStep::Wait(waiting),
            Self::Response(response) => NextStep::Reply(response.end(api, trailers)),
            Self::Report(report) => NextStep::Reply(report.end(api)),
            Self::Decided { reply, .. } => NextStep::Reply(reply),
        }
    }

    /// The connection ended before the request was received whole. Only a response that has begun cannot be begun
    /// again.
    pub(super) fn truncated(self, api: &Api, reason: &CloseReason) {
        if let Self::Response(response) = self {
            let error =
                FunctionError::of_platform("Runtime.TruncatedResponse", &format!("Response truncated: {reason}"));
            api.finish(&response.pending.request_id, End::Truncated(error));
        }
    }
}

impl Response {
    fn data(&mut self, api: &Api, data: Bytes) -> Option<Reply> {
        self.size = self.size.saturating_add(size(data.len()));
        match &mut self.body {
            Body::Buffered(_, body) if self.size > size(MAX_RESPONSE) => {
                // It is received to its end all the same, as AWS's emulator does.
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
    // What is no base64 is shown as it came.
    let body = base64::engine::general_purpose::STANDARD.decode(encoded).unwrap_or_else(|_| encoded.to_vec());
    FunctionError::reported(Some(&String::from_utf8_lossy(sent_type)), body.into(), None)
}

impl Report {
    fn new(endpoint: Endpoint, request: &Request, request_id: &str) -> Self {
        let text = |name| request.header(name).map(str::to_owned);
        Self {
            endpoint,
            path: request.path().to_owned(),
            request_id: request_id.to_owned(),
            echo: request.headers().get(event::INVOCATION_ID).map(<[u8]>::to_vec),
            error_type: text(ERROR_TYPE),
            xray_cause: text("lambda-runtime-function-xray-error-cause"),
            extension: text("lambda-extension-name"),
            body: BytesMut::new(),
        }
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
            _ => Err(Refused::new(404, "NotFound", "Not of the Runtime API")),
        };
        done.unwrap_or_else(|refused| api.refuse(&self.path, &refused))
    }
}

fn size(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

fn header_map(headers: Headers<'_>) -> HeaderMap {
    let parsed = headers.filter_map(|(name, value)| {
        Some((HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_bytes(value).ok()?))
    });
    let mut map = HeaderMap::new();
    for (name, value) in parsed {
        map.append(name, value);
    }
    map
}

impl Api {
    /// Notes that a request is refused, and says so.
    pub(super) fn refuse(&self, path: &str, refused: &Refused) -> Reply {
        let Refused { status, error_type, message } = refused.clone();
        let refusal = Refusal { path: path.to_owned(), status, error_type, message };
        Observed::push(&mut self.state().observed.refusals, refusal);
        self.changed.notify_all();
        refused.reply()
    }
}
