//! Plays a script to one machine and records what it says and writes.

use bytes::Bytes;
use http::HeaderValue;

use super::config;
use crate::client::{self, Client, Failure, InvocationToken, Response, ResponseStream, StreamHead};
use crate::server::{self, Reply, Server};
use crate::{Limits, Output};

/// Which machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// [`Client`]
    Client,
    /// [`Server`]
    Server,
}

/// What happens to the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The caller gives a command.
    Command(Command),
    /// Bytes come. Only these are split.
    Receive(Vec<u8>),
    /// The peer closes its half.
    EndOfInput,
    /// The driver opens a new connection.
    Reconnect,
}

/// A command; each machine refuses those of the other side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "named after the methods that they call")]
pub enum Command {
    Next,
    Respond,
    Fail,
    Stream,
    Chunk,
    Finish,
    Abort,
    Drop,
    InitError,
    RestoreNext,
    Reply,
    ReplyWithEvent,
    Cut,
}

impl Command {
    /// All of them.
    pub const ALL: [Command; 13] = [
        Command::Next,
        Command::Respond,
        Command::Fail,
        Command::Stream,
        Command::Chunk,
        Command::Finish,
        Command::Abort,
        Command::Drop,
        Command::InitError,
        Command::RestoreNext,
        Command::Reply,
        Command::ReplyWithEvent,
        Command::Cut,
    ];
}

/// What a machine did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// It wrote these bytes.
    Wrote(Vec<u8>),
    /// It received these bytes of a body.
    Data(Vec<u8>),
    /// Anything else that it said.
    Said(String),
}

/// Plays `script` to a new machine. `split` says where received bytes are cut: it gets what is left and returns how
/// much of it comes at once.
///
/// # Panics
///
/// If the machine stops making progress or goes back on the end of its connection.
pub fn trace(side: Side, limits: &Limits, script: &[Step], split: &mut dyn FnMut(&[u8]) -> usize) -> Vec<Entry> {
    let mut player = Player { machine: Machine::new(side, limits), trace: Vec::new(), closed: None };
    player.run();
    for step in script {
        match step {
            Step::Receive(bytes) => {
                let mut rest = bytes.as_slice();
                while !rest.is_empty() {
                    let (piece, after) = rest.split_at(split(rest).clamp(1, rest.len()));
                    player.machine.receive(piece);
                    player.run();
                    rest = after;
                }
            }
            Step::Command(command) => {
                let outcome = player.machine.command(*command);
                player.say(format!("{command:?}: {outcome}"));
            }
            Step::EndOfInput => player.machine.end_of_input(),
            Step::Reconnect => player.reconnect(),
        }
        player.run();
    }
    player.trace
}

enum Machine {
    Client { client: Box<Client>, token: Option<InvocationToken>, stream: Option<ResponseStream> },
    Server(Box<Server>),
}

/// What the machine wants, without its borrow.
enum Wanted {
    Write(Vec<u8>),
    Said(String),
    Data(Vec<u8>),
    Input,
    Closed(String),
}

struct Player {
    machine: Machine,
    trace: Vec<Entry>,
    closed: Option<String>,
}

impl Player {
    /// Does what the machine wants until it wants input.
    fn run(&mut self) {
        let mut polls = 0;
        loop {
            polls += 1;
            assert!(polls < 100_000, "the machine goes round in circles");
            match self.machine.poll() {
                Wanted::Write(bytes) => {
                    assert!(!bytes.is_empty(), "nothing to write");
                    self.machine.sent(bytes.len());
                    match self.trace.last_mut() {
                        Some(Entry::Wrote(before)) => before.extend(bytes),
                        _ => self.trace.push(Entry::Wrote(bytes)),
                    }
                }
                Wanted::Data(bytes) => match self.trace.last_mut() {
                    Some(Entry::Data(before)) => before.extend(bytes),
                    _ => self.trace.push(Entry::Data(bytes)),
                },
                Wanted::Said(said) => self.say(said),
                Wanted::Closed(reason) => {
                    match &self.closed {
                        Some(before) => assert_eq!(*before, reason, "a connection ends once, for one reason"),
                        None => self.say(format!("closed: {reason}")),
                    }
                    self.closed = Some(reason);
                    return;
                }
                Wanted::Input => {
                    assert!(self.closed.is_none(), "a closed connection wants nothing");
                    return;
                }
            }
        }
    }

    fn say(&mut self, said: String) {
        self.trace.push(Entry::Said(said));
    }

