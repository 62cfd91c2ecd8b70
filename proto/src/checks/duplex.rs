//! Both machines face each other in memory, through random commands, splits, resets and closes.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;

use super::{Entropy, config};
use crate::client::{self, Client, Failure, InvocationToken, Response, ResponseStream, StreamHead};
use crate::server::{self, Reply, Route, Server};
use crate::{Endpoint, Limits, Output};

/// What is under way may never take more than this: caps times a small factor.
const MAX_IN_FLIGHT: usize = 256 * 1024;

/// Plays a dialogue and checks it: every invocation that the runtime took ends answered, reported or torn; none is
/// answered twice; what arrives whole is what was sent; what was not finished never looks whole.
pub fn duplex(bytes: &[u8]) {
    let mut entropy = Entropy::new(bytes);
    let mut dialogue = Dialogue {
        client: Client::new(config().pipelining(entropy.byte() & 1 == 1)),
        server: Server::new(Limits::default()),
        to_server: VecDeque::new(),
        to_client: VecDeque::new(),
        runtime: Runtime::default(),
        api: Api::default(),
    };
    let mut turns = 0;
    while !entropy.is_empty() && turns < 2000 {
        turns += 1;
        dialogue.turn(&mut entropy);
        assert!(dialogue.to_server.len() + dialogue.to_client.len() + dialogue.client.queued() < MAX_IN_FLIGHT);
    }
    // Left to itself without further faults, whatever is under way comes to its end.
    for _ in 0..200 {
        dialogue.settle();
    }
    let Dialogue { client, runtime, api, .. } = &dialogue;
    assert!(runtime.token.is_none() && runtime.stream.is_none(), "an invocation was left outstanding");
    assert!(client.outstanding().all(|request| request.endpoint == Endpoint::Next), "a request is stuck");
    for id in 1..=api.invoked {
        let given = api.given.iter().filter(|given| **given == id).count();
        let ends = api.ended.iter().filter(|ended| **ended == id).count();
        assert!(ends <= given.max(1), "invocation {id} was answered {ends} times");
    }
}

struct Dialogue {
    client: Client,
    server: Server,
    /// Bytes on the wire.
    to_server: VecDeque<u8>,
    to_client: VecDeque<u8>,
    runtime: Runtime,
    api: Api,
}

/// What the function's side remembers.
#[derive(Default)]
struct Runtime {
    token: Option<InvocationToken>,
    stream: Option<ResponseStream>,
    id: String,
    /// What was answered to the invocation in hand: `None` while a stream is open or was aborted.
    sent: Vec<u8>,
    finished: bool,
}

/// What the API's side remembers.
#[derive(Default)]
struct Api {
    invoked: usize,
    /// The invocation that was rendered last and not answered.
    current: Option<usize>,
    /// Ids as rendered: the same one again after a broken connection.
    given: Vec<usize>,
    /// Ids whose answer was accepted.
    ended: Vec<usize>,
    /// The request that is coming in.
    endpoint: Option<Endpoint>,
    id: String,
    body: Vec<u8>,
    /// A /next is waiting for an event.
    waiting: bool,
}

impl Dialogue {
    fn turn(&mut self, entropy: &mut Entropy<'_>) {
        match entropy.below(16) {
            0..=3 => {
                let n = entropy.below(200) + 1;
                self.deliver_to_server(n);
            }
            4..=7 => {
                let n = entropy.below(200) + 1;
                self.deliver_to_client(n);
            }
            8..=11 => self.command(entropy),
            12 | 13 => self.api_event(),
            14 => {
                let n = entropy.below(300) + 1;
                self.write(n);
            }
            _ => match entropy.below(8) {
                0 => self.reset(),
                1 => {
                    self.server.close_abruptly();
                    self.settle_server();
                }
                _ => self.write(usize::MAX),
            },
        }
        self.pump_client();
        self.settle_server();
    }

    /// One step towards the end, without faults.
    fn settle(&mut self) {
        let nothing = &mut Entropy::new(&[]);
        self.command(nothing);
        self.write(usize::MAX);
        self.deliver_to_server(usize::MAX);
        self.settle_server();
        self.deliver_to_client(usize::MAX);
        self.pump_client();
    }

