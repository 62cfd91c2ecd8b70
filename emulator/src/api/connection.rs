//! One connection of a runtime, from its first request to its end.

use std::net::TcpStream;

use lambda_runtime_proto::server::{Event, Reply};
use lambda_runtime_proto::{CloseReason, Endpoint};

use super::Api;
use super::exchange::{Exchange, NextStep, Waiting};
use super::next::Next;
use super::script::Script;
use crate::socket::{self, Activity, Connection};

/// Serves a connection until it is over.
pub(crate) fn serve(api: &Api, socket: &TcpStream) {
    let mut connection = Connection::new(api, socket);
    let (generation, of_connection) = api.connected();
    connection.arm(&of_connection);
    let mut at_hand = None;
    loop {
        match connection.next_activity() {
            Activity::Event(Event::Request(request)) => {
                let faults = api.requested(&request);
                connection.arm(&faults);
                let mut script = Script::new(api, &faults, &of_connection);
                let early = script.early_reply(0);
                let exchange = Exchange::new(api, &request);
                at_hand = reply_early(api, &mut connection, exchange, early).map(|exchange| (exchange, script));
            }
            Activity::Event(Event::Data(data)) => {
                // What came with the byte at which an early answer was sent is nobody's.
                let Some((mut exchange, mut script)) = at_hand.take() else { continue };
                let early = script.early_reply(data.len());
                if let Some(refusal) = exchange.data(api, data) {
                    connection.reply(refusal);
                }
                at_hand = reply_early(api, &mut connection, exchange, early).map(|exchange| (exchange, script));
            }
            Activity::Event(Event::End(trailers)) => {
                let Some((exchange, mut script)) = at_hand.take() else { break };
                match (exchange.end(api, &trailers), script.reply()) {
                    (_, Some(chosen)) => connection.reply(chosen),
                    (NextStep::Reply(reply), None) => connection.reply(reply),
                    (NextStep::Wait(waiting), None) => {
                        if !wait(api, &mut connection, socket, generation, waiting) {
                            break;
                        }
                    }
                }
            }
            Activity::Closed(reason) => {
                if let Some((exchange, _)) = at_hand.take() {
                    exchange.truncated(api, &reason);
                }
                connection.close(&reason);
                break;
            }
        }
    }
    api.disconnected();
}

/// Sends the early answer of a script, if there is one: then the exchange is over, and the runtime finds it so however
/// soon it asks for more.
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

/// Answers a request that waits for something; `false` if the connection is to be dropped.
fn wait(api: &Api, connection: &mut Connection<'_>, socket: &TcpStream, generation: u64, waiting: Waiting) -> bool {
    let is_alive = || socket::is_alive(socket);
    let reply = match waiting {
        Waiting::Next => match api.next(generation, is_alive) {
            Next::Gone => return false,
            Next::Refused(refused) => Err((Endpoint::Next, refused)),
            Next::Event(delivery) => {
                connection.reply(delivery.reply(&api.config.function_arn));
                if !connection.send() {
                    api.undeliver(&delivery);
                }
                return true;
            }
        },
        Waiting::Restore => match api.restore_next(generation, is_alive) {
            None => return false,
            Some(restored) => restored.map(|()| Reply::new(200)).map_err(|refused| (Endpoint::RestoreNext, refused)),
        },
        Waiting::Extension(identifier) => match api.next_extension_event(identifier.as_deref(), generation, is_alive) {
            None => return false,
            Some(event) => event.map_err(|refused| (Endpoint::NextExtensionEvent, refused)),
        },
    };
    connection.reply(reply.unwrap_or_else(|(endpoint, refused)| api.refuse(&endpoint.to_string(), &refused)));
    true
}
