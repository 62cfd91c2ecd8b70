//! Both machines, two wires and a driver for each side.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use lambda_runtime_proto::client::{
    self, Client, Config, Failure, InvocationToken, Response, ResponseStream, StreamHead,
};
use lambda_runtime_proto::server::{self, Reply, Route, Server};
use lambda_runtime_proto::{Endpoint, Limits, Output};

/// A command of the runtime's driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Command {
    InitError,
    RestoreNext,
    RestoreError,
    RegisterExtension,
    NextExtensionEvent,
    NextInvocation,
    Respond,
    Fail,
    Stream,
    Chunk,
    Finish,
    Abort,
    DropStream,
    Withdraw,
    Abandon,
}

impl Command {
    pub const ALL: [Command; 15] = [
        Command::InitError,
        Command::RestoreNext,
        Command::RestoreError,
        Command::RegisterExtension,
        Command::NextExtensionEvent,
        Command::NextInvocation,
        Command::Respond,
        Command::Fail,
        Command::Stream,
        Command::Chunk,
        Command::Finish,
        Command::Abort,
        Command::DropStream,
        Command::Withdraw,
        Command::Abandon,
    ];

    /// The method of `Client`.
    pub fn method(self) -> &'static str {
        match self {
            Command::InitError => "init_error",
            Command::RestoreNext => "restore_next",
            Command::RestoreError => "restore_error",
            Command::RegisterExtension => "register_extension",
            Command::NextExtensionEvent => "next_extension_event",
            Command::NextInvocation => "next_invocation",
            Command::Respond => "respond",
            Command::Fail => "fail",
            Command::Stream => "stream",
            Command::Chunk => "chunk",
            Command::Finish => "finish",
            Command::Abort => "abort",
            Command::DropStream => "drop the handle",
            Command::Withdraw => "withdraw",
            Command::Abandon => "abandon",
        }
    }
}

/// How the API replies to a complete request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Style {
    /// An event, or an acknowledgement.
    Usual,
    /// The same, after which the connection closes.
    Closing,
    /// A refusal.
    Refused,
    /// 204, in reply to /next.
    Nothing,
    /// 408.
    Timeout,
}

/// A step of the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    Command(Command),
    /// The runtime's socket accepts all bytes, or a part.
    Write,
    WritePart,
    /// Bytes arrive: all of them, or a part.
    ArriveAtServer,
    PartAtServer,
    ArriveAtClient,
    PartAtClient,
    /// The API replies.
    Reply(Style),
    /// The API replies to an incomplete outcome.
    EarlyAccept,
    EarlyRefuse,
    /// The connection is lost in both directions and replaced.
    Lose,
    /// The API closes its half; the runtime reads everything and then the end.
    EndOfInput,
    /// The runtime cannot write any more.
    EndOfOutput,
}

/// The state of everything.
pub struct World {
    pub client: Client,
    server: Server,
    to_server: Vec<u8>,
    to_client: Vec<u8>,
    token: Option<InvocationToken>,
    stream: Option<ResponseStream>,
    /// The body of the outcome so far, and whether it is complete.
    sent: Vec<u8>,
    finished: bool,
    /// The id of the invocation that the driver received last. Two ids alternate, which keeps the number of states finite.
    received: Option<&'static str>,
    /// Whether the API's next invocation has the second id.
    second: bool,
    /// The delivered invocation without an outcome.
    current: Option<&'static str>,
    request: Option<(Endpoint, String, Vec<u8>)>,
    /// Whether a complete request has no reply.
    owes: bool,
    /// The id whose outcome has a reply in flight.
    replied: Option<String>,
    /// The id whose outcome has a reply that arrived.
    settled: Option<String>,
    /// Outcomes that were accepted, for [`settles`](Self::settles).
    accepted: u32,
    /// Whether the runtime's socket cannot be written any more.
    mute: bool,
    pub violation: Option<String>,
}

const CHUNK: &[u8] = b"chunk";

