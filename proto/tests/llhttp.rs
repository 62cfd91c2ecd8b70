//! The test vectors of [llhttp](https://github.com/nodejs/llhttp), Node's HTTP parser, against both machines.
//!
//! The vectors are llhttp's (MIT licence, © 2018 Fedor Indutny, see `llhttp/LICENSE`), version 9.4.2 at commit
//! 01e105a, 211 in number: all 85 of `test/response/`, and of `test/request/` the 126 that concern framing, line
//! endings, fields and the connection. Left out are `method.md` and `uri.md`, which are about the request line, and
//! `pausing.md`, which is about llhttp's callbacks.
//!
//! `llhttp/response-connection.txt` contains the vectors of `test/response/connection.md`, and so on. An entry:
//!
//! ```text
//! ## HTTP/1.0 with keep-alive and 204 status      llhttp's heading
//! | HTTP/1.0 204 No content\r\n                   the bytes, escaped as in a Rust literal; a row's end adds none
//! | Connection: keep-alive\r\n
//! | \r\n
//! | HTTP/1.0 200 OK
//! mode: …                                         llhttp's settings, if they are not the defaults
//! llhttp: 204 (1) ""; unfinished head             its outcome
//! ours: 204 (1) ""; closed                        ours
//! why: …                                          the reason, if and only if the two differ
//! ```
//!
//! An outcome is a list of the complete messages, followed by the end. A message is its status, or its method and path,
//! then the number of its fields, its body and its trailers. The end is one of these:
//!
//! | | |
//! |---|---|
//! | `kept` | the connection waits for the next message |
//! | `closed` | the last message ended the connection, or its body lasted until the connection ended |
//! | `unfinished head`, `body` or `trailer section` | the bytes ended in this part of a message |
//! | `upgrade` | llhttp stops, because another protocol follows |
//! | `error NAME` | llhttp fails, with `HPE_NAME` |
//! | `refused NAME` | the machine fails, with this `PeerError` |
//!
//! llhttp's outcomes are derived from its logs. Most of its vectors stop with their bytes. Here the input ends after every
//! one, as in its `finish.md`: a body that lasts until then is complete, and an incomplete message is reported.
//!
//! Some entries contain another outcome of ours:
//!
//! - `requested:` A client with one outstanding request refuses a second response. For a vector with several responses,
//!   this is the outcome if the next request is sent after each of them. (The server accepts every request.)
//! - `ended:` llhttp reports many errors before the end of a head. Our machines parse only complete heads. If that makes a
//!   difference, this is the outcome with `\r\n\r\n` after the bytes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::HashSet;
use std::path::Path;

use http::HeaderValue;
use lambda_runtime_proto::client::{self, Client, Config};
use lambda_runtime_proto::server::{self, Reply, Server};
use lambda_runtime_proto::{CloseReason, Limits, Output, PeerError};

macro_rules! files {
    ($($stem:literal),* $(,)?) => { [$(($stem, include_str!(concat!("llhttp/", $stem, ".txt")))),*] };
}

const RESPONSES: [(&str, &str); 9] = files![
    "response-connection",
    "response-content-length",
    "response-finish",
    "response-invalid",
    "response-lenient-version",
    "response-pausing",
    "response-pipelining",
    "response-sample",
    "response-transfer-encoding",
];

const REQUESTS: [(&str, &str); 10] = files![
    "request-connection",
    "request-content-length",
    "request-finish",
    "request-invalid",
    "request-lenient-header-value-relaxed",
    "request-lenient-headers",
    "request-lenient-version",
    "request-pipelining",
    "request-sample",
    "request-transfer-encoding",
];

#[test]
fn every_response_has_the_stated_outcome_in_pieces_of_any_size() {
    check(&RESPONSES, request, Vector::as_it_is);
}

#[test]
fn every_request_has_the_stated_outcome_in_pieces_of_any_size() {
    check(&REQUESTS, serve, Vector::as_it_is);
}

#[test]
fn an_incomplete_head_has_the_stated_outcome_once_it_is_complete() {
    check(&RESPONSES, request, Vector::with_an_end);
    check(&REQUESTS, serve, Vector::with_an_end);
}

#[test]
fn a_response_to_next_is_framed_like_any_other() {
    for vector in vectors(&RESPONSES) {
        let mut client = Requesting::new(RequestKind::Next);
        client.receive(&vector.bytes);
        let found = client.outcome();
        assert_eq!(found.messages.len(), vector.ours.messages.len(), "{vector}");
        assert_eq!(found.end, vector.ours.end, "{vector}");
    }
}

