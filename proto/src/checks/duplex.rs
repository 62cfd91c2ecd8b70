//! Client and server exchange bytes in memory, through random commands, splits, lost connections and odd replies.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;

use super::{Entropy, config};
use crate::client::{self, Client, Failure, InvocationToken, Response, ResponseStream, StreamHead};
use crate::server::{self, Reply, Route, Server};
use crate::{Endpoint, Limits, Output};

/// Bytes in flight and queued never exceed this: the limits times a small factor.
const MAX_IN_FLIGHT: usize = 256 * 1024;

/// The client's limits, which some events and replies exceed.
const MAX_EVENT: usize = 64;
const MAX_REPLY_BODY: usize = 48;

/// Plays a dialogue and checks it:
///
/// - Every invocation that the runtime received ends with an outcome or an interrupted stream, and no outcome is
///   accepted twice.
/// - An outcome is never resent once the head of its reply has arrived.
/// - A body that looks complete equals the one that was sent.
pub fn duplex(bytes: &[u8]) {
    let mut entropy = Entropy::new(bytes);
    let limits = Limits::default().body(size(MAX_EVENT)).reply_body(size(MAX_REPLY_BODY));
    let mut dialogue = Dialogue {
        client: Client::new(config().limits(limits).pipelining(entropy.byte() & 1 == 1)),
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
    // Without further faults, everything completes.
    dialogue.api.style = Style::Accepted;
    for _ in 0..200 {
        dialogue.settle();
    }
    let Dialogue { client, runtime, api, .. } = &dialogue;
    assert!(runtime.token.is_none() && runtime.stream.is_none(), "an invocation was left outstanding");
    assert!(client.outstanding().all(|request| request.endpoint == Endpoint::Next), "a request is stuck");
    for id in 1..=api.invoked {
        let delivered = api.delivered.iter().filter(|delivered| **delivered == id).count();
        let ends = api.ended.iter().filter(|ended| **ended == id).count();
        assert!(ends <= delivered.max(1), "{ends} outcomes of invocation {id} were accepted");
    }
}

fn size(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

struct Dialogue {
    client: Client,
    server: Server,
    /// Bytes in flight.
    to_server: VecDeque<u8>,
    to_client: VecDeque<u8>,
    runtime: Runtime,
    api: Api,
}

/// The state of the function.
#[derive(Default)]
struct Runtime {
    token: Option<InvocationToken>,
    stream: Option<ResponseStream>,
    /// The id of the invocation received last.
    id: String,
    /// The body of its outcome so far.
    sent: Vec<u8>,
    /// Whether the body is complete, which that of an aborted stream never is.
    finished: bool,
}

/// The state of the API.
#[derive(Default)]
struct Api {
    invoked: usize,
    /// The invocation that was delivered last and has no outcome.
    current: Option<usize>,
    /// Delivered ids, in order. An id is delivered again after its connection was lost.
    delivered: Vec<usize>,
    /// Ids whose outcome was accepted.
    ended: Vec<usize>,
    /// The id whose outcome has a reply in flight.
    replied: Option<String>,
    /// Ids whose outcome has a reply that arrived.
    settled: Vec<String>,
    /// The request that is being received.
    endpoint: Option<Endpoint>,
    id: String,
    body: Vec<u8>,
    /// Whether a /next is waiting for an event.
    waiting: bool,
    style: Style,
}

/// How the API replies to an outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Style {
    #[default]
    Accepted,
    /// Replies as soon as the head of the request was received.
    Early,
    /// Accepts, and closes the connection.
    Closing,
    /// Accepts, with a body over the limit.
    Long,
    /// Accepts, with a body that ends later or never.
    Unfinished,
    /// Refuses, with a message over the limit.
    Refused,
}

impl Style {
    const ALL: [Style; 6] =
        [Style::Accepted, Style::Early, Style::Closing, Style::Long, Style::Unfinished, Style::Refused];
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
            12 => {
                let is_oversized = entropy.below(8) == 0;
                self.deliver_event(is_oversized);
            }
            13 => {
                self.finish_reply();
                let choice = entropy.below(Style::ALL.len());
                self.api.style = Style::ALL.get(choice).copied().unwrap_or_default();
            }
            14 => {
                let n = entropy.below(300) + 1;
                self.write(n);
            }
            _ => match entropy.below(8) {
                0 => self.replace_connection(),
                1 => {
                    self.server.close_abruptly();
                    self.drive_server();
                }
                // The next command posts another outcome for the invocation.
                3 => {
                    if let Some(token) = self.client.withdraw() {
                        self.runtime.token = Some(token);
                    }
                }
                // A driver limits the duration of a drain.
                2 if self.client.is_draining() => {
                    self.client.disconnected();
                    self.drive_client();
                }
                _ => self.write(usize::MAX),
            },
        }
        self.drive_client();
        self.drive_server();
    }

    /// A step without faults or new invocations.
    fn settle(&mut self) {
        let nothing = &mut Entropy::new(&[]);
        self.command(nothing);
        self.write(usize::MAX);
        self.deliver_to_server(usize::MAX);
        self.drive_server();
        self.finish_reply();
        self.drive_server();
        self.deliver_to_client(usize::MAX);
        self.drive_client();
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

    /// Polls the client until it needs input or a command.
    fn drive_client(&mut self) {
        loop {
            match self.client.poll_output() {
                Output::Event(client::Event::Invocation(invocation)) => {
                    let (id, body) = self.runtime.received(invocation);
                    assert_eq!(body, event(&id, false));
                }
                Output::Event(client::Event::EventTooLarge { invocation, length, .. }) => {
                    let (id, body) = self.runtime.received(invocation);
                    assert_eq!((body, length), (Bytes::new(), Some(size(event(&id, true).len()))));
                }
                Output::Event(client::Event::Reply(reply)) => assert!(reply.body().len() <= MAX_REPLY_BODY),
                Output::Event(client::Event::StreamInterrupted) => self.runtime.stream = None,
                Output::Event(_) => {}
                Output::Closed(_) => self.replace_connection(),
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

    /// Replaces the connection, and loses the bytes in flight.
    fn replace_connection(&mut self) {
        self.to_server.clear();
        self.to_client.clear();
        self.server = Server::new(Limits::default());
        self.api.endpoint = None;
        self.api.waiting = false;
        self.api.replied = None;
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
        if self.to_client.is_empty() {
            self.api.settled.extend(self.api.replied.take());
        }
        self.drive_client();
    }

    /// The API replies to /next.
    fn deliver_event(&mut self, is_oversized: bool) {
        if std::mem::take(&mut self.api.waiting) {
            let id = self.api.current.unwrap_or_else(|| {
                self.api.invoked += 1;
                self.api.invoked
            });
            self.api.current = Some(id);
            self.api.delivered.push(id);
            let id = format!("id-{id}");
            let reply = Reply::event(&id, Duration::from_millis(1), event(&id, is_oversized));
            assert!(self.server.reply(reply).is_ok());
        }
    }

    fn finish_reply(&mut self) {
        // Refused unless a reply is unfinished.
        let _ = self.server.finish([]);
    }

    /// Polls the server until it needs input or a command.
    fn drive_server(&mut self) {
        loop {
            match self.server.poll_output() {
                Output::Transmit(slices) => {
                    let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
                    self.to_client.extend(&bytes);
                    self.server.sent(bytes.len());
                }
                Output::Event(server::Event::Request(request)) => {
                    let Route::Api(endpoint, id) = request.route() else { panic!("an unknown request") };
                    assert!(!self.api.settled.iter().any(|settled| settled == id), "the outcome of {id} is resent");
                    self.api.endpoint = Some(endpoint);
                    self.api.id = id.to_owned();
                    self.api.body.clear();
                    if endpoint.posts_outcome() && self.api.style == Style::Early {
                        self.reply();
                    }
                }
                Output::Event(server::Event::Data(data)) => self.api.body.extend_from_slice(&data),
                Output::Event(server::Event::End(trailers)) => self.complete(!trailers.fields().is_empty()),
                Output::Closed(_) => {
                    // Earlier bytes still arrive, and then the end.
                    self.deliver_to_client(usize::MAX);
                    self.client.end_of_input();
                    self.drive_client();
                    self.replace_connection();
                    return;
                }
                Output::Receive | Output::Idle => return,
            }
        }
    }

    /// A request was received completely.
    fn complete(&mut self, has_trailers: bool) {
        match self.api.endpoint {
            Some(Endpoint::Next) => self.api.waiting = true,
            Some(endpoint) if endpoint.posts_outcome() => {
                assert_eq!(self.api.id, self.runtime.id, "the outcome of another invocation");
                if !has_trailers {
                    assert!(self.runtime.finished, "an incomplete body looks complete");
                    assert_eq!(self.api.body, self.runtime.sent, "the body was changed");
                }
                self.reply();
            }
            _ => panic!("a request that was never made"),
        }
    }

    /// The API replies to an outcome.
    fn reply(&mut self) {
        let long = "x".repeat(MAX_REPLY_BODY + 1);
        let accepted = match self.api.current.take_if(|id| self.api.id == format!("id-{id}")) {
            Some(id) => {
                self.api.ended.push(id);
                true
            }
            None => false,
        };
        let replied = match self.api.style {
            _ if !accepted => self.server.reply(Reply::new(403).json("{}")),
            Style::Accepted | Style::Early => self.server.reply(Reply::accepted()),
            Style::Closing => self.server.reply(Reply::accepted().close()),
            Style::Long => self.server.reply(Reply::new(202).body(long)),
            Style::Unfinished => self.server.stream(Reply::new(202).body("part")),
            Style::Refused => self.server.reply(Reply::new(413).json(long)),
        };
        assert!(replied.is_ok());
        self.api.replied = Some(self.api.id.clone());
    }
}

impl Runtime {
    /// Takes an invocation; returns its id and event.
    fn received(&mut self, invocation: client::Invocation) -> (String, Bytes) {
        assert!(self.token.is_none() && self.stream.is_none(), "two invocations at once");
        self.id = invocation.request_id().to_owned();
        let body = invocation.body();
        self.token = Some(invocation.into_token());
        (self.id.clone(), body)
    }
}

fn event(id: &str, is_oversized: bool) -> String {
    format!("{{\"id\":\"{id}\"{}}}", " ".repeat(if is_oversized { MAX_EVENT } else { 0 }))
}