    /// The function does something.
    fn command(&mut self, entropy: &mut Entropy<'_>) {
        let Self { client, runtime, .. } = self;
        let failure = || Failure::new(HeaderValue::from_static("Function.Test"), Bytes::from_static(b"{\"failed\":1}"));
        if let Some(stream) = runtime.stream.take() {
            let over = match entropy.below(8) {
                0 | 1 => {
                    runtime.finished = true;
                    client.finish(stream).is_err()
                }
                2 => client.abort(stream, failure()).is_err(),
                3 => {
                    drop(stream);
                    false
                }
                _ if client.queued() > 16 * 1024 => {
                    runtime.stream = Some(stream);
                    false
                }
                n => {
                    let chunk = vec![entropy.byte(); n * 40];
                    runtime.sent.extend_from_slice(&chunk);
                    let over = client.chunk(&stream, chunk).is_err();
                    runtime.stream = Some(stream);
                    over
                }
            };
            if over {
                runtime.stream = None;
            }
        } else if let Some(token) = runtime.token.take() {
            runtime.sent.clear();
            runtime.finished = false;
            match entropy.below(4) {
                0 | 1 => {
                    let body = format!("\"response to {}\"", runtime.id);
                    runtime.sent.extend_from_slice(body.as_bytes());
                    runtime.finished = true;
                    assert!(client.respond(token, Response::json(body)).is_ok());
                }
                2 => {
                    runtime.sent.extend_from_slice(b"{\"failed\":1}");
                    runtime.finished = true;
                    assert!(client.fail(token, failure()).is_ok());
                }
                _ => {
                    let content_type = HeaderValue::from_static("text/plain");
                    runtime.stream = client.stream(token, StreamHead::Plain { content_type }).ok();
                    assert!(runtime.stream.is_some());
                }
            }
        } else {
            let _ = client.next_invocation();
        }
    }

    /// The client's side does what it can without new bytes.
    fn pump_client(&mut self) {
        loop {
            match self.client.poll_output() {
                Output::Event(client::Event::Invocation(invocation)) => {
                    assert!(self.runtime.token.is_none() && self.runtime.stream.is_none(), "two invocations at once");
                    self.runtime.id = invocation.request_id().to_owned();
                    assert_eq!(invocation.body(), format!("{{\"id\":\"{}\"}}", self.runtime.id));
                    self.runtime.token = Some(invocation.into_token());
                }
                Output::Event(client::Event::StreamInterrupted) => self.runtime.stream = None,
                Output::Event(_) => {}
                Output::Closed(_) => self.reset(),
                Output::Transmit(_) | Output::Receive | Output::Idle => return,
            }
        }
    }

    fn write(&mut self, most: usize) {
        if let Output::Transmit(slices) = self.client.poll_output() {
            let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).take(most).collect();
            self.to_server.extend(&bytes);
            self.client.sent(bytes.len());
        }
    }

    /// The connection breaks, and another is made.
    fn reset(&mut self) {
        self.to_server.clear();
        self.to_client.clear();
        self.server = Server::new(Limits::default());
        self.api.endpoint = None;
        self.api.waiting = false;
        self.client.disconnected();
        self.client.reset();
    }

    fn deliver_to_server(&mut self, n: usize) {
        let n = n.min(self.to_server.len());
        let bytes: Vec<u8> = self.to_server.drain(..n).collect();
        self.server.receive(&bytes);
    }

    fn deliver_to_client(&mut self, n: usize) {
        let n = n.min(self.to_client.len());
        let bytes: Vec<u8> = self.to_client.drain(..n).collect();
        self.client.receive(&bytes);
        self.pump_client();
    }

    fn api_event(&mut self) {
        if std::mem::take(&mut self.api.waiting) {
            let id = self.api.current.unwrap_or_else(|| {
                self.api.invoked += 1;
                self.api.invoked
            });
            self.api.current = Some(id);
            self.api.given.push(id);
            let event = format!("{{\"id\":\"id-{id}\"}}");
            assert!(self.server.reply(Reply::event(&format!("id-{id}"), Duration::from_millis(1), event)).is_ok());
        }
    }

    /// The server's side does what it can without new bytes.
    fn settle_server(&mut self) {
        loop {
            match self.server.poll_output() {
                Output::Transmit(slices) => {
                    let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
                    self.to_client.extend(&bytes);
                    self.server.sent(bytes.len());
                }
                Output::Event(server::Event::Request(request)) => {
                    let Route::Api(endpoint, id) = request.route() else { panic!("an unknown request") };
                    self.api.endpoint = Some(endpoint);
                    self.api.id = id.to_owned();
                    self.api.body.clear();
                }
                Output::Event(server::Event::Data(data)) => self.api.body.extend_from_slice(&data),
                Output::Event(server::Event::End(trailers)) => self.complete(!trailers.fields().is_empty()),
                Output::Closed(_) => {
                    // What was written before is still delivered, then the client sees the end.
                    self.deliver_to_client(usize::MAX);
                    self.reset();
                    return;
                }
                Output::Receive | Output::Idle => return,
            }
        }
    }

    /// A request has come whole.
    fn complete(&mut self, has_trailers: bool) {
        let reply = match self.api.endpoint.take() {
            Some(Endpoint::Next) => {
                self.api.waiting = true;
                return;
            }
            Some(endpoint) if endpoint.posts_outcome() => {
                match self.api.current.take_if(|id| self.api.id == format!("id-{id}")) {
                    Some(id) => {
                        assert_eq!(self.api.id, self.runtime.id, "the answer belongs to another invocation");
                        if !has_trailers {
                            assert!(self.runtime.finished, "what was not finished looks whole");
                            assert_eq!(self.api.body, self.runtime.sent, "what arrived is not what was sent");
                        }
                        self.api.ended.push(id);
                        Reply::accepted()
                    }
                    None => Reply::new(403).json("{}"),
                }
            }
            _ => panic!("a request that was never made"),
        };
        assert!(self.server.reply(reply).is_ok());
    }
}
