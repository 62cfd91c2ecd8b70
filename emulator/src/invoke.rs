//! Lambda's Invoke API: `POST /2015-03-31/functions/{name}/invocations`.

use std::net::TcpStream;

use base64::Engine as _;
use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, CONTENT_TYPE, TRAILER, VARY,
};
use http::{HeaderName, HeaderValue, Method};
use lambda_runtime_proto::server::{self, Reply, Request, Route};

use crate::api::Api;
use crate::budget::Reservation;
use crate::decided::Decided;
use crate::socket::{Activity, Connection};
use crate::text::shortened;
use crate::{End, Error, Event, FunctionError, InvalidPayload, Invocation, MAX_EVENT, Outcome, ResponseHead, json};

/// Serves a caller's connection until it is closed.
pub(crate) fn serve(api: &Api, socket: &TcpStream) {
    let mut connection = Connection::new(api, socket, Connection::INVOKE_HEAD);
    let mut current = None;
    loop {
        match connection.next_activity() {
            Activity::Event(server::Event::Request(request)) => current = Some(Exchange::new(api, &request)),
            Activity::Event(server::Event::Data(data)) => {
                if let Some(exchange) = &mut current {
                    exchange.data(&data, &mut connection);
                }
            }
            Activity::Event(server::Event::End(_)) => match current.take() {
                Some(exchange) => exchange.end(api, &mut connection),
                None => break,
            },
            Activity::Closed(reason) => {
                connection.close(&reason);
                break;
            }
        }
    }
}

/// A request whose body is being received.
struct Exchange {
    cors: Cors,
    /// The call, unless the reply is decided already.
    call: Result<Call, Decided>,
}

/// The origin of the web page that sent the request, if it is another one that is allowed to.
struct Cors(Option<HeaderValue>);

/// A call of the function.
struct Call {
    kind: Kind,
    takes_trailers: bool,
    /// Everything but the payload.
    event: Event,
    payload: Vec<u8>,
    reservation: Reservation,
}

/// `X-Amz-Invocation-Type`
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    RequestResponse,
    Event,
    DryRun,
}

impl Exchange {
    fn new(api: &Api, request: &Request) -> Self {
        let access = &api.config.access;
        let forbidden = |message: String| Decided::new(error_reply(403, "AccessDeniedException", &message));
        let (cors, call) = match access.check_host(request).and_then(|()| access.check_origin(request)) {
            Err(message) => (Cors(None), Err(forbidden(message))),
            Ok(Some(_)) if request.method() == Method::OPTIONS => (Cors(None), Err(Decided::new(preflight(request)))),
            Ok(origin) => (Cors(origin), Call::new(api, request).map_err(Decided::new)),
        };
        Self { cors, call }
    }

    fn data(&mut self, data: &[u8], connection: &mut Connection<'_>) {
        let early = match &mut self.call {
            Ok(call) => {
                if let Err(reply) = call.data(data) {
                    self.call = Err(Decided::new(reply));
                }
                None
            }
            Err(decided) => decided.discard(data.len()),
        };
        if let Some(reply) = early {
            connection.reply(self.cors.apply(reply));
        }
    }

    fn end(self, api: &Api, connection: &mut Connection<'_>) {
        match self.call {
            Ok(call) => call.make(api, connection, &self.cors),
            Err(decided) => connection.reply(self.cors.apply(decided.into_reply())),
        }
    }
}

impl Cors {
    /// Lets the page read the reply.
    fn apply(&self, reply: Reply) -> Reply {
        let Some(origin) = &self.0 else { return reply };
        reply
            .header(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone())
            .header(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("*"))
            .header(VARY, HeaderValue::from_static("Origin"))
    }
}

/// The reply to the request by which a browser asks for permission.
fn preflight(request: &Request) -> Reply {
    let echoed = |name: &str| request.headers().get(name).and_then(|value| HeaderValue::from_bytes(value).ok());
    let origin = echoed("origin").map(|value| (ACCESS_CONTROL_ALLOW_ORIGIN, value));
    let headers = echoed("access-control-request-headers").map(|value| (ACCESS_CONTROL_ALLOW_HEADERS, value));
    let others = [(ACCESS_CONTROL_ALLOW_METHODS, "POST"), (ACCESS_CONTROL_MAX_AGE, "600"), (VARY, "Origin")];
    let others = others.map(|(name, value)| (name, HeaderValue::from_static(value)));
    let all = origin.into_iter().chain(headers).chain(others);
    all.fold(Reply::new(204), |reply, (name, value)| reply.header(name, value))
}

