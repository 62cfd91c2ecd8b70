//! A record of the Runtime API's connections, as JSON lines.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use base64::Engine as _;
use lambda_runtime_emulator::{Sender, Traffic};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::log;

/// The treatment of the bodies of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Payloads {
    Keep,
    /// Only their lengths are recorded.
    Omit,
    /// Their lengths and SHA-256 are recorded.
    Hash,
}

/// Writes a line for each read and write.
pub(crate) struct Recorder {
    began: Instant,
    payloads: Payloads,
    state: Mutex<State>,
}

struct State {
    file: File,
    directions: HashMap<(u64, Sender), Direction>,
    failed: bool,
}

/// The state of one direction of a connection.
#[derive(Default)]
struct Direction {
    parser: Parser,
    length: u64,
    hash: Sha256,
}

impl Recorder {
    /// Creates the file.
    ///
    /// # Errors
    ///
    /// It cannot be created.
    pub(crate) fn create(path: &Path, payloads: Payloads) -> io::Result<Self> {
        let state = State { file: File::create(path)?, directions: HashMap::new(), failed: false };
        Ok(Self { began: Instant::now(), payloads, state: Mutex::new(state) })
    }

    pub(crate) fn record(&self, traffic: &Traffic<'_>) {
        let milliseconds = self.began.elapsed().as_secs_f64() * 1000.0;
        let Traffic { connection, sender, bytes, .. } = *traffic;
        let from = match sender {
            Sender::Runtime => "runtime",
            Sender::Api => "api",
        };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = match self.payloads {
            _ if bytes.is_empty() => {
                state.directions.retain(|(number, _), _| *number != connection);
                vec![json!({"closed": true})]
            }
            Payloads::Keep => vec![text_or_base64(bytes)],
            payloads => {
                let direction = state.directions.entry((connection, sender)).or_default();
                direction.pieces(bytes, payloads == Payloads::Hash)
            }
        };
        for fields in lines {
            let mut line = json!({"ms": milliseconds, "connection": connection, "from": from});
            if let (Some(line), Value::Object(fields)) = (line.as_object_mut(), fields) {
                line.extend(fields);
            }
            state.write(&line);
        }
    }
}

impl State {
    fn write(&mut self, line: &Value) {
        let written = self.file.write_all(format!("{line}\n").as_bytes());
        if let Err(error) = written
            && !std::mem::replace(&mut self.failed, true)
        {
            log::message(format_args!("--record: the record is incomplete: {error}"));
        }
    }
}

fn text_or_base64(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => json!({"text": text}),
        Err(_) => json!({"base64": base64::engine::general_purpose::STANDARD.encode(bytes)}),
    }
}

impl Direction {
    /// Returns the fields of the lines for these bytes: heads as they are, and a payload once it is complete.
    fn pieces(&mut self, mut bytes: &[u8], hashes: bool) -> Vec<Value> {
        let mut lines = Vec::new();
        while !bytes.is_empty() {
            let (kind, length) = self.parser.next(bytes);
            let (piece, rest) = bytes.split_at(length.clamp(1, bytes.len()));
            bytes = rest;
            match kind {
                Kind::Head => lines.push(text_or_base64(piece)),
                Kind::Framing => {}
                Kind::Payload => {
                    self.length = self.length.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
                    self.hash.update(piece);
                }
            }
            if self.parser.is_at_end() && self.length > 0 {
                let mut fields = Map::from_iter([("payload".to_owned(), self.length.into())]);
                let hash = std::mem::take(&mut self.hash).finalize();
                if hashes {
                    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
                    fields.insert("sha256".to_owned(), hex.into());
                }
                lines.push(fields.into());
                self.length = 0;
            }
        }
        lines
    }
}

/// The messages in one direction of a connection.
#[derive(Default)]
pub(crate) struct Messages {
    parser: Parser,
    current: Message,
    pub(crate) complete: Vec<Message>,
    /// The number of bytes so far.
    pub(crate) size: usize,
}

/// A message.
#[derive(Default)]
pub(crate) struct Message {
    /// With the trailers.
    head: Vec<u8>,
    /// Without its framing.
    body: Vec<u8>,
}

