//! Lambda's Invoke API: `POST /2015-03-31/functions/{name}/invocations`, and the same with a streamed response.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::{Bytes, BytesMut};
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue};
use lambda_runtime_emulator::serving::{Connection, Reservation, request_id, shortened};
use lambda_runtime_emulator::{Error, Event, FunctionError, InvalidPayload, Invocation, MAX_EVENT, MAX_RESPONSE};
use lambda_runtime_proto::server::{Reply, Request, Route};
use percent_encoding::percent_decode_str;
use serde_json::json;
use serde_json::value::RawValue;

use super::access::Cors;
use super::{Shared, asynchronous, event_stream, with};

/// A call of the function.
pub(super) struct Call {
    kind: Kind,
    streaming: bool,
    wants_log: bool,
    /// Everything but the payload.
    event: Event,
    request_id: String,
}

/// `X-Amz-Invocation-Type`
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    RequestResponse,
    Event,
    DryRun,
}

/// The function and the version that a caller names.
#[derive(Debug, Default, PartialEq, Eq)]
struct Target {
    /// The ARN without its qualifier, if the caller sent an ARN.
    arn: Option<String>,
    name: String,
    qualifier: Option<String>,
}

const CLIENT_CONTEXT: HeaderName = HeaderName::from_static("x-amz-client-context");
const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");
const EXECUTED_VERSION: HeaderName = HeaderName::from_static("x-amz-executed-version");
const FUNCTION_ERROR: HeaderName = HeaderName::from_static("x-amz-function-error");
const INVOCATION_TYPE: HeaderName = HeaderName::from_static("x-amz-invocation-type");
const LOG_RESULT: HeaderName = HeaderName::from_static("x-amz-log-result");
const LOG_TYPE: HeaderName = HeaderName::from_static("x-amz-log-type");
const REMAPPED_CONTENT_TYPE: HeaderName = HeaderName::from_static("x-amzn-remapped-content-type");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
const TENANT_ID: HeaderName = HeaderName::from_static("x-amz-tenant-id");
const TRACE_ID: HeaderName = HeaderName::from_static("x-amzn-trace-id");

const CONTENT_ERROR: &str = "InvalidRequestContentException";
const PARAMETER_ERROR: &str = "InvalidParameterValueException";

impl Call {
    /// Returns the call that the request makes; `None` if its path is not one of the Invoke API.
    pub(super) fn new(shared: &Shared, request: &Request) -> Result<Option<Self>, Reply> {
        let (function, streaming) = match request.route() {
            Route::Invoke { function } => (function, false),
            Route::InvokeWithResponseStream { function } => (function, true),
            _ => return Ok(None),
        };
        let target = Target::parse(function, request.query().unwrap_or_default())?;
        if let Some(name) = shared.function_name.as_ref().filter(|name| **name != target.name) {
            let message = format!("Function not found: {}; --name is {name}", target.name);
            return Err(error(404, "ResourceNotFoundException", &message));
        }
        let header = |name: HeaderName| request.headers().get_str(name.as_str());
        let kind = match header(INVOCATION_TYPE) {
            None | Some("RequestResponse") => Kind::RequestResponse,
            Some("Event") if !streaming => Kind::Event,
            Some("DryRun") => Kind::DryRun,
            Some(other) => {
                return Err(error(400, PARAMETER_ERROR, &invalid(INVOCATION_TYPE, other, "a type of this call")));
            }
        };
        let wants_log = match header(LOG_TYPE) {
            None | Some("None") => false,
            Some("Tail") => true,
            Some(other) => return Err(error(400, PARAMETER_ERROR, &invalid(LOG_TYPE, other, "None or Tail"))),
        };
        let request_id = request_id();
        let mut event = Event::new(Bytes::new()).request_id(&request_id);
        if target.arn.is_some() || target.qualifier.is_some() {
            let arn = target.arn.unwrap_or_else(|| shared.emulator.function_arn().to_owned());
            let qualifier = target.qualifier.map(|qualifier| format!(":{qualifier}")).unwrap_or_default();
            event = event.header("Lambda-Runtime-Invoked-Function-Arn", format!("{arn}{qualifier}"));
        }
        if let Some(encoded) = header(CLIENT_CONTEXT) {
            event = event.client_context(client_context(encoded)?);
        }
        if let Some(trace_id) = header(TRACE_ID).filter(|id| !id.is_empty()) {
            event = event.trace_id(trace_id);
        }
        if let Some(tenant_id) = header(TENANT_ID) {
            event = event.tenant_id(tenant_id);
        }
        Ok(Some(Self { kind, streaming, wants_log, event, request_id }))
    }