#[test]
fn several_responses_have_the_stated_outcome_if_each_is_requested() {
    let mut differences = Vec::new();
    for vector in vectors(&RESPONSES).filter(|vector| vector.requested.is_some()) {
        // Byte by byte, to find the end of each response; then one response at a time.
        let mut client = Requesting::new(RequestKind::ExtensionEvent);
        let mut ends = Vec::new();
        for (at, byte) in vector.bytes.chunks(1).enumerate() {
            if client.has_reply() {
                client.send();
                ends.push(at);
            }
            client.receive(byte);
        }
        let byte_by_byte = client.outcome();

        let mut client = Requesting::new(RequestKind::ExtensionEvent);
        let mut from = 0;
        for end in ends {
            client.receive(&vector.bytes[from..end]);
            client.send();
            from = end;
        }
        client.receive(&vector.bytes[from..]);
        for found in [byte_by_byte, client.outcome()] {
            differences.extend(vector.difference(vector.requested.as_ref().unwrap(), &found));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn an_unsolicited_response_is_not_the_reply_to_a_later_request() {
    for vector in vectors(&RESPONSES).filter(|vector| vector.requested.is_some()) {
        let mut client = Requesting::new(RequestKind::ExtensionEvent).client;
        client.receive(&vector.bytes);
        assert!(matches!(client.poll_output(), Output::Event(client::Event::Reply(_))), "{vector}");
        client.next_extension_event(&HeaderValue::from_static("id")).unwrap();
        let output = client.poll_output();
        assert!(matches!(output, Output::Closed(CloseReason::Peer(PeerError::Unsolicited))), "{vector}: {output:?}");
    }
}

#[test]
fn an_entry_has_a_reason_if_and_only_if_the_outcomes_differ() {
    for vector in vectors(&RESPONSES).chain(vectors(&REQUESTS)) {
        let agree = vector.ours.agrees_with(&vector.llhttp);
        assert_eq!(vector.why.is_empty(), agree, "{vector}");
        let unsolicited = vector.ours.end == "refused Unsolicited";
        assert_eq!(vector.requested.is_some(), unsolicited, "{vector}: whether it has `requested`");
        let undecided = !agree && vector.ours.end == "unfinished head";
        assert_eq!(vector.ended.is_some(), undecided, "{vector}: whether it has `ended`");
    }
}

#[test]
fn every_entry_of_every_file_is_run() {
    for (files, count) in [(&RESPONSES[..], 85), (&REQUESTS[..], 126)] {
        assert_eq!(vectors(files).count(), count);
        for (stem, text) in files {
            let stated = text.lines().find_map(|line| line.strip_prefix("vectors: ")).expect("a count");
            let names: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("## ")).collect();
            assert_eq!(stated, names.len().to_string(), "{stem}: the count in its header");
            assert!(vectors(&[(stem, text)]).map(|vector| vector.name).eq(names.iter().copied()), "{stem}");
            assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len(), "{stem}: two entries of one name");
        }
    }
    let directory = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/llhttp"));
    let there: HashSet<String> = directory
        .read_dir()
        .unwrap()
        .filter_map(|entry| Some(entry.unwrap().file_name().to_str()?.strip_suffix(".txt")?.to_owned()))
        .collect();
    assert_eq!(there, RESPONSES.iter().chain(&REQUESTS).map(|(stem, _)| (*stem).to_owned()).collect());
}

/// Bytes and their stated outcome.
type Case<'v> = (Vec<u8>, &'v Outcome);