impl World {
    pub fn new(pipelining: bool) -> Self {
        let host = "api:1".parse().expect("a host");
        Self {
            client: Client::new(Config::new(host).pipelining(pipelining)),
            server: Server::new(Limits::default()),
            to_server: Vec::new(),
            to_client: Vec::new(),
            token: None,
            stream: None,
            sent: Vec::new(),
            finished: false,
            received: None,
            second: false,
            current: None,
            request: None,
            owes: false,
            replied: None,
            settled: None,
            accepted: 0,
            mute: false,
            violation: None,
        }
    }

    /// Everything that decides what happens next.
    pub fn digest(&self) -> String {
        format!(
            "{:?}",
            (
                (self.client.digest(), self.server.digest(), &self.to_server, &self.to_client),
                (self.token.is_some(), self.stream.is_some(), &self.sent, self.finished, self.received, self.second),
                (self.current, &self.request, self.owes, &self.replied, &self.settled, self.mute, &self.violation),
            )
        )
    }

    fn violate(&mut self, message: impl Into<String>) {
        self.violation.get_or_insert_with(|| message.into());
    }

    /// Does one step. Returns whether it was possible.
    pub fn step(&mut self, action: Action) -> bool {
        let possible = match action {
            Action::Command(command) => self.command(command),
            Action::Write => self.write(usize::MAX),
            Action::WritePart => self.write(30),
            Action::ArriveAtServer => self.arrive_at_server(usize::MAX),
            Action::PartAtServer => self.to_server.len() > 20 && self.arrive_at_server(20),
            Action::ArriveAtClient => self.arrive_at_client(usize::MAX),
            Action::PartAtClient => self.to_client.len() > 20 && self.arrive_at_client(20),
            Action::Reply(style) => self.reply(style),
            Action::EarlyAccept => self.reply_early(Reply::accepted()),
            Action::EarlyRefuse => self.reply_early(refusal()),
            Action::Lose => {
                self.replace_connection();
                true
            }
            Action::EndOfInput => {
                self.arrive_at_client(usize::MAX);
                self.client.end_of_input();
                self.server.disconnected();
                true
            }
            Action::EndOfOutput => {
                self.client.end_of_output();
                self.mute = true;
                true
            }
        };
        self.drive_client();
        self.drive_server();
        possible
    }

    /// Returns whether the machine accepts a command.
    pub fn accepts(mut self, command: Command) -> bool {
        self.sent.clear();
        self.command(command)
    }

    /// Issues the command. Returns whether the state allowed it.
    fn command(&mut self, command: Command) -> bool {
        let failure = || Failure::new(HeaderValue::from_static("Function.Test"), Bytes::from_static(b"{}"));
        let name = HeaderValue::from_static("x");
        let (client, token) = (&mut self.client, &mut self.token);
        match command {
            Command::InitError => client.init_error(failure()).is_ok(),
            Command::RestoreNext => client.restore_next().is_ok(),
            Command::RestoreError => client.restore_error(failure()).is_ok(),
            Command::RegisterExtension => client.register_extension(&name, "{}").is_ok(),
            Command::NextExtensionEvent => client.next_extension_event(&name).is_ok(),
            Command::NextInvocation => client.next_invocation().is_ok(),
            Command::Withdraw => match client.withdraw() {
                Some(withdrawn) => {
                    *token = Some(withdrawn);
                    true
                }
                None => false,
            },
            Command::Respond | Command::Fail | Command::Stream | Command::Abandon => {
                let Some(token) = token.take() else { return false };
                self.sent.clear();
                self.finished = false;
                let accepted = match command {
                    Command::Respond => {
                        self.sent.extend_from_slice(b"\"response\"");
                        self.finished = true;
                        client.respond(token, Response::json("\"response\"")).is_ok()
                    }
                    Command::Fail => {
                        self.sent.extend_from_slice(b"{}");
                        self.finished = true;
                        client.fail(token, failure()).is_ok()
                    }
                    Command::Stream => {
                        let content_type = HeaderValue::from_static("text/plain");
                        self.stream = client.stream(token, StreamHead::Plain { content_type }).ok();
                        self.stream.is_some()
                    }
                    _ => client.abandon(token).is_ok(),
                };
                if !accepted {
                    self.violate(format!("{} was refused with a valid token", command.method()));
                }
                true
            }
            Command::Chunk => {
                let Some(stream) = &self.stream else { return false };
                // Without this limit, the number of states would be infinite.
                if self.sent.len() > CHUNK.len() {
                    return false;
                }
                let accepted = client.chunk(stream, CHUNK).is_ok();
                if accepted {
                    self.sent.extend_from_slice(CHUNK);
                } else {
                    self.stream = None;
                }
                accepted
            }
            Command::Finish | Command::Abort | Command::DropStream => {
                let Some(stream) = self.stream.take() else { return false };
                match command {
                    Command::Finish => {
                        let accepted = client.finish(stream).is_ok();
                        self.finished = accepted;
                        accepted
                    }
                    Command::Abort => client.abort(stream, failure()).is_ok(),
                    _ => {
                        drop(stream);
                        true
                    }
                }
            }
        }
    }

