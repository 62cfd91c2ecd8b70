//! One connection of a runtime, from its first request to its end.

use std::net::TcpStream;

use lambda_runtime_proto::Endpoint;
use lambda_runtime_proto::server::Event;

use super::Api;
use super::exchange::{Exchange, Then, Waiting};
use super::next::Next;
use crate::socket::{self, Connection, Turn};

/// Serves a connection until it is over.
pub(crate) fn serve(api: &Api, socket: &TcpStream) {
    let mut connection = Connection::new(socket);
    let generation = api.connected();
    let mut at_hand = None;
    loop {
        match connection.turn() {
            Turn::Event(Event::Request(request)) => at_hand = Some(Exchange::new(api, &request)),
            Turn::Event(Event::Data(data)) => {
                if let Some(early) = at_hand.as_mut().and_then(|exchange: &mut Exchange| exchange.data(api, data)) {
                    connection.reply(early);
                }
            }
            Turn::Event(Event::End(trailers)) => match at_hand.take().map(|exchange| exchange.end(api, &trailers)) {
                Some(Then::Reply(reply)) => connection.reply(reply),
                Some(Then::Wait(waiting)) => {
                    if !wait(api, &mut connection, socket, generation, waiting) {
                        break;
                    }
                }
                None => break,
            },
            Turn::Over(reason) => {
                if let Some(exchange) = at_hand.take() {
                    exchange.torn(api, &reason);
                }
                connection.close(&reason);
                break;
            }
        }
    }
    api.disconnected();
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
            Some(restored) => restored
                .map(|()| lambda_runtime_proto::server::Reply::new(200))
                .map_err(|refused| (Endpoint::RestoreNext, refused)),
        },
        Waiting::Extension(identifier) => match api.next_extension_event(identifier.as_deref(), generation, is_alive) {
            None => return false,
            Some(event) => event.map_err(|refused| (Endpoint::NextExtensionEvent, refused)),
        },
    };
    connection.reply(reply.unwrap_or_else(|(endpoint, refused)| api.refuse(&endpoint.to_string(), &refused)));
    true
}

impl Api {
    /// Returns the generation of processes that the new connection belongs to.
    fn connected(&self) -> u64 {
        let mut state = self.state();
        state.observed.connections += 1;
        state.observed.open_connections += 1;
        let generation = state.generation;
        drop(state);
        self.changed.notify_all();
        generation
    }

    fn disconnected(&self) {
        self.state().observed.open_connections -= 1;
        self.changed.notify_all();
    }
}