/// Runs every vector that has such a case, at once and in pieces of every length up to 32. Reports all differences.
fn check(
    files: &[(&'static str, &'static str)],
    run: impl Fn(std::slice::Chunks<'_, u8>) -> Outcome,
    case: fn(&Vector) -> Option<Case<'_>>,
) {
    let mut differences = Vec::new();
    for vector in vectors(files) {
        let Some((bytes, stated)) = case(&vector) else { continue };
        let lengths = (1..bytes.len()).take(32).chain([bytes.len()]);
        differences.extend(lengths.filter_map(|piece| vector.difference(stated, &run(bytes.chunks(piece)))).next());
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

fn request(pieces: std::slice::Chunks<'_, u8>) -> Outcome {
    let mut client = Requesting::new(RequestKind::ExtensionEvent);
    pieces.for_each(|piece| client.receive(piece));
    client.outcome()
}

fn serve(pieces: std::slice::Chunks<'_, u8>) -> Outcome {
    let mut server = Serving::new();
    pieces.for_each(|piece| server.receive(piece));
    server.outcome()
}

// The machines.

/// A client with its requests and the replies.
struct Requesting {
    client: Client,
    kind: RequestKind,
    messages: Vec<String>,
    closed: Option<CloseReason>,
}

#[derive(Clone, Copy)]
enum RequestKind {
    /// Requests /extension/event/next: a reply with any status is reported with its body.
    ExtensionEvent,
    /// The request of a runtime. A success without an invocation has no other details.
    Next,
}

impl Requesting {
    fn new(kind: RequestKind) -> Self {
        let client = Client::new(Config::new("127.0.0.1:9001".parse().unwrap()));
        let mut requesting = Self { client, kind, messages: Vec::new(), closed: None };
        requesting.send();
        requesting
    }

    fn send(&mut self) {
        match self.kind {
            RequestKind::ExtensionEvent => self.client.next_extension_event(&HeaderValue::from_static("id")).unwrap(),
            RequestKind::Next => self.client.next_invocation().unwrap(),
        }
        let Output::Transmit(slices) = self.client.poll_output() else { panic!("the request is not written") };
        let written = slices.iter().map(|slice| slice.len()).sum();
        self.client.sent(written);
    }

    fn has_reply(&self) -> bool {
        self.closed.is_none() && self.client.outstanding().next().is_none()
    }

    fn receive(&mut self, bytes: &[u8]) {
        if self.closed.is_none() {
            self.client.receive(bytes);
            self.read();
        }
    }

    fn read(&mut self) {
        loop {
            match self.client.poll_output() {
                // A message is complete.
                Output::Event(client::Event::Reply(reply)) if reply.is_truncated() => {}
                Output::Event(client::Event::Reply(reply)) => {
                    let fields = reply.headers().iter().count();
                    self.messages.push(format!("{} ({fields}) {}", reply.status(), quoted(&reply.body())));
                }
                Output::Event(client::Event::NoInvocation(none)) => self.messages.push(none.to_string()),
                Output::Receive | Output::Idle => return,
                Output::Closed(reason) => {
                    self.closed = Some(reason);
                    return;
                }
                output => panic!("{output:?}"),
            }
        }
    }

    fn outcome(mut self) -> Outcome {
        let complete = self.messages.len();
        if self.closed.is_none() {
            self.client.end_of_input();
            self.read();
        }
        let reason = self.closed.expect("the connection is over");
        let end = end(reason, self.messages.len() > complete);
        Outcome { messages: self.messages, end }
    }
}

/// A server that accepts every request.
struct Serving {
    server: Server,
    line: String,
    body: Vec<u8>,
    messages: Vec<String>,
    closed: Option<CloseReason>,
}

impl Serving {
    fn new() -> Self {
        let server = Server::new(Limits::default());
        Self { server, line: String::new(), body: Vec::new(), messages: Vec::new(), closed: None }
    }

    fn receive(&mut self, bytes: &[u8]) {
        if self.closed.is_none() {
            self.server.receive(bytes);
            self.read();
        }
    }

    fn read(&mut self) {
        loop {
            match self.server.poll_output() {
                Output::Event(server::Event::Request(request)) => {
                    self.line =
                        format!("{} {} ({})", request.method(), request.path(), request.headers().iter().count());
                    self.body.clear();
                }
                Output::Event(server::Event::Data(data)) => self.body.extend_from_slice(&data),
                Output::Event(server::Event::End(trailers)) => {
                    let mut message = format!("{} {}", self.line, quoted(&self.body));
                    for (name, value) in trailers.fields() {
                        message += &format!(" {name}: {}", value.escape_ascii());
                    }
                    self.messages.push(message);
                    self.server.reply(Reply::accepted()).unwrap();
                }
                Output::Transmit(slices) => {
                    let written = slices.iter().map(|slice| slice.len()).sum();
                    self.server.sent(written);
                }
                Output::Receive | Output::Idle => return,
                Output::Closed(reason) => {
                    self.closed = Some(reason);
                    return;
                }
            }
        }
    }

    fn outcome(mut self) -> Outcome {
        if self.closed.is_none() {
            self.server.end_of_input();
            self.read();
        }
        let end = end(self.closed.expect("the connection is over"), false);
        Outcome { messages: self.messages, end }
    }
}

fn end(reason: CloseReason, completed_by_it: bool) -> String {
    match reason {
        CloseReason::ClosedByPeer if !completed_by_it => "kept".to_owned(),
        CloseReason::ClosedByPeer | CloseReason::CloseRequested => "closed".to_owned(),
        CloseReason::Peer(PeerError::UnexpectedEnd(part)) => format!("unfinished {part}"),
        CloseReason::Peer(PeerError::NotHttp(bytes)) => format!("refused NotHttp({})", quoted(&bytes)),
        CloseReason::Peer(error) => format!("refused {error:?}"),
        reason => panic!("{reason}"),
    }
}

fn quoted(bytes: &[u8]) -> String {
    format!("\"{}\"", bytes.escape_ascii())
}

// The data files.

struct Vector {
    file: &'static str,
    name: &'static str,
    bytes: Vec<u8>,
    llhttp: Outcome,
    ours: Outcome,
    requested: Option<Outcome>,
    ended: Option<Outcome>,
    why: &'static str,
}

#[derive(PartialEq)]
struct Outcome {
    messages: Vec<String>,
    end: String,
}

fn vectors<'f>(files: &'f [(&'static str, &'static str)]) -> impl Iterator<Item = Vector> + use<'f> {
    files.iter().flat_map(|(file, text)| {
        let (header, entries) = text.split_once("\n## ").expect("an entry");
        assert!(header.lines().all(|line| line.is_empty() || line.starts_with(['#', 'v'])), "{file}: its header");
        entries.split("\n## ").map(|entry| Vector::read(file, entry))
    })
}

impl Vector {
    fn read(file: &'static str, entry: &'static str) -> Self {
        let (name, lines) = entry.split_once('\n').unwrap();
        let mut vector = Self {
            file,
            name,
            bytes: Vec::new(),
            llhttp: Outcome::read(""),
            ours: Outcome::read(""),
            requested: None,
            ended: None,
            why: "",
        };
        for line in lines.lines().filter(|line| !line.is_empty()) {
            match line.split_once(' ').expect("a key and a value") {
                ("|", row) => unescape(row, &mut vector.bytes),
                ("mode:", _) => {}
                ("llhttp:", outcome) => vector.llhttp = Outcome::read(outcome),
                ("ours:", outcome) => vector.ours = Outcome::read(outcome),
                ("requested:", outcome) => vector.requested = Some(Outcome::read(outcome)),
                ("ended:", outcome) => vector.ended = Some(Outcome::read(outcome)),
                ("why:", why) => vector.why = why,
                _ => panic!("{vector}: {line:?}"),
            }
        }
        assert!(!vector.bytes.is_empty() && !vector.llhttp.end.is_empty(), "{vector}: incomplete");
        vector
    }

    fn as_it_is(&self) -> Option<Case<'_>> {
        Some((self.bytes.clone(), &self.ours))
    }

    fn with_an_end(&self) -> Option<Case<'_>> {
        Some(([&self.bytes, &b"\r\n\r\n"[..]].concat(), self.ended.as_ref()?))
    }

    /// Describes the difference between the outcome `found` and the `stated` one.
    fn difference(&self, stated: &Outcome, found: &Outcome) -> Option<String> {
        (stated != found).then(|| format!("{self}\n  stated: {stated}\n  found:  {found}"))
    }
}

