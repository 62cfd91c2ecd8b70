//! Helpers of the tests.

#![allow(dead_code, reason = "each test file uses some of them")]
#![allow(unreachable_pub, clippy::unwrap_used, clippy::panic)]

use bytes::Bytes;
use http::HeaderValue;
use lambda_runtime_proto::client::{Client, Config, Event, Failure, Invocation};
use lambda_runtime_proto::server::{self, Server};
use lambda_runtime_proto::{CloseReason, Limits, Misuse, Output};

pub const EVENT: &[u8] =
    b"HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: id-1\r\nLambda-Runtime-Deadline-Ms: 1542409706888\r\nContent-Length: 16\r\n\r\n{\"name\":\"World\"}";
pub const ACCEPTED: &[u8] = b"HTTP/1.1 202 Accepted\r\nContent-Length: 16\r\n\r\n{\"status\":\"OK\"}\n";

pub fn config() -> Config {
    Config::new("127.0.0.1:9001".parse().unwrap())
}

pub fn client() -> Client {
    Client::new(config())
}

pub fn failure() -> Failure {
    Failure::new(HeaderValue::from_static("Function.Test"), r#"{"errorMessage":"m","errorType":"Function.Test"}"#)
}

/// Writes everything that the machine has now, and returns it.
pub fn written(client: &mut Client) -> String {
    let mut written = Vec::new();
    for _ in 0..1000 {
        let Output::Transmit(slices) = client.poll_output() else { return String::from_utf8(written).unwrap() };
        let before = written.len();
        slices.iter().for_each(|slice| written.extend_from_slice(slice));
        client.sent(written.len() - before);
    }
    panic!("the output does not end");
}

pub fn event(client: &mut Client) -> Event {
    match client.poll_output() {
        Output::Event(event) => event,
        other => panic!("{other:?} instead of an event"),
    }
}

pub fn closed(client: &mut Client) -> CloseReason {
    match client.poll_output() {
        Output::Closed(reason) => reason,
        other => panic!("{other:?} instead of the end"),
    }
}

/// A client with an invocation in hand.
pub fn in_hand(mut client: Client) -> (Client, Invocation) {
    client.next_invocation().unwrap();
    written(&mut client);
    client.receive(EVENT);
    match event(&mut client) {
        Event::Invocation(invocation) => (client, invocation),
        other => panic!("{other:?} instead of an invocation"),
    }
}

/// The event that `bytes` become as the reply to /next.
pub fn reply_to_next(bytes: &[u8], limits: Limits) -> Result<Event, CloseReason> {
    reply_to(Client::next_invocation, bytes, limits)
}

/// The event that `bytes` become as the reply to this request.
pub fn reply_to(
    request: fn(&mut Client) -> Result<(), Misuse>,
    bytes: &[u8],
    limits: Limits,
) -> Result<Event, CloseReason> {
    let mut client = Client::new(config().limits(limits));
    request(&mut client).unwrap();
    written(&mut client);
    client.receive(bytes);
    for _ in 0..2 {
        match client.poll_output() {
            Output::Event(event) => return Ok(event),
            Output::Closed(reason) => return Err(reason),
            Output::Receive => client.end_of_input(),
            other => panic!("{other:?}"),
        }
    }
    panic!("the end of the input has no effect");
}

/// A client and a server in memory.
pub struct Pair {
    pub client: Client,
    pub server: Server,
}

impl Pair {
    pub fn new() -> Self {
        Self { client: client(), server: Server::new(Limits::default()) }
    }

    /// Moves the client's output into the server, and returns the events.
    pub fn transfer_to_server(&mut self) -> Vec<server::Event> {
        let bytes = written(&mut self.client);
        self.server.receive(bytes.as_bytes());
        let mut events = Vec::new();
        while let Output::Event(event) = self.server.poll_output() {
            events.push(event);
        }
        events
    }

    /// Moves the server's output into the client.
    pub fn transfer_to_client(&mut self) {
        for _ in 0..1000 {
            let Output::Transmit(slices) = self.server.poll_output() else { return };
            let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
            self.server.sent(bytes.len());
            self.client.receive(&bytes);
        }
        panic!("the output does not end");
    }
}

/// The body of a request.
pub fn body(events: &[server::Event]) -> Bytes {
    let data = events.iter().filter_map(|event| match event {
        server::Event::Data(data) => Some(data.to_vec()),
        _ => None,
    });
    data.flatten().collect()
}
