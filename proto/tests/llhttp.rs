//! The test vectors of [llhttp](https://github.com/nodejs/llhttp), Node's HTTP parser, against both machines.
//!
//! The vectors are llhttp's (MIT licence, © 2018 Fedor Indutny, see `llhttp/LICENSE`), version 9.4.2 at commit
//! 01e105a, 211 in number: all 85 of `test/response/`, and of `test/request/` the 126 that concern framing, line
//! endings, fields and the connection. Left out are `method.md` and `uri.md`, which are about the request line, and
//! `pausing.md`, which is about llhttp's callbacks.
//!
//! `llhttp/response-connection.txt` holds the vectors of `test/response/connection.md`, and so on. An entry:
//!
//! ```text
//! ## HTTP/1.0 with keep-alive and 204 status      llhttp's heading
//! | HTTP/1.0 204 No content\r\n                   the bytes, escaped as in a Rust literal; a row's end adds none
//! | Connection: keep-alive\r\n
//! | \r\n
//! | HTTP/1.0 200 OK
//! mode: …                                         what llhttp was told beyond its default, if anything
//! llhttp: 204 (1) ""; unfinished head             its outcome
//! ours: 204 (1) ""; closed                        ours
//! why: …                                          the reason, where the two differ and only there
//! ```
//!
//! An outcome is the messages that were complete and, behind them, how it ended. A message is its status, or its method
//! and path, the number of its fields, its body and its trailers. The end is one of these:
//!
//! | | |
//! |---|---|
//! | `kept` | the connection waits for the next message |
//! | `closed` | the last message ended the connection, or its body lasted until that ended |
//! | `unfinished head`, `body` or `trailer section` | the bytes ended in this part of a message |
//! | `upgrade` | llhttp stops, as another protocol follows |
//! | `error NAME` | llhttp fails, with `HPE_NAME` |
//! | `refused NAME` | the machine fails, with this `PeerError` |
//!
//! llhttp's outcomes are its logs, translated. Most of its vectors stop with their bytes. Here the input ends behind
//! every one, as in its `finish.md`: so a body that lasts until then is complete, and an incomplete message is seen.
//!
//! Some entries state one more outcome of ours:
//!
//! - `asked:` A response answers one request, and the client has one outstanding: it refuses what follows its response.
//!   So where several follow one another, this is the outcome when another request is sent as soon as one is answered.
//!   (A server takes requests one behind the other. The one here accepts them all.)
//! - `ended:` Many of llhttp's errors come before their head has an end. Our machines judge a head whole. So where that
//!   makes a difference, this is the outcome with `\r\n\r\n` behind the bytes.

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
fn every_response_fares_as_its_entry_states_in_whatever_pieces() {
    check(&RESPONSES, answer, Vector::as_it_is);
}

#[test]
fn every_request_fares_as_its_entry_states_in_whatever_pieces() {
    check(&REQUESTS, serve, Vector::as_it_is);
}

#[test]
fn a_head_that_lacks_its_end_is_judged_once_that_comes() {
    check(&RESPONSES, answer, Vector::with_an_end);
    check(&REQUESTS, serve, Vector::with_an_end);
}

#[test]
fn a_response_to_next_is_framed_like_any_other() {
    for vector in vectors(&RESPONSES) {
        let mut client = Asked::new(Ask::Next);
        client.receive(&vector.bytes);
        let found = client.outcome();
        assert_eq!(found.messages.len(), vector.ours.messages.len(), "{vector}");
        assert_eq!(found.end, vector.ours.end, "{vector}");
    }
}