    /// The largest payload. See [quotas](https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html).
    pub(super) fn max_payload(&self) -> usize {
        const ASYNCHRONOUS: usize = 1024 * 1024;
        match self.kind {
            Kind::Event => ASYNCHRONOUS,
            Kind::RequestResponse | Kind::DryRun => MAX_EVENT,
        }
    }

    /// Invokes the function and replies.
    pub(super) fn make(
        self,
        shared: &Arc<Shared>,
        connection: &mut Connection<'_>,
        cors: &Cors,
        payload: Bytes,
        reservation: Reservation,
    ) {
        // As Lambda does for a call without a payload.
        let payload = if payload.is_empty() { Bytes::from_static(b"{}") } else { payload };
        if let Err(invalid) = Event::json(payload.clone()) {
            return connection.reply(cors.apply(payload_error(&invalid)));
        }
        let event = self.event.with_payload(payload);
        let reply = match self.kind {
            Kind::DryRun => Reply::new(204),
            Kind::Event => {
                shared.history.called(&self.request_id, "Invoke (asynchronous)", event.payload());
                asynchronous::start(shared, event, &self.request_id, reservation)
                    .map_or_else(|error| no_outcome(&error), |()| with(Reply::new(202), REQUEST_ID, &self.request_id))
            }
            Kind::RequestResponse => {
                let source = if self.streaming { "Invoke (streaming)" } else { "Invoke" };
                shared.history.called(&self.request_id, source, event.payload());
                match shared.emulator.start_invocation(event) {
                    Err(error) => no_outcome(&error),
                    Ok(invocation) => {
                        drop(reservation);
                        let wants_log = self.wants_log;
                        return match self.streaming {
                            true => pass_on(shared, invocation, connection, cors, wants_log),
                            false => collect(shared, invocation, connection, cors, wants_log),
                        };
                    }
                }
            }
        };
        connection.reply(cors.apply(reply));
    }
}

impl Target {
    /// Parses `NAME`, `NAME:QUALIFIER`, `ACCOUNT:function:NAME` or an ARN, percent-encoded, and the query.
    fn parse(function: &str, query: &str) -> Result<Self, Reply> {
        let decoded = percent_decode_str(function).decode_utf8().unwrap_or_default();
        let parts: Vec<&str> = decoded.split(':').collect();
        let (arn, name, rest) = match parts.as_slice() {
            ["arn", partition, "lambda", region, account, "function", name, rest @ ..]
                if partition.starts_with("aws") =>
            {
                (Some(format!("arn:{partition}:lambda:{region}:{account}:function:{name}")), *name, rest)
            }
            [account, "function", name, rest @ ..] if account.bytes().all(|byte| byte.is_ascii_digit()) => {
                (None, *name, rest)
            }
            [name, rest @ ..] => (None, *name, rest),
            [] => (None, "", &[] as &[&str]),
        };
        let is_part = |part: &str, also: &[u8]| {
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte) || also.contains(&byte);
            (1..=128).contains(&part.len()) && part.bytes().all(fits)
        };
        let in_query = query.split('&').find_map(|pair| pair.strip_prefix("Qualifier="));
        let in_query = in_query.map(|qualifier| percent_decode_str(qualifier).decode_utf8_lossy());
        let in_path = rest.first().copied();
        let qualifier = in_path.or(in_query.as_deref()).filter(|qualifier| !qualifier.is_empty());
        let is_valid = is_part(name, b"") && rest.len() <= 1 && qualifier.is_none_or(|part| is_part(part, b"$."));
        if !is_valid {
            let message = format!(
                "1 validation error detected: Value '{}' at 'functionName' or 'qualifier' failed to satisfy constraint: \
                 expected a name or an ARN of a function",
                shortened(&decoded)
            );
            return Err(error(400, "ValidationException", &message));
        }
        if in_path.zip(in_query.as_deref()).is_some_and(|(path, query)| path != query) {
            let message = "The derived qualifier from the function name does not match the specified qualifier.";
            return Err(error(400, PARAMETER_ERROR, message));
        }
        Ok(Self { arn, name: name.to_owned(), qualifier: qualifier.map(str::to_owned) })
    }
}