    fn write(&mut self, most: usize) -> bool {
        let Output::Transmit(slices) = self.client.poll_output() else { return false };
        let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).take(most).collect();
        self.to_server.extend_from_slice(&bytes);
        self.client.sent(bytes.len());
        true
    }

    fn arrive_at_server(&mut self, n: usize) -> bool {
        let n = n.min(self.to_server.len());
        let bytes: Vec<u8> = self.to_server.drain(..n).collect();
        self.server.receive(&bytes);
        self.drive_server();
        n > 0
    }

    fn arrive_at_client(&mut self, n: usize) -> bool {
        let n = n.min(self.to_client.len());
        let bytes: Vec<u8> = self.to_client.drain(..n).collect();
        self.client.receive(&bytes);
        if self.to_client.is_empty()
            && let Some(id) = self.replied.take()
        {
            self.settled = Some(id);
        }
        self.drive_client();
        n > 0
    }

    fn replace_connection(&mut self) {
        self.to_server.clear();
        self.to_client.clear();
        self.server = Server::new(Limits::default());
        self.request = None;
        self.owes = false;
        self.replied = None;
        self.mute = false;
        self.client.reset();
    }

    /// Polls the client until it needs input or a command.
    fn drive_client(&mut self) {
        for _ in 0..20 {
            match self.client.poll_output() {
                Output::Event(client::Event::Invocation(invocation)) => {
                    if self.token.is_some() || self.stream.is_some() {
                        self.violate("two invocations at once");
                    }
                    let id = if invocation.request_id() == "a" { "a" } else { "b" };
                    if invocation.request_id() != id || invocation.body() != event(id) {
                        self.violate("the event is not that of its invocation");
                    }
                    self.received = Some(id);
                    self.token = Some(invocation.into_token());
                }
                // The handle of the stream is void.
                Output::Event(client::Event::StreamInterrupted | client::Event::Reply(_)) => self.stream = None,
                Output::Event(_) => {}
                Output::Closed(_) => self.replace_connection(),
                Output::Transmit(_) | Output::Receive | Output::Idle => return,
            }
        }
        self.violate("the client makes no progress");
    }

    /// Polls the server until it needs input or a command.
    fn drive_server(&mut self) {
        for _ in 0..20 {
            match self.server.poll_output() {
                Output::Transmit(slices) => {
                    let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
                    self.to_client.extend_from_slice(&bytes);
                    self.server.sent(bytes.len());
                }
                Output::Event(server::Event::Request(request)) => {
                    let Route::Api(endpoint, id) = request.route() else {
                        return self.violate("a request that the API does not know");
                    };
                    let id = id.to_owned();
                    if endpoint.posts_outcome() && self.settled.as_ref() == Some(&id) {
                        self.violate(format!("the outcome of {id} is sent again after its reply has arrived"));
                    }
                    self.request = Some((endpoint, id, Vec::new()));
                }
                Output::Event(server::Event::Data(data)) => {
                    if let Some((_, _, body)) = &mut self.request {
                        body.extend_from_slice(&data);
                    }
                }
                Output::Event(server::Event::End(trailers)) => self.complete(!trailers.fields().is_empty()),
                Output::Closed(_) => {
                    // Earlier bytes still arrive, and then the end.
                    let bytes: Vec<u8> = self.to_client.drain(..).collect();
                    self.client.receive(&bytes);
                    if let Some(id) = self.replied.take() {
                        self.settled = Some(id);
                    }
                    self.drive_client();
                    self.client.end_of_input();
                    self.drive_client();
                    self.replace_connection();
                    return;
                }
                Output::Receive | Output::Idle => return,
            }
        }
        self.violate("the server makes no progress");
    }

    /// A request is complete.
    fn complete(&mut self, has_trailers: bool) {
        self.owes = true;
        let Some((endpoint, id, body)) = &self.request else { return };
        if endpoint.posts_outcome() && Some(id.as_str()) == self.received && !has_trailers {
            if !self.finished {
                self.violate("an incomplete body looks complete");
            } else if *body != self.sent {
                self.violate("the body was changed");
            }
        }
    }

    fn reply(&mut self, style: Style) -> bool {
        if !self.owes {
            return false;
        }
        let Some((endpoint, id, _)) = self.request.clone() else { return false };
        let usual = match endpoint {
            Endpoint::Next => {
                let id = self.current.unwrap_or(if self.second { "b" } else { "a" });
                event_reply(id)
            }
            Endpoint::RestoreNext | Endpoint::NextExtensionEvent | Endpoint::RegisterExtension => {
                let identifier = HeaderName::from_static("lambda-extension-identifier");
                Reply::new(200).header(identifier, HeaderValue::from_static("x")).json("{}")
            }
            _ => Reply::accepted(),
        };
        let reply = match style {
            Style::Usual => usual,
            Style::Closing => usual.close(),
            Style::Refused => refusal(),
            Style::Nothing if endpoint == Endpoint::Next => Reply::new(204),
            Style::Nothing => return false,
            Style::Timeout => Reply::new(408).close(),
        };
        let delivers = endpoint == Endpoint::Next && matches!(style, Style::Usual | Style::Closing);
        if delivers {
            let id = self.current.unwrap_or_else(|| {
                let id = if self.second { "b" } else { "a" };
                self.second = !self.second;
                id
            });
            self.current = Some(id);
            // The id is used again.
            self.settled.take_if(|settled| settled == id);
        }
        if endpoint.posts_outcome() && style != Style::Timeout {
            self.current.take_if(|current| *current == id);
            self.accepted += u32::from(style != Style::Refused);
            self.replied = Some(id);
        }
        self.owes = false;
        if self.server.reply(reply).is_err() {
            self.violate("the server refuses a reply to a complete request");
        }
        true
    }

    fn reply_early(&mut self, reply: Reply) -> bool {
        match &self.request {
            Some((endpoint, id, _)) if endpoint.posts_outcome() && !self.owes => {
                let id = id.clone();
                if self.server.reply(reply).is_err() {
                    return false;
                }
                self.current.take_if(|current| *current == id);
                self.replied = Some(id);
                true
            }
            _ => false,
        }
    }

    /// Checks that, without further faults, another invocation is acknowledged.
    pub fn settles(mut self) -> Result<(), String> {
        let before = self.accepted;
        if self.mute {
            // Such a socket ends sooner or later.
            self.step(Action::EndOfInput);
        }
        for _ in 0..40 {
            if self.stream.is_some() {
                self.step(Action::Command(Command::Finish));
            } else if self.token.is_some() {
                self.step(Action::Command(Command::Respond));
            } else {
                self.step(Action::Command(Command::NextInvocation));
            }
            for action in [Action::Write, Action::ArriveAtServer, Action::Reply(Style::Usual), Action::ArriveAtClient] {
                self.step(action);
            }
            if let Some(violation) = self.violation {
                return Err(violation);
            }
            if self.accepted > before + 1 {
                return Ok(());
            }
        }
        Err("without further faults, no invocation is acknowledged any more".to_owned())
    }
}

fn event(id: &str) -> String {
    format!("{{\"id\":\"{id}\"}}")
}

fn event_reply(id: &str) -> Reply {
    Reply::event(id, Duration::from_millis(1), event(id))
}

fn refusal() -> Reply {
    Reply::new(413).json("{}")
}