impl Messages {
    pub(crate) fn feed(&mut self, mut bytes: &[u8]) {
        self.size = self.size.saturating_add(bytes.len());
        while !bytes.is_empty() {
            let (kind, length) = self.parser.next(bytes);
            let (piece, rest) = bytes.split_at(length.clamp(1, bytes.len()));
            bytes = rest;
            match kind {
                Kind::Head => self.current.head.extend_from_slice(piece),
                Kind::Framing => {}
                Kind::Payload => self.current.body.extend_from_slice(piece),
            }
            if self.parser.is_at_end() {
                self.complete.push(std::mem::take(&mut self.current));
            }
        }
    }
}

impl Message {
    /// The first difference of method, path, headers and body.
    pub(crate) fn difference(&self, found: &Self) -> Option<String> {
        let (expected_line, expected_fields) = self.parts();
        let (found_line, found_fields) = found.parts();
        if expected_line != found_line {
            return Some(format!("expected {expected_line:?}, found {found_line:?}"));
        }
        let names = expected_fields.keys().chain(found_fields.keys());
        for name in names {
            let (expected, found) = (expected_fields.get(name), found_fields.get(name));
            if expected != found {
                let shown = |value: Option<&Vec<String>>| value.map_or("none".to_owned(), |value| format!("{value:?}"));
                return Some(format!("header {name}: expected {}, found {}", shown(expected), shown(found)));
            }
        }
        if self.body == found.body {
            return None;
        }
        let same = self.body.iter().zip(&found.body).take_while(|(expected, found)| expected == found).count();
        let shown = |body: &[u8]| {
            let piece: Vec<u8> = body.iter().skip(same).take(40).copied().collect();
            piece.escape_ascii().to_string()
        };
        Some(format!("body at byte {same}: expected \"{}\", found \"{}\"", shown(&self.body), shown(&found.body)))
    }

    /// The first line, and the other fields by name, except those that differ between two runs.
    fn parts(&self) -> (String, BTreeMap<String, Vec<String>>) {
        const IGNORED: [&str; 2] = ["host", "user-agent"];
        let head = String::from_utf8_lossy(&self.head);
        let mut lines = head.lines();
        let first = lines.next().unwrap_or_default().to_owned();
        let mut fields = BTreeMap::<String, Vec<String>>::new();
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            let name = name.to_ascii_lowercase();
            if !IGNORED.contains(&name.as_str()) {
                fields.entry(name).or_default().push(value.trim().to_owned());
            }
        }
        (first, fields)
    }
}

/// Finds the payloads in one direction of a connection. Lenient: bytes that are not HTTP count as a head.
#[derive(Default)]
struct Parser {
    state: Position,
    /// The current line or head, up to its end.
    text: Vec<u8>,
}

#[derive(Default, PartialEq, Eq)]
enum Position {
    #[default]
    Head,
    Body(u64),
    UntilClose,
    ChunkSize,
    Chunk(u64),
    Trailers,
}

#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Head,
    Framing,
    Payload,
}

impl Parser {
    /// A longer head or line is recorded, and not parsed.
    const MAX_TEXT: usize = 1024 * 1024;

    /// Whether the parser is between two messages.
    fn is_at_end(&self) -> bool {
        self.state == Position::Head && self.text.is_empty()
    }

