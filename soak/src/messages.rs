//! Messages of the API.

use std::ops::Range;

use fastrand::Rng;
use workload::{INTERIM, INVALID_REPLIES, Invocation, refusal_body, request_id};

/// How a message indicates the length of its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    Length,
    Chunked,
    /// The body ends with the connection, as in HTTP/1.0.
    UntilClose,
}

/// The form of a message.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    pub framing: Framing,
    /// Interim replies precede it.
    pub interim: bool,
    /// More header lines, each with its CRLF.
    pub fields: &'static str,
}

/// A message, and the range of its body.
pub struct Message {
    pub bytes: Vec<u8>,
    pub body: Range<usize>,
}

pub const CLOSE: &str = "Connection: close\r\n";

/// An event.
pub fn event(invocation: &Invocation, style: Style, rng: &mut Rng) -> Message {
    let Invocation { number, event, .. } = invocation;
    // Distinct, as Lambda's: memory must not grow with the values of the environment variable that the runtime sets to them.
    let trace = rng.u64(..);
    let mut head = format!(
        "Content-Type: application/json\r\nLambda-Runtime-Aws-Request-Id: {}\r\n\
         Lambda-Runtime-Deadline-Ms: 1542409706888\r\nLambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:f\r\n\
         Lambda-Runtime-Trace-Id: Root=1-5bef4de7-ad49b0e8{trace:016x};Sampled=1\r\n",
        request_id(*number)
    );
    if let Some(invocation_id) = &invocation.invocation_id {
        head.push_str(&format!("Lambda-Runtime-Invocation-Id: {invocation_id}\r\n"));
    }
    if rng.u32(0..8) == 0 {
        head.make_ascii_lowercase();
    }
    message(200, &head, event, style, rng)
}

/// An acknowledgement.
pub fn accepted(style: Style, rng: &mut Rng) -> Message {
    let body = if rng.u32(0..10) == 0 { "" } else { "{\"status\":\"OK\"}\n" };
    message(202, "", body.as_bytes(), style, rng)
}

/// A refusal with the API's error types.
pub fn refusal(status: u16, style: Style, rng: &mut Rng) -> Message {
    message(status, "", refusal_body(status).as_bytes(), style, rng)
}

/// A reply to /next without an event.
pub fn no_event(style: Style, rng: &mut Rng) -> Vec<u8> {
    if rng.bool() {
        return b"HTTP/1.1 204 No Content\r\n\r\n".to_vec();
    }
    message(200, "", b"{}", style, rng).bytes
}

/// Bytes that a client must not accept as a reply.
pub fn not_http(rng: &mut Rng) -> Vec<u8> {
    let invalid = INVALID_REPLIES[rng.usize(..INVALID_REPLIES.len())];
    [invalid.valid_head, invalid.rest].concat().into_bytes()
}

fn message(status: u16, head: &str, body: &[u8], style: Style, rng: &mut Rng) -> Message {
    let Style { framing, interim, fields } = style;
    let mut bytes = Vec::with_capacity(body.len() + 1024);
    if interim {
        bytes.extend_from_slice(INTERIM.as_bytes());
    }
    let version = if framing == Framing::UntilClose { "1.0" } else { "1.1" };
    bytes.extend_from_slice(format!("HTTP/{version} {status} Status\r\n{head}{fields}").as_bytes());
    match framing {
        Framing::Length => bytes.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes()),
        Framing::Chunked => bytes.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n"),
        Framing::UntilClose => bytes.extend_from_slice(b"\r\n"),
    }
    let start = bytes.len();
    match framing {
        Framing::Chunked => {
            let mut rest = body;
            while !rest.is_empty() {
                let (chunk, after) = rest.split_at(rng.usize(1..=rest.len()));
                let extension = if rng.u32(0..4) == 0 { ";x=y" } else { "" };
                bytes.extend_from_slice(format!("{:x}{extension}\r\n", chunk.len()).as_bytes());
                bytes.extend_from_slice(chunk);
                bytes.extend_from_slice(b"\r\n");
                rest = after;
            }
            bytes.extend_from_slice(if rng.bool() { b"0\r\n\r\n" } else { b"0\r\nX-Trailer: ignored\r\n\r\n" });
        }
        _ => bytes.extend_from_slice(body),
    }
    let body = start..bytes.len();
    Message { bytes, body }
}