fn client_context(encoded: &str) -> Result<Vec<u8>, Reply> {
    let decoded = BASE64.decode(encoded).ok();
    let is_object =
        |json: &Vec<u8>| serde_json::from_slice::<&RawValue>(json).is_ok_and(|json| json.get().starts_with('{'));
    decoded
        .filter(is_object)
        .ok_or_else(|| error(400, CONTENT_ERROR, "Client context must be a valid Base64-encoded JSON object."))
}

/// Replies with the whole response.
fn collect(shared: &Shared, mut invocation: Invocation, connection: &mut Connection<'_>, cors: &Cors, wants_log: bool) {
    let request_id = invocation.request_id().to_owned();
    // Until the caller has read it, the response counts as buffered.
    let mut reservation = shared.buffers.reservation();
    let head = invocation.head();
    let mut body = BytesMut::new();
    let mut refused = None;
    for chunk in invocation.by_ref() {
        shared.history.responded(&request_id, &chunk.data);
        if body.len() + chunk.data.len() > MAX_RESPONSE {
            refused = Some(Refused::TooLarge);
        } else if !reservation.grow(chunk.data.len()) {
            refused = Some(Refused::NoMemory);
        }
        match refused {
            None => body.extend_from_slice(&chunk.data),
            // The rest is discarded: the log is complete when the invocation has ended.
            Some(_) => body = BytesMut::new(),
        }
    }
    let outcome = match invocation.wait() {
        Ok(outcome) => outcome,
        Err(error) => return connection.reply(cors.apply(no_outcome(&error))),
    };
    let failed = match (outcome.error(), refused) {
        (_, Some(Refused::NoMemory)) => {
            return connection.reply(cors.apply(error(500, "ServiceException", "too many responses wait to be read")));
        }
        (Some(error), _) => Some(error.body().clone()),
        (None, Some(Refused::TooLarge)) => Some(response_too_large()),
        (None, None) => None,
    };
    let mut reply = executed(&request_id);
    if wants_log {
        reply = with(reply, LOG_RESULT, BASE64.encode(shared.history.log_result(&request_id)));
    }
    let reply = match failed {
        Some(error) => {
            if body.is_empty() {
                shared.history.responded(&request_id, &error);
            }
            reply.header(FUNCTION_ERROR, HeaderValue::from_static("Unhandled")).json(error)
        }
        None => {
            let content_type = head.as_ref().and_then(|head| head.headers().get(CONTENT_TYPE)).cloned();
            let content_type = content_type.unwrap_or(HeaderValue::from_static("application/json"));
            reply.header(CONTENT_TYPE, content_type).body(body)
        }
    };
    connection.reply(cors.apply(reply));
    connection.send();
}

#[derive(Clone, Copy)]
enum Refused {
    TooLarge,
    NoMemory,
}

fn response_too_large() -> Bytes {
    let message = format!("Response payload size exceeded maximum allowed payload size ({MAX_RESPONSE} bytes).");
    json!({"errorMessage": message, "errorType": "Function.ResponseSizeTooLarge"}).to_string().into()
}

/// Passes the response on as an event stream, as it arrives.
fn pass_on(shared: &Shared, mut invocation: Invocation, connection: &mut Connection<'_>, cors: &Cors, wants_log: bool) {
    let request_id = invocation.request_id().to_owned();
    let head = invocation.head();
    let content_type = head.as_ref().and_then(|head| head.headers().get(CONTENT_TYPE)).cloned();
    let reply = executed(&request_id)
        .header(CONTENT_TYPE, HeaderValue::from_static("application/vnd.amazon.eventstream"))
        .header(REMAPPED_CONTENT_TYPE, content_type.unwrap_or(HeaderValue::from_static("application/octet-stream")));
    let mut sent = false;
    if head.is_some() {
        // Cannot fail: the request has no reply yet.
        let _ = connection.machine.stream(cors.apply(reply.clone()));
        sent = connection.send();
        while sent && let Some(chunk) = invocation.next() {
            shared.history.responded(&request_id, &chunk.data);
            for frame in event_stream::payload_chunks(&chunk.data) {
                let _ = connection.machine.chunk(frame);
            }
            sent = connection.send();
        }
        if !sent {
            return connection.machine.disconnected();
        }
    }
    let outcome = match invocation.wait() {
        Ok(outcome) => outcome,
        Err(_) if sent => return connection.machine.close_abruptly(),
        Err(error) => return connection.reply(cors.apply(no_outcome(&error))),
    };
    if !sent {
        let _ = connection.machine.stream(cors.apply(reply));
    }
    let mut complete = outcome.error().map_or_else(|| json!({}), completed_with);
    if wants_log && let Some(complete) = complete.as_object_mut() {
        complete.insert("LogResult".to_owned(), BASE64.encode(shared.history.log_result(&request_id)).into());
    }
    let _ = connection.machine.chunk(event_stream::invoke_complete(&complete));
    let _ = connection.machine.finish([]);
}