    /// Returns the kind of the first bytes, and the number of bytes of this kind.
    fn next(&mut self, bytes: &[u8]) -> (Kind, usize) {
        match self.state {
            Position::Head => {
                let (length, ends) = self.take_until(bytes, b"\r\n\r\n");
                if ends {
                    self.state = after_head(&std::mem::take(&mut self.text));
                }
                (Kind::Head, length)
            }
            Position::Body(left) => {
                let length = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                let left = left.saturating_sub(u64::try_from(length).unwrap_or(u64::MAX));
                self.state = if left == 0 { Position::Head } else { Position::Body(left) };
                (Kind::Payload, length)
            }
            Position::UntilClose => (Kind::Payload, bytes.len()),
            Position::ChunkSize => {
                let (length, ends) = self.take_until(bytes, b"\r\n");
                if ends {
                    let line = std::mem::take(&mut self.text);
                    // An empty line ends the previous chunk.
                    self.state = match std::str::from_utf8(&line).map(str::trim) {
                        Ok("") => Position::ChunkSize,
                        Ok(size) => match u64::from_str_radix(size, 16) {
                            Ok(0) => Position::Trailers,
                            Ok(size) => Position::Chunk(size),
                            Err(_) => Position::UntilClose,
                        },
                        Err(_) => Position::UntilClose,
                    };
                }
                (Kind::Framing, length)
            }
            Position::Chunk(left) => {
                let length = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                let left = left.saturating_sub(u64::try_from(length).unwrap_or(u64::MAX));
                self.state = if left == 0 { Position::ChunkSize } else { Position::Chunk(left) };
                (Kind::Payload, length)
            }
            Position::Trailers => {
                let (length, ends) = self.take_until(bytes, b"\r\n");
                if ends && std::mem::take(&mut self.text) == b"\r\n" {
                    self.state = Position::Head;
                }
                (Kind::Head, length)
            }
        }
    }

    /// Takes bytes up to and including this end. Returns their number, and whether the end was found.
    fn take_until(&mut self, bytes: &[u8], end: &[u8]) -> (usize, bool) {
        for (n, byte) in bytes.iter().enumerate() {
            self.text.push(*byte);
            if self.text.ends_with(end) {
                return (n + 1, true);
            }
        }
        if self.text.len() > Self::MAX_TEXT {
            self.text.clear();
        }
        (bytes.len(), false)
    }
}

/// The position after a head (RFC 9112 section 6.3).
fn after_head(head: &[u8]) -> Position {
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let mut lines = head.lines();
    let start = lines.next().unwrap_or_default();
    let field =
        |name: &str| head.lines().skip(1).find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim);
    let status = start.strip_prefix("http/1.").and_then(|rest| rest.split(' ').nth(1));
    if field("transfer-encoding").is_some_and(|coding| coding == "chunked") {
        return Position::ChunkSize;
    }
    match (field("content-length").and_then(|length| length.parse().ok()), status) {
        (Some(0), _) => Position::Head,
        (Some(length), _) => Position::Body(length),
        (None, None) => Position::Head,
        (None, Some(status)) if status.starts_with('1') || ["204", "304"].contains(&status) => Position::Head,
        (None, Some(_)) => Position::UntilClose,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines for this stream, cut into pieces of this size.
    fn lines(stream: &[u8], size: usize) -> Vec<Value> {
        let mut direction = Direction::default();
        stream.chunks(size).flat_map(|piece| direction.pieces(piece, true)).collect()
    }

    fn payloads(stream: &[u8], size: usize) -> Vec<(u64, String)> {
        let lines = lines(stream, size).into_iter();
        let payload = |line: Value| Some((line.get("payload")?.as_u64()?, line.get("sha256")?.as_str()?.to_owned()));
        lines.filter_map(payload).collect()
    }

    #[test]
    fn payloads_are_found_in_any_pieces() {
        const HELLO: &str = "185f8db32271fe25f561a6fc938b2e264306ec304eda518007d1764826381969";
        let stream = b"POST /a HTTP/1.1\r\nContent-Length: 5\r\n\r\nHelloGET /b HTTP/1.1\r\nHost: x\r\n\r\n\
            POST /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nHe\r\n3\r\nllo\r\n0\r\nX-Trailer: y\r\n\r\n\
            HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHello";
        for size in [1, 2, 3, 7, 64, 1000] {
            let found = payloads(stream, size);
            assert_eq!(found, [(); 3].map(|()| (5, HELLO.to_owned())), "pieces of {size}");
            let text: String =
                lines(stream, size).iter().filter_map(|line| line.get("text")?.as_str().map(str::to_owned)).collect();
            assert!(text.contains("X-Trailer: y") && text.contains("GET /b") && !text.contains("llo"), "{text}");
        }
    }
}
