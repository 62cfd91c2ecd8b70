//! Runs a script against one machine and records its output.

use bytes::Bytes;
use http::HeaderValue;

use super::config;
use crate::client::{self, Client, Failure, InvocationToken, Response, ResponseStream, StreamHead};
use crate::server::{self, Reply, Server};
use crate::{Limits, Output};

/// The machine to test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// [`Client`]
    Client,
    /// [`Server`]
    Server,
}

/// A step of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The caller issues a command.
    Command(Command),
    /// Bytes arrive. Only these are split.
    Receive(Vec<u8>),
    /// The peer closes its sending half.
    EndOfInput,
    /// The driver opens a new connection.
    Reconnect,
}

/// A command of either machine. The other machine only records that it received one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "named after the methods")]
pub enum Command {
    Next,
    Respond,
    Fail,
    Withdraw,
    Abandon,
    Stream,
    Chunk,
    Finish,
    Abort,
    Drop,
    InitError,
    RestoreNext,
    Reply,
    ReplyWithEvent,
    CloseAbruptly,
}

impl Command {
    /// All of them.
    pub const ALL: [Command; 15] = [
        Command::Next,
        Command::Respond,
        Command::Fail,
        Command::Withdraw,
        Command::Abandon,
        Command::Stream,
        Command::Chunk,
        Command::Finish,
        Command::Abort,
        Command::Drop,
        Command::InitError,
        Command::RestoreNext,
        Command::Reply,
        Command::ReplyWithEvent,
        Command::CloseAbruptly,
    ];
}

/// An output of the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// Bytes to write.
    Written(Vec<u8>),
    /// A part of a body.
    Data(Vec<u8>),
    /// An event, the result of a command, or the end of the connection.
    Event(String),
}

/// Runs `script` against a new machine. `split` receives the bytes that are left of a step, and returns the length of the
/// next piece.
///
/// # Panics
///
/// If the machine stops making progress, or produces output after the end of its connection.
pub fn trace(side: Side, limits: &Limits, script: &[Step], split: &mut dyn FnMut(&[u8]) -> usize) -> Vec<Entry> {
    let mut run = Run { machine: Machine::new(side, limits), trace: Vec::new(), closed: None };
    run.drive();
    for step in script {
        match step {
            Step::Receive(bytes) => {
                let mut rest = bytes.as_slice();
                while !rest.is_empty() {
                    let (piece, after) = rest.split_at(split(rest).clamp(1, rest.len()));
                    run.machine.receive(piece);
                    run.drive();
                    rest = after;
                }
            }
            Step::Command(command) => {
                let outcome = run.machine.command(*command);
                run.record(format!("{command:?}: {outcome}"));
            }
            Step::EndOfInput => run.machine.end_of_input(),
            Step::Reconnect => run.reconnect(),
        }
        run.drive();
    }
    run.trace
}

enum Machine {
    Client { client: Box<Client>, token: Option<InvocationToken>, stream: Option<ResponseStream> },
    Server(Box<Server>),
}

/// An [`Output`] that borrows nothing.
enum Next {
    Write(Vec<u8>),
    Event(String),
    Data(Vec<u8>),
    Input,
    Closed(String),
}

struct Run {
    machine: Machine,
    trace: Vec<Entry>,
    closed: Option<String>,
}

impl Run {
    /// Handles the output of the machine until it needs input.
    fn drive(&mut self) {
        let mut polls = 0;
        loop {
            polls += 1;
            assert!(polls < 100_000, "the machine makes no progress");
            match self.machine.poll() {
                Next::Write(bytes) => {
                    assert!(!bytes.is_empty(), "there are no bytes to write");
                    self.machine.sent(bytes.len());
                    match self.trace.last_mut() {
                        Some(Entry::Written(before)) => before.extend(bytes),
                        _ => self.trace.push(Entry::Written(bytes)),
                    }
                }
                Next::Data(bytes) => match self.trace.last_mut() {
                    Some(Entry::Data(before)) => before.extend(bytes),
                    _ => self.trace.push(Entry::Data(bytes)),
                },
                Next::Event(event) => self.record(event),
                Next::Closed(reason) => {
                    match &self.closed {
                        Some(before) => assert_eq!(*before, reason, "a connection ends once, for one reason"),
                        None => self.record(format!("closed: {reason}")),
                    }
                    self.closed = Some(reason);
                    return;
                }
                Next::Input => {
                    assert!(self.closed.is_none(), "a closed connection needs no input");
                    return;
                }
            }
        }
    }

    fn record(&mut self, event: String) {
        self.trace.push(Entry::Event(event));
    }

    fn reconnect(&mut self) {
        if let Machine::Client { client, .. } = &mut self.machine {
            client.reset();
            self.closed = None;
            self.record("reset".to_owned());
        }
    }
}

impl Machine {
    fn new(side: Side, limits: &Limits) -> Self {
        match side {
            Side::Client => {
                let config = config().limits(limits.clone()).pipelining(true);
                Machine::Client { client: Box::new(Client::new(config)), token: None, stream: None }
            }
            Side::Server => Machine::Server(Box::new(Server::new(limits.clone()))),
        }
    }