    fn reconnect(&mut self) {
        if let Machine::Client { client, .. } = &mut self.machine {
            client.reset();
            self.closed = None;
            self.say("reconnected".to_owned());
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

    fn poll(&mut self) -> Wanted {
        match self {
            Machine::Client { client, token, .. } => wanted(client.poll_output(), |event| match event {
                client::Event::Invocation(invocation) => {
                    let (headers, body) = (invocation.headers(), invocation.body());
                    let said = format!("invocation {} {headers:?} {body:?}", invocation.request_id());
                    *token = Some(invocation.into_token());
                    Wanted::Said(said)
                }
                client::Event::EventTooLarge { invocation, length, limit } => {
                    let (id, headers, body) = (invocation.request_id(), invocation.headers(), invocation.body());
                    let said = format!("too large {id} {headers:?} {body:?} {length:?} {limit}");
                    *token = Some(invocation.into_token());
                    Wanted::Said(said)
                }
                client::Event::Reply(answer) => Wanted::Said(format!(
                    "answered {} {} {:?} {:?}",
                    answer.endpoint(),
                    answer.status(),
                    answer.kind(),
                    answer.body()
                )),
                client::Event::NoInvocation(none) => Wanted::Said(format!("no invocation: {none}")),
                client::Event::StreamInterrupted => Wanted::Said("torn".to_owned()),
            }),
            Machine::Server(server) => wanted(server.poll_output(), |event| match event {
                server::Event::Request(request) => {
                    Wanted::Said(format!("{} {} {:?}", request.method(), request.path(), request.headers()))
                }
                server::Event::Data(data) => Wanted::Data(data.to_vec()),
                server::Event::End(trailers) => Wanted::Said(format!("end {:?}", trailers.fields())),
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

    /// Gives the command; says `ok`, or why it was refused.
    fn command(&mut self, command: Command) -> String {
        fn said<E: std::fmt::Display>(result: Result<(), E>) -> String {
            result.map_or_else(|error| error.to_string(), |()| "ok".to_owned())
        }
        let failure = || Failure::new(HeaderValue::from_static("Function.Test"), Bytes::from_static(b"{}"));
        match self {
            Machine::Client { client, token, stream } => match command {
                Command::Next => said(client.next_invocation()),
                Command::InitError => said(client.init_error(failure())),
                Command::RestoreNext => said(client.restore_next()),
                Command::Respond | Command::Fail | Command::Stream => {
                    let Some(given) = token.take() else { return "no token".to_owned() };
                    let result = match command {
                        Command::Respond => client.respond(given, Response::json("\"response\"")),
                        Command::Fail => client.fail(given, failure()),
                        _ => {
                            let prelude = Bytes::from_static(b"{\"statusCode\":200}");
                            client.stream(given, StreamHead::Http { prelude }).map(|open| *stream = Some(open))
                        }
                    };
                    said(result.map_err(|refused| {
                        *token = Some(refused.token);
                        refused.misuse
                    }))
                }
                Command::Chunk => match stream {
                    Some(stream) => said(client.chunk(stream, "chunk")),
                    None => "no stream".to_owned(),
                },
                Command::Finish | Command::Abort => match stream.take() {
                    Some(stream) if command == Command::Finish => said(client.finish(stream)),
                    Some(stream) => said(client.abort(stream, failure())),
                    None => "no stream".to_owned(),
                },
                Command::Drop => {
                    *stream = None;
                    "ok".to_owned()
                }
                Command::Reply | Command::ReplyWithEvent | Command::Cut => "not a client's".to_owned(),
            },
            Machine::Server(server) => match command {
                Command::Reply => said(server.reply(Reply::accepted())),
                Command::ReplyWithEvent => {
                    said(server.reply(Reply::event("id", std::time::Duration::from_millis(1), "{}")))
                }
                Command::Stream => said(server.stream(Reply::new(200))),
                Command::Chunk => said(server.chunk("chunk")),
                Command::Finish => said(server.finish([])),
                Command::Cut => {
                    server.close_abruptly();
                    "ok".to_owned()
                }
                _ => "not a server's".to_owned(),
            },
        }
    }
}

fn wanted<E>(output: Output<'_, E>, event: impl FnOnce(E) -> Wanted) -> Wanted {
    match output {
        Output::Transmit(slices) => Wanted::Write(slices.iter().flat_map(|slice| slice.iter().copied()).collect()),
        Output::Event(happened) => event(happened),
        Output::Receive | Output::Idle => Wanted::Input,
        Output::Closed(reason) => Wanted::Closed(reason.to_string()),
    }
}
