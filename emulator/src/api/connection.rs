//! One connection of a runtime, from its first request to its end.

use std::net::TcpStream;

use lambda_runtime_proto::server::{Event, Reply};
use lambda_runtime_proto::{CloseReason, Endpoint};

use super::Api;
use super::exchange::{Exchange, NextStep, Waiting};
use super::next::Next;
use super::outcomes::Refused;
use super::script::Script;
use crate::faulty_socket;
use crate::socket::{Activity, Connection};

/// Serves a connection until it is closed.
pub(crate) fn serve(api: &Api, socket: &TcpStream) {
    let mut connection = Connection::new(api, socket, Connection::RUNTIME_API_HEAD);
    let (generation, number, of_connection) = api.connected();
    connection.record(number);
    connection.arm(&of_connection);
    let mut current = None;
    loop {
        match connection.next_activity() {
            Activity::Event(Event::Request(request)) => {
                let faults = api.requested(&request);
                connection.arm(&faults);
                let mut script = Script::new(api, &faults, &of_connection);
                let early = script.early_reply(0);
                let exchange = Exchange::new(api, &request);
                current = reply_early(api, &mut connection, exchange, early).map(|exchange| (exchange, script));
            }
            Activity::Event(Event::Data(data)) => {
                // Data that arrived together with the byte at which an early reply was sent is dropped.
                let Some((mut exchange, mut script)) = current.take() else { continue };
                let early = script.early_reply(data.len());
                if let Some(refusal) = exchange.data(api, data) {
                    connection.reply(refusal);
                }
                current = reply_early(api, &mut connection, exchange, early).map(|exchange| (exchange, script));
            }
            Activity::Event(Event::End(trailers)) => {
                let Some((exchange, mut script)) = current.take() else { break };
                match (exchange.end(api, &trailers), script.reply()) {
                    (_, Some(canned)) => connection.reply(canned),
                    (NextStep::Reply(reply), None) => connection.reply(reply),
                    (NextStep::Wait(waiting), None) => {
                        if !wait(api, &mut connection, socket, generation, waiting) {
                            break;
                        }
                    }
                }
            }
            Activity::Closed(reason) => {
                if let Some((exchange, _)) = current.take() {
                    exchange.truncated(api, &reason);
                }
                connection.close(&reason);
                break;
            }
        }
    }
    api.disconnected(number);
}

/// Sends the early reply of a script, if there is one. The exchange ends before the reply is written, so that the
/// runtime's next request already finds it ended.
fn reply_early(
    api: &Api,
    connection: &mut Connection<'_>,
    exchange: Exchange,
    early: Option<Reply>,
) -> Option<Exchange> {
    let Some(early) = early else { return Some(exchange) };
    exchange.truncated(api, &CloseReason::RepliedEarly);
    connection.reply(early);
    None
}

/// Replies to a request that has to wait; `false` if the connection must be dropped.
fn wait(api: &Api, connection: &mut Connection<'_>, socket: &TcpStream, generation: u64, waiting: Waiting) -> bool {
    let is_alive = || faulty_socket::is_alive(socket);
    let refuse = |endpoint: Endpoint, refused: &Refused| api.refuse(&endpoint.to_string(), refused);
    match waiting {
        Waiting::Next => match api.next(generation, is_alive) {
            Next::Gone => return false,
            Next::Refused(refused) => connection.reply(refuse(Endpoint::Next, &refused)),
            Next::Event(delivery) => {
                connection.reply(delivery.reply(&api.config.function_arn));
                if !connection.send() {
                    api.undeliver(&delivery);
                }
            }
        },
        Waiting::Restore => match api.restore_next(generation, is_alive) {
            None => return false,
            Some(Ok(())) => connection.reply(Reply::new(200)),
            Some(Err(refused)) => connection.reply(refuse(Endpoint::RestoreNext, &refused)),
        },
        Waiting::Extension(identifier) => match api.next_extension_event(identifier.as_deref(), generation, is_alive) {
            None => return false,
            Some(Err(refused)) => connection.reply(refuse(Endpoint::NextExtensionEvent, &refused)),
            Some(Ok(event)) => {
                connection.reply(Api::extension_event_reply(event.clone()));
                if !connection.send() {
                    api.undeliver_extension_event(identifier.as_deref().unwrap_or_default(), event);
                }
            }
        },
    }
    true
}