    fn poll(&mut self) -> Next {
        match self {
            Machine::Client { client, token, .. } => next(client.poll_output(), |event| match event {
                client::Event::Invocation(invocation) => {
                    let (headers, body) = (invocation.headers(), invocation.body());
                    let event = format!("invocation {} {headers:?} {body:?}", invocation.request_id());
                    *token = Some(invocation.into_token());
                    Next::Event(event)
                }
                client::Event::EventTooLarge { invocation, length, limit } => {
                    let (id, headers, body) = (invocation.request_id(), invocation.headers(), invocation.body());
                    let event = format!("too large {id} {headers:?} {body:?} {length:?} {limit}");
                    *token = Some(invocation.into_token());
                    Next::Event(event)
                }
                client::Event::Reply(reply) => Next::Event(format!(
                    "reply to {}: {} {:?} {:?}{}",
                    reply.endpoint(),
                    reply.status(),
                    reply.kind(),
                    reply.body(),
                    if reply.is_truncated() { " truncated" } else { "" },
                )),
                client::Event::NoInvocation(none) => Next::Event(format!("no invocation: {none}")),
                client::Event::StreamInterrupted => Next::Event("stream interrupted".to_owned()),
            }),
            Machine::Server(server) => next(server.poll_output(), |event| match event {
                server::Event::Request(request) => {
                    Next::Event(format!("{} {} {:?}", request.method(), request.path(), request.headers()))
                }
                server::Event::Data(data) => Next::Data(data.to_vec()),
                server::Event::End(trailers) => Next::Event(format!("end {:?}", trailers.fields())),
            }),
        }
    }

    fn receive(&mut self, bytes: &[u8]) {
        match self {
            Machine::Client { client, .. } => client.receive(bytes),
            Machine::Server(server) => server.receive(bytes),
        }
    }

    fn sent(&mut self, n: usize) {
        match self {
            Machine::Client { client, .. } => client.sent(n),
            Machine::Server(server) => server.sent(n),
        }
    }

    fn end_of_input(&mut self) {
        match self {
            Machine::Client { client, .. } => client.end_of_input(),
            Machine::Server(server) => server.end_of_input(),
        }
    }

    /// Issues the command. Returns `ok`, or why it was refused.
    fn command(&mut self, command: Command) -> String {
        fn outcome<E: std::fmt::Display>(result: Result<(), E>) -> String {
            result.map_or_else(|error| error.to_string(), |()| "ok".to_owned())
        }
        let failure = || Failure::new(HeaderValue::from_static("Function.Test"), Bytes::from_static(b"{}"));
        match self {
            Machine::Client { client, token, stream } => match command {
                Command::Next => outcome(client.next_invocation()),
                Command::InitError => outcome(client.init_error(failure())),
                Command::RestoreNext => outcome(client.restore_next()),
                Command::Respond | Command::Fail | Command::Abandon | Command::Stream => {
                    let Some(redeemed) = token.take() else { return "no token".to_owned() };
                    let result = match command {
                        Command::Respond => client.respond(redeemed, Response::json("\"response\"")),
                        Command::Fail => client.fail(redeemed, failure()),
                        Command::Abandon => client.abandon(redeemed),
                        _ => {
                            let prelude = Bytes::from_static(b"{\"statusCode\":200}");
                            client.stream(redeemed, StreamHead::Http { prelude }).map(|open| *stream = Some(open))
                        }
                    };
                    outcome(result.map_err(|refused| {
                        *token = Some(refused.token);
                        refused.misuse
                    }))
                }
                Command::Withdraw => match client.withdraw() {
                    None => "nothing to withdraw".to_owned(),
                    withdrawn => {
                        *token = withdrawn;
                        "ok".to_owned()
                    }
                },
                Command::Chunk => match stream {
                    Some(stream) => outcome(client.chunk(stream, "chunk")),
                    None => "no stream".to_owned(),
                },
                Command::Finish | Command::Abort => match stream.take() {
                    Some(stream) if command == Command::Finish => outcome(client.finish(stream)),
                    Some(stream) => outcome(client.abort(stream, failure())),
                    None => "no stream".to_owned(),
                },
                Command::Drop => {
                    *stream = None;
                    "ok".to_owned()
                }
                Command::Reply | Command::ReplyWithEvent | Command::CloseAbruptly => {
                    "not a command of a client".to_owned()
                }
            },
            Machine::Server(server) => match command {
                Command::Reply => outcome(server.reply(Reply::accepted())),
                Command::ReplyWithEvent => {
                    outcome(server.reply(Reply::event("id", std::time::Duration::from_millis(1), "{}")))
                }
                Command::Stream => outcome(server.stream(Reply::new(200))),
                Command::Chunk => outcome(server.chunk("chunk")),
                Command::Finish => outcome(server.finish([])),
                Command::CloseAbruptly => {
                    server.close_abruptly();
                    "ok".to_owned()
                }
                _ => "not a command of a server".to_owned(),
            },
        }
    }
}

fn next<E>(output: Output<'_, E>, event: impl FnOnce(E) -> Next) -> Next {
    match output {
        Output::Transmit(slices) => Next::Write(slices.iter().flat_map(|slice| slice.iter().copied()).collect()),
        Output::Event(happened) => event(happened),
        Output::Receive | Output::Idle => Next::Input,
        Output::Closed(reason) => Next::Closed(reason.to_string()),
    }
}