impl Call {
    fn new(api: &Api, request: &Request) -> Result<Self, Reply> {
        if !matches!(request.route(), Route::Invoke { .. }) {
            let message = format!(
                "there is no {} {}: to invoke the function, POST /2015-03-31/functions/function/invocations",
                request.method(),
                shortened(request.path())
            );
            return Err(error_reply(404, "ResourceNotFoundException", &message));
        }
        let kind = match request.headers().get_str("x-amz-invocation-type") {
            None | Some("RequestResponse") => Kind::RequestResponse,
            Some("Event") => Kind::Event,
            Some("DryRun") => Kind::DryRun,
            Some(other) => {
                let message = format!("unknown X-Amz-Invocation-Type: {}", shortened(other));
                return Err(error_reply(400, "InvalidParameterValueException", &message));
            }
        };
        let mut event = Event::new(Bytes::new());
        if let Some(encoded) = request.headers().get_str("x-amz-client-context") {
            let context = base64::engine::general_purpose::STANDARD.decode(encoded).ok();
            let context = context.and_then(|context| json::compact(&context));
            let Some(context) = context.filter(|context| context.starts_with(b"{")) else {
                let message = "Client context must be a valid Base64-encoded JSON object.";
                return Err(error_reply(400, CONTENT_ERROR, message));
            };
            event = event.client_context(context);
        }
        if let Some(trace_id) = request.headers().get_str("x-amzn-trace-id").filter(|id| !id.is_empty()) {
            event = event.trace_id(trace_id);
        }
        if let Some(tenant_id) = request.headers().get_str("x-amz-tenant-id") {
            event = event.tenant_id(tenant_id);
        }
        let takes_trailers =
            request.headers().get_str("te").is_some_and(|te| te.split(',').any(|te| te.trim() == "trailers"));
        Ok(Self { kind, takes_trailers, event, payload: Vec::new(), reservation: api.buffers.reservation() })
    }

    fn data(&mut self, data: &[u8]) -> Result<(), Reply> {
        if self.payload.len() + data.len() > MAX_EVENT {
            return Err(payload_error(&InvalidPayload::TooLarge));
        }
        if !self.reservation.grow(data.len()) {
            return Err(too_many_requests());
        }
        self.payload.extend_from_slice(data);
        Ok(())
    }

    /// Invokes the function and replies.
    fn make(mut self, api: &Api, connection: &mut Connection<'_>, cors: &Cors) {
        if self.payload.is_empty() {
            // As Lambda does for a call without a payload.
            self.payload = b"{}".to_vec();
        }
        self.payload.shrink_to_fit();
        let payload = Bytes::from(self.payload);
        if let Err(invalid) = Event::json(payload.clone()) {
            return connection.reply(cors.apply(payload_error(&invalid)));
        }
        if self.kind == Kind::DryRun {
            return connection.reply(cors.apply(Reply::new(204)));
        }
        let started = api.start_invocation(self.event.with_payload(payload)).map(Invocation::new);
        drop(self.reservation);
        match started {
            Err(error) => connection.reply(cors.apply(no_outcome(&error))),
            Ok(invocation) if self.kind == Kind::Event => {
                connection.reply(cors.apply(with_request_id(Reply::new(202), invocation.request_id())));
            }
            Ok(invocation) => pass_on(api, invocation, connection, cors, self.takes_trailers),
        }
    }
}

