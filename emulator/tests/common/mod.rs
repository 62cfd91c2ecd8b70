//! A runtime on a blocking socket, and plain HTTP for requests that a runtime should not send.

#![allow(dead_code, reason = "every test file uses some of this")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use lambda_runtime_emulator::Emulator;
use lambda_runtime_proto::Output;
use lambda_runtime_proto::client::{
    Client, Config, Event, Failure, Invocation, Reply, Response, ResponseStream, StreamHead,
};

/// A generous limit for every wait, after which a test fails.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// A runtime with one connection; it fails when it waits longer than [`LIMIT`].
pub(crate) struct Runtime {
    pub(crate) socket: TcpStream,
    pub(crate) client: Client,
}

impl Runtime {
    pub(crate) fn connect(emulator: &Emulator) -> Self {
        let runtime = Self::connect_to(emulator.endpoint());
        runtime.socket.set_read_timeout(Some(LIMIT)).unwrap();
        runtime
    }

    pub(crate) fn connect_to(endpoint: &str) -> Self {
        let client = Client::new(Config::new(endpoint.parse().unwrap()));
        Self { socket: connect(endpoint), client }
    }

    /// Requests an event and waits for it.
    pub(crate) fn next(&mut self) -> Invocation {
        self.client.next_invocation().unwrap();
        match self.event() {
            Event::Invocation(invocation) => invocation,
            other => panic!("expected an event, got {other:?}"),
        }
    }

    /// Requests an event and does not wait for it.
    pub(crate) fn request_event(&mut self) {
        self.client.next_invocation().unwrap();
        self.flush();
    }

    pub(crate) fn respond(&mut self, invocation: Invocation, body: impl Into<Bytes>) -> Reply {
        self.client.respond(invocation.into_token(), Response::json(body)).unwrap();
        self.reply()
    }

    pub(crate) fn fail(&mut self, invocation: Invocation, failure: Failure) -> Reply {
        self.client.fail(invocation.into_token(), failure).unwrap();
        self.reply()
    }

    pub(crate) fn stream(&mut self, invocation: Invocation) -> ResponseStream {
        self.stream_with(invocation, StreamHead::Plain { content_type: HeaderValue::from_static("text/plain") })
    }

    pub(crate) fn stream_with(&mut self, invocation: Invocation, head: StreamHead) -> ResponseStream {
        let stream = self.client.stream(invocation.into_token(), head).unwrap();
        self.flush();
        stream
    }

    pub(crate) fn chunk(&mut self, stream: &ResponseStream, data: impl Into<Bytes>) {
        self.client.chunk(stream, data).unwrap();
        self.flush();
    }

    /// Waits for the reply to the current request.
    pub(crate) fn reply(&mut self) -> Reply {
        match self.event() {
            Event::Reply(reply) => reply,
            other => panic!("expected a reply, got {other:?}"),
        }
    }

    /// Drives the connection until something happens.
    pub(crate) fn event(&mut self) -> Event {
        loop {
            match self.client.poll_output() {
                Output::Event(event) => return event,
                Output::Transmit(slices) => {
                    let n = self.socket.write_vectored(&slices).unwrap();
                    self.client.sent(n);
                }
                Output::Receive => match self.socket.read(self.client.space()).unwrap() {
                    0 => self.client.end_of_input(),
                    n => self.client.filled(n),
                },
                other => panic!("unexpected {other:?}"),
            }
        }
    }

    /// Writes everything that is queued.
    pub(crate) fn flush(&mut self) {
        while let Output::Transmit(slices) = self.client.poll_output() {
            let n = self.socket.write_vectored(&slices).unwrap();
            self.client.sent(n);
        }
    }
}

pub(crate) fn failure(error_type: &'static str, message: &str) -> Failure {
    let body = serde_json::json!({"errorMessage": message, "errorType": error_type, "stackTrace": []});
    Failure::new(HeaderValue::from_static(error_type), body.to_string())
}

/// A connection for any bytes.
pub(crate) struct Http {
    pub(crate) reader: BufReader<TcpStream>,
}

/// An HTTP response.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) status: u16,
    /// With names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// The trailers of a chunked body; `None` if the body is incomplete.
    pub(crate) trailers: Option<Vec<(String, String)>>,
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.trailers.is_some()
    }
}

impl Http {
    pub(crate) fn connect(address: impl ToString) -> Self {
        let socket = connect(&address.to_string());
        socket.set_read_timeout(Some(LIMIT)).unwrap();
        Self { reader: BufReader::new(socket) }
    }

    pub(crate) fn to_runtime_api(emulator: &Emulator) -> Self {
        Self::connect(emulator.endpoint())
    }

    pub(crate) fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.reader.get_mut().write_all(bytes.as_ref()).unwrap();
    }

    pub(crate) fn post(&mut self, path: &str, headers: &str, body: &str) -> Received {
        self.write(format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            body.len()
        ));
        self.read()
    }

    pub(crate) fn get(&mut self, path: &str) -> Received {
        self.write(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        self.read()
    }

    pub(crate) fn read(&mut self) -> Received {
        let mut received = self.read_head();
        if let Some(length) = received.header("content-length") {
            received.body = vec![0; length.parse().unwrap()];
            self.reader.read_exact(&mut received.body).unwrap();
            received.trailers = Some(Vec::new());
        } else if received.header("transfer-encoding") == Some("chunked") {
            while let Some(chunk) = self.read_chunk() {
                if chunk.is_empty() {
                    received.trailers = Some(self.read_fields());
                    break;
                }
                received.body.extend(chunk);
            }
        } else {
            received.trailers = Some(Vec::new());
        }
        received
    }

    pub(crate) fn read_head(&mut self) -> Received {
        let line = self.read_line();
        let status = line.split(' ').nth(1).unwrap_or_else(|| panic!("no status line: {line:?}")).parse().unwrap();
        Received { status, headers: self.read_fields(), body: Vec::new(), trailers: None }
    }

    /// The next chunk; empty at the end of the body, and `None` if the connection ends.
    pub(crate) fn read_chunk(&mut self) -> Option<Vec<u8>> {
        let size = usize::from_str_radix(&self.read_line(), 16).ok()?;
        let mut chunk = vec![0; size];
        self.reader.read_exact(&mut chunk).ok()?;
        if size > 0 {
            assert_eq!(self.read_line(), "");
        }
        Some(chunk)
    }

    fn read_fields(&mut self) -> Vec<(String, String)> {
        let mut fields = Vec::new();
        loop {
            let line = self.read_line();
            let Some((name, value)) = line.split_once(": ") else { return fields };
            fields.push((name.to_lowercase(), value.to_owned()));
        }
    }

    fn read_line(&mut self) -> String {
        let mut line = String::new();
        let _ = self.reader.read_line(&mut line);
        line.trim_end().to_owned()
    }

    /// Whether the peer has closed or reset the connection, without waiting for it.
    pub(crate) fn has_ended(&self) -> bool {
        let socket = self.reader.get_ref();
        socket.set_nonblocking(true).unwrap();
        let peeked = socket.peek(&mut [0]);
        socket.set_nonblocking(false).unwrap();
        peeked.map_or_else(|error| error.kind() != std::io::ErrorKind::WouldBlock, |n| n == 0)
    }

    /// Waits until the peer has closed or reset the connection.
    pub(crate) fn is_over(&mut self) -> bool {
        !matches!(self.reader.read(&mut [0]), Ok(n) if n > 0)
    }
}

fn connect(address: &str) -> TcpStream {
    let socket = TcpStream::connect(address).unwrap();
    socket.set_nodelay(true).unwrap();
    socket
}
