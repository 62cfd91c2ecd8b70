//! Lambda's own side: `POST /2015-03-31/functions/{name}/invocations`.

use std::net::TcpStream;

use base64::Engine as _;
use bytes::{Bytes, BytesMut};
use http::HeaderValue;
use lambda_runtime_proto::server::{self, Reply, Request, Route};

use crate::api::Api;
use crate::socket::{Activity, Connection};
use crate::{End, Error, Event, FunctionError, Invocation, MAX_RESPONSE, ResponseHead};

/// Serves a caller's connection until it is over.
pub(crate) fn serve(api: &Api, socket: &TcpStream) {
    let mut connection = Connection::new(api, socket);
    let mut at_hand = None;
    loop {
        match connection.next_activity() {
            Activity::Event(server::Event::Request(request)) => at_hand = Some(Call::new(&request)),
            Activity::Event(server::Event::Data(data)) => {
                if let Some(Ok(call)) = &mut at_hand
                    && let Err(reply) = call.data(&data)
                {
                    at_hand = Some(Err(reply));
                }
            }
            Activity::Event(server::Event::End(_)) => match at_hand.take() {
                Some(Ok(call)) => call.make(api, &mut connection),
                Some(Err(reply)) => connection.reply(reply),
                None => break,
            },
            Activity::Closed(reason) => {
                connection.close(&reason);
                break;
            }
        }
    }
}

/// One call of the function.
struct Call {
    kind: Kind,
    takes_trailers: bool,
    /// What comes with the payload.
    event: Event,
    payload: BytesMut,
}

/// `X-Amz-Invocation-Type`
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    RequestResponse,
    Event,
    DryRun,
}

impl Call {
    fn new(request: &Request) -> Result<Self, Reply> {
        if !matches!(request.route(), Route::Invoke { .. }) {
            let message = format!(
                "{} {}: functions are invoked by POST /2015-03-31/functions/function/invocations",
                request.method(),
                request.path()
            );
            return Err(refusal(404, "ResourceNotFoundException", &message));
        }
        let kind = match request.header("x-amz-invocation-type") {
            None | Some("RequestResponse") => Kind::RequestResponse,
            Some("Event") => Kind::Event,
            Some("DryRun") => Kind::DryRun,
            Some(_) => {
                return Err(refusal(400, "InvalidParameterValueException", "X-Amz-Invocation-Type is not known"));
            }
        };
        let mut event = Event::new(Bytes::new());
        if let Some(context) = request.header("x-amz-client-context") {
            let context = base64::engine::general_purpose::STANDARD.decode(context).map_err(|_| {
                refusal(400, "InvalidRequestContentException", "X-Amz-Client-Context is not valid base64")
            })?;
            event = event.client_context(context);
        }
        if let Some(trace_id) = request.header("x-amzn-trace-id") {
            event = event.trace_id(trace_id);
        }
        if let Some(tenant_id) = request.header("x-amz-tenant-id") {
            event = event.tenant_id(tenant_id);
        }
        let takes_trailers = request.header("te").is_some_and(|te| te.split(',').any(|te| te.trim() == "trailers"));
        Ok(Self { kind, takes_trailers, event, payload: BytesMut::new() })
    }

    fn data(&mut self, data: &[u8]) -> Result<(), Reply> {
        if self.payload.len() + data.len() > MAX_RESPONSE {
            let message = format!("Request must be smaller than {MAX_RESPONSE} bytes for the InvokeFunction operation");
            return Err(refusal(413, "RequestTooLargeException", &message));
        }
        self.payload.extend_from_slice(data);
        Ok(())
    }

    /// Invokes the function and answers.
    fn make(self, api: &Api, connection: &mut Connection<'_>) {
        if self.kind == Kind::DryRun {
            return connection.reply(Reply::new(204));
        }
        let started = api.start_invocation(self.event.with_payload(self.payload.freeze())).map(Invocation::new);
        match started {
            Err(error) => connection.reply(unanswered(&error)),
            Ok(invocation) if self.kind == Kind::Event => {
                connection.reply(with_request_id(Reply::new(202), invocation.request_id()));
            }
            Ok(invocation) => answer(invocation, connection, self.takes_trailers),
        }
    }
}

/// Passes the function's answer on, as it comes.
fn answer(mut invocation: Invocation, connection: &mut Connection<'_>, takes_trailers: bool) {
    let reply = with_request_id(Reply::new(200), invocation.request_id())
        .header("X-Amz-Executed-Version", HeaderValue::from_static("$LATEST"));
    let Some(head) = invocation.head().filter(ResponseHead::is_streamed) else {
        return connection.reply(match invocation.wait() {
            Err(error) => unanswered(&error),
            Ok(outcome) => match outcome.error() {
                Some(error) => reply
                    .header("X-Amz-Function-Error", HeaderValue::from_static("Unhandled"))
                    .json(error.body().clone()),
                None => with_content_type(reply, outcome.head()).body(outcome.body().clone()),
            },
        });
    };
    let mut reply = with_content_type(reply, Some(&head));
    if takes_trailers {
        reply = reply
            .header("Trailer", HeaderValue::from_static(ERROR_TYPE))
            .header("Trailer", HeaderValue::from_static(ERROR_BODY));
    }
    // The machine refuses only what the order of calls here rules out.
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

const ERROR_TYPE: &str = "Lambda-Runtime-Function-Error-Type";
const ERROR_BODY: &str = "Lambda-Runtime-Function-Error-Body";

fn finish_with_error(connection: &mut Connection<'_>, error: &FunctionError) {
    let body = base64::engine::general_purpose::STANDARD.encode(error.body());
    let fields = [(ERROR_TYPE, error.error_type()), (ERROR_BODY, &body)];
    let fields = fields.map(|(name, value)| (name, HeaderValue::from_str(value)));
    let _ = connection.machine.finish(fields.iter().filter_map(|(name, value)| Some((*name, value.as_ref().ok()?))));
}

/// There is no answer to pass on.
fn unanswered(error: &Error) -> Reply {
    match error {
        Error::InvalidHeader(_) => refusal(400, "InvalidRequestContentException", &error.to_string()),
        _ => refusal(502, "ServiceException", &error.to_string()),
    }
}

fn refusal(status: u16, error_type: &'static str, message: &str) -> Reply {
    let body = serde_json::json!({"Type": "User", "Message": message});
    Reply::new(status).header("X-Amzn-ErrorType", HeaderValue::from_static(error_type)).json(body.to_string())
}

fn with_request_id(reply: Reply, request_id: &str) -> Reply {
    let id = HeaderValue::from_str(request_id);
    id.into_iter().fold(reply, |reply, id| reply.header("X-Amzn-RequestId", id))
}

fn with_content_type(reply: Reply, head: Option<&ResponseHead>) -> Reply {
    let value = head.and_then(|head| head.headers().get(http::header::CONTENT_TYPE)).cloned();
    reply.header("Content-Type", value.unwrap_or(HeaderValue::from_static("application/json")))
}