/// Passes the function's response on, as it arrives.
fn pass_on(api: &Api, mut invocation: Invocation, connection: &mut Connection<'_>, cors: &Cors, takes_trailers: bool) {
    let reply = with_request_id(Reply::new(200), invocation.request_id())
        .header(EXECUTED_VERSION, HeaderValue::from_static("$LATEST"));
    let reply = cors.apply(reply);
    let Some(head) = invocation.head().filter(ResponseHead::is_streamed) else {
        return match invocation.wait() {
            Err(error) => connection.reply(cors.apply(no_outcome(&error))),
            Ok(outcome) => send_buffered(api, reply, &outcome, connection),
        };
    };
    let mut reply = with_content_type(reply, Some(&head));
    if takes_trailers {
        reply = reply.header(TRAILER, HeaderValue::from(ERROR_TYPE)).header(TRAILER, HeaderValue::from(ERROR_BODY));
    }
    // The machine rejects only calls in another order.
    let _ = connection.machine.stream(reply);
    let mut sent = connection.send();
    while sent && let Some(chunk) = invocation.next() {
        let _ = connection.machine.chunk(chunk.data);
        sent = connection.send();
    }
    if !sent {
        return connection.machine.disconnected();
    }
    match invocation.wait().map(|outcome| outcome.end().clone()) {
        Ok(End::Complete) => {
            let _ = connection.machine.finish([]);
        }
        Ok(End::Failed(error)) if takes_trailers => finish_with_error(connection, &error),
        _ => connection.machine.close_abruptly(),
    }
}

const EXECUTED_VERSION: HeaderName = HeaderName::from_static("x-amz-executed-version");
const FUNCTION_ERROR: HeaderName = HeaderName::from_static("x-amz-function-error");
const INVOKE_ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
const ERROR_TYPE: HeaderName = HeaderName::from_static("lambda-runtime-function-error-type");
const ERROR_BODY: HeaderName = HeaderName::from_static("lambda-runtime-function-error-body");

/// Sends a response that is complete, or an error. Until the caller has read it, it counts as buffered.
fn send_buffered(api: &Api, reply: Reply, outcome: &Outcome, connection: &mut Connection<'_>) {
    let (reply, body) = match outcome.error() {
        Some(error) => {
            let reply = reply.header(FUNCTION_ERROR, HeaderValue::from_static("Unhandled"));
            (reply.header(CONTENT_TYPE, HeaderValue::from_static("application/json")), error.body())
        }
        None => (with_content_type(reply, outcome.head()), outcome.body()),
    };
    let mut reservation = api.buffers.reservation();
    if !reservation.grow(body.len()) {
        return connection.reply(error_reply(500, "ServiceException", "too many responses wait to be read"));
    }
    connection.reply(reply.body(body.clone()));
    connection.send();
}

const CONTENT_ERROR: &str = "InvalidRequestContentException";

fn finish_with_error(connection: &mut Connection<'_>, error: &FunctionError) {
    let body = base64::engine::general_purpose::STANDARD.encode(error.body());
    let fields = [(ERROR_TYPE, error.error_type()), (ERROR_BODY, &body)];
    let fields = fields.map(|(name, value)| (name, HeaderValue::from_str(value)));
    let _ = connection.machine.finish(fields.iter().filter_map(|(name, value)| Some((name, value.as_ref().ok()?))));
}

/// The reply to a call whose invocation has no outcome.
fn no_outcome(error: &Error) -> Reply {
    match error {
        Error::InvalidHeader(_) => error_reply(400, CONTENT_ERROR, &error.to_string()),
        Error::QueueFull => too_many_requests(),
        _ => error_reply(502, "ServiceException", &error.to_string()),
    }
}

fn payload_error(invalid: &InvalidPayload) -> Reply {
    match invalid {
        InvalidPayload::TooLarge => {
            let message = format!("Request must be smaller than {MAX_EVENT} bytes for the InvokeFunction operation");
            error_reply(413, "RequestTooLargeException", &message)
        }
        InvalidPayload::NotJson(why) => {
            error_reply(400, CONTENT_ERROR, &format!("Could not parse request body into json: {why}"))
        }
    }
}

fn too_many_requests() -> Reply {
    error_reply(429, "TooManyRequestsException", "Rate Exceeded.")
}

fn error_reply(status: u16, error_type: &'static str, message: &str) -> Reply {
    let body = serde_json::json!({"Type": "User", "Message": message});
    Reply::new(status).header(INVOKE_ERROR_TYPE, HeaderValue::from_static(error_type)).json(body.to_string())
}

fn with_request_id(reply: Reply, request_id: &str) -> Reply {
    let id = HeaderValue::from_str(request_id);
    id.into_iter().fold(reply, |reply, id| reply.header(REQUEST_ID, id))
}

fn with_content_type(reply: Reply, head: Option<&ResponseHead>) -> Reply {
    let value = head.and_then(|head| head.headers().get(CONTENT_TYPE)).cloned();
    reply.header(CONTENT_TYPE, value.unwrap_or(HeaderValue::from_static("application/json")))
}