#[test]
fn several_responses_fare_as_stated_when_each_is_asked_for() {
    let mut faults = Vec::new();
    for vector in vectors(&RESPONSES).filter(|vector| vector.asked.is_some()) {
        // Byte by byte it shows where each response ends; then those pieces at once.
        let mut client = Asked::new(Ask::ExtensionEvent);
        let mut ends = Vec::new();
        for (at, byte) in vector.bytes.chunks(1).enumerate() {
            if client.is_answered() {
                client.ask();
                ends.push(at);
            }
            client.receive(byte);
        }
        let byte_by_byte = client.outcome();

        let mut client = Asked::new(Ask::ExtensionEvent);
        let mut from = 0;
        for end in ends {
            client.receive(&vector.bytes[from..end]);
            client.ask();
            from = end;
        }
        client.receive(&vector.bytes[from..]);
        for found in [byte_by_byte, client.outcome()] {
            faults.extend(vector.fault(vector.asked.as_ref().unwrap(), &found));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn what_came_unasked_answers_no_later_request() {
    for vector in vectors(&RESPONSES).filter(|vector| vector.asked.is_some()) {
        let mut client = Asked::new(Ask::ExtensionEvent).client;
        client.receive(&vector.bytes);
        assert!(matches!(client.poll_output(), Output::Event(client::Event::Reply(_))), "{vector}");
        client.next_extension_event(&HeaderValue::from_static("id")).unwrap();
        let output = client.poll_output();
        assert!(matches!(output, Output::Closed(CloseReason::Peer(PeerError::Unsolicited))), "{vector}: {output:?}");
    }
}

#[test]
fn a_reason_is_given_where_the_outcomes_differ_and_nowhere_else() {
    for vector in vectors(&RESPONSES).chain(vectors(&REQUESTS)) {
        let agree = vector.ours.agrees_with(&vector.llhttp);
        assert_eq!(vector.why.is_empty(), agree, "{vector}");
        let unsolicited = vector.ours.end == "refused Unsolicited";
        assert_eq!(vector.asked.is_some(), unsolicited, "{vector}: whether it states `asked`");
        let undecided = !agree && vector.ours.end == "unfinished head";
        assert_eq!(vector.ended.is_some(), undecided, "{vector}: whether it states `ended`");
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

/// Some bytes, and the outcome that is stated for them.
type Case<'v> = (Vec<u8>, &'v Outcome);

/// Runs every vector that has such a case, whole and in pieces of every length up to 32, and tells all faults at once.
fn check(
    files: &[(&'static str, &'static str)],
    run: impl Fn(std::slice::Chunks<'_, u8>) -> Outcome,
    case: fn(&Vector) -> Option<Case<'_>>,
) {
    let mut faults = Vec::new();
    for vector in vectors(files) {
        let Some((bytes, stated)) = case(&vector) else { continue };
        let lengths = (1..bytes.len()).take(32).chain([bytes.len()]);
        faults.extend(lengths.filter_map(|piece| vector.fault(stated, &run(bytes.chunks(piece)))).next());
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn answer(pieces: std::slice::Chunks<'_, u8>) -> Outcome {
    let mut client = Asked::new(Ask::ExtensionEvent);
    pieces.for_each(|piece| client.receive(piece));
    client.outcome()
}

fn serve(pieces: std::slice::Chunks<'_, u8>) -> Outcome {
    let mut server = Serving::new();
    pieces.for_each(|piece| server.receive(piece));
    server.outcome()
}

// The machines.

/// A client whose requests are sent, and what came back.
struct Asked {
    client: Client,
    with: Ask,
    messages: Vec<String>,
    closed: Option<CloseReason>,
}

#[derive(Clone, Copy)]
enum Ask {
    /// Shows the status and the body of every response.
    ExtensionEvent,
    /// What a runtime asks for. Of a success that holds no invocation it shows no more than that.
    Next,
}

impl Asked {
    fn new(with: Ask) -> Self {
        let client = Client::new(Config::new("127.0.0.1:9001".parse().unwrap()));
        let mut asked = Self { client, with, messages: Vec::new(), closed: None };
        asked.ask();
        asked
    }

    fn ask(&mut self) {
        match self.with {
            Ask::ExtensionEvent => self.client.next_extension_event(&HeaderValue::from_static("id")).unwrap(),
            Ask::Next => self.client.next_invocation().unwrap(),
        }
        let Output::Transmit(slices) = self.client.poll_output() else { panic!("the request is to be sent") };
        let written = slices.iter().map(|slice| slice.len()).sum();
        self.client.sent(written);
    }

    fn is_answered(&self) -> bool {
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

/// A server that accepts every request, and what it was asked.
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
    asked: Option<Outcome>,
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
            asked: None,
            ended: None,
            why: "",
        };
        for line in lines.lines().filter(|line| !line.is_empty()) {
            match line.split_once(' ').expect("a key and a value") {
                ("|", row) => unescape(row, &mut vector.bytes),
                ("mode:", _) => {}
                ("llhttp:", outcome) => vector.llhttp = Outcome::read(outcome),
                ("ours:", outcome) => vector.ours = Outcome::read(outcome),
                ("asked:", outcome) => vector.asked = Some(Outcome::read(outcome)),
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

    /// What to say if the outcome `found` is not the `stated` one.
    fn fault(&self, stated: &Outcome, found: &Outcome) -> Option<String> {
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

    /// Which error it is does not matter: the two look at the bytes in another order.
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

/// Takes back the escapes of a Rust byte string.
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
            other => panic!("an escape of {other}"),
        });
    }
}