impl Outcome {
    /// `message; message; end`
    fn read(text: &str) -> Self {
        let mut messages: Vec<String> = text.split("; ").map(str::to_owned).collect();
        let end = messages.pop().unwrap_or_default();
        Self { messages, end }
    }

    /// The errors may differ, because the two parse in a different order.
    fn agrees_with(&self, llhttp: &Outcome) -> bool {
        let both_fail = self.end.starts_with("refused ") && llhttp.end.starts_with("error ");
        self.messages == llhttp.messages && (self.end == llhttp.end || both_fail)
    }
}

impl std::fmt::Display for Vector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.txt, {}", self.file, self.name)
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.messages.iter().try_for_each(|message| write!(f, "{message}; "))?;
        f.write_str(&self.end)
    }
}

/// Decodes the escapes of a Rust byte string.
fn unescape(row: &str, bytes: &mut Vec<u8>) {
    let mut row = row.bytes();
    while let Some(byte) = row.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        let escape = row.next().unwrap();
        let mut digit = || char::from(row.next().unwrap()).to_digit(16).unwrap();
        bytes.push(match escape {
            b'r' => b'\r',
            b'n' => b'\n',
            b't' => b'\t',
            b'\\' => b'\\',
            b'x' => u8::try_from(digit() << 4 | digit()).unwrap(),
            other => panic!("unknown escape {other}"),
        });
    }
}