fn completed_with(error: &FunctionError) -> serde_json::Value {
    json!({"ErrorCode": error.error_type(), "ErrorDetails": String::from_utf8_lossy(error.body())})
}

fn executed(request_id: &str) -> Reply {
    with(Reply::new(200), REQUEST_ID, request_id).header(EXECUTED_VERSION, HeaderValue::from_static("$LATEST"))
}

/// The reply to a call whose invocation has no outcome.
fn no_outcome(failed: &Error) -> Reply {
    match failed {
        Error::InvalidHeader(_) => error(400, CONTENT_ERROR, &failed.to_string()),
        Error::QueueFull => too_many_requests(),
        _ => error(502, "ServiceException", &failed.to_string()),
    }
}

fn payload_error(invalid: &InvalidPayload) -> Reply {
    match invalid {
        InvalidPayload::NotJson(why) => {
            error(400, CONTENT_ERROR, &format!("Could not parse request body into json: {why}"))
        }
        _ => too_large(MAX_EVENT),
    }
}

pub(super) fn too_large(limit: usize) -> Reply {
    let message = format!("Request must be smaller than {limit} bytes for the InvokeFunction operation");
    error(413, "RequestTooLargeException", &message)
}

pub(super) fn too_many_requests() -> Reply {
    error(429, "TooManyRequestsException", "Rate Exceeded.")
}

fn invalid(name: HeaderName, value: &str, expected: &str) -> String {
    format!("invalid {name} {:?}: expected {expected}", shortened(value))
}

/// An error of the Invoke API.
pub(super) fn error(status: u16, error_type: &'static str, message: &str) -> Reply {
    let body = json!({"Type": "User", "Message": message, "message": message});
    let reply = with(Reply::new(status), REQUEST_ID, request_id());
    reply.header(ERROR_TYPE, HeaderValue::from_static(error_type)).json(body.to_string())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn parse(function: &str, query: &str) -> Option<(Option<String>, String, Option<String>)> {
        Target::parse(function, query).ok().map(|Target { arn, name, qualifier }| (arn, name, qualifier))
    }

    #[test]
    fn names_and_arns_are_those_of_lambda() {
        let name = || "my-function_1".to_owned();
        let arn = || Some("arn:aws:lambda:eu-west-1:123456789012:function:my-function_1".to_owned());
        for (function, query, expected) in [
            ("my-function_1", "", (None, name(), None)),
            ("my-function_1:prod", "", (None, name(), Some("prod".to_owned()))),
            ("my-function_1", "Qualifier=%24LATEST", (None, name(), Some("$LATEST".to_owned()))),
            ("my-function_1", "a=b&Qualifier=7", (None, name(), Some("7".to_owned()))),
            ("my-function_1%3A7", "Qualifier=7", (None, name(), Some("7".to_owned()))),
            ("123456789012:function:my-function_1", "", (None, name(), None)),
            ("123456789012%3Afunction%3Amy-function_1%3A7", "", (None, name(), Some("7".to_owned()))),
            ("arn:aws:lambda:eu-west-1:123456789012:function:my-function_1", "", (arn(), name(), None)),
            (
                "arn%3Aaws%3Alambda%3Aeu-west-1%3A123456789012%3Afunction%3Amy-function_1%3Aprod",
                "",
                (arn(), name(), Some("prod".to_owned())),
            ),
        ] {
            assert_eq!(parse(function, query), Some(expected), "{function} {query}");
        }
    }

    #[test]
    fn other_names_are_invalid() {
        let long = "x".repeat(129);
        for (function, query) in [
            ("", ""),
            (long.as_str(), ""),
            ("my function", ""),
            ("my%2Ffunction", ""),
            ("name:7:8", ""),
            ("name", "Qualifier=a b"),
            ("name:7", "Qualifier=8"),
            ("arn:aws:s3:eu-west-1:123456789012:function:name", ""),
        ] {
            assert_eq!(parse(function, query), None, "{function} {query}");
        }
    }
}
