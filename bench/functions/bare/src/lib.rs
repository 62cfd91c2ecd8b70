//! The floor: the minimum cost of an invocation on a given kind of socket. Requests the next event, finds it in the reply, and
//! posts the response, without JSON, checks or recovery.

use std::future::Future;
use std::io::{self, IoSlice, Write as _};

use memchr::memmem::Finder;

/// A connected socket.
pub trait Socket {
    /// Reads some bytes.
    fn read(&mut self, buf: &mut [u8]) -> impl Future<Output = io::Result<usize>>;

    /// Writes some bytes.
    fn write(&mut self, slices: &[IoSlice<'_>]) -> impl Future<Output = io::Result<usize>>;
}

/// The address of the Runtime API.
pub fn address() -> String {
    std::env::var("AWS_LAMBDA_RUNTIME_API").unwrap_or_default()
}

/// The number of concurrent invocations.
pub fn workers() -> usize {
    std::env::var("AWS_LAMBDA_MAX_CONCURRENCY").ok().and_then(|number| number.parse().ok()).unwrap_or(1)
}

/// Responds to every event with itself.
pub async fn echo(mut socket: impl Socket) -> io::Result<()> {
    let mut inbox = Inbox::new();
    let mut head = Vec::new();
    loop {
        write_all(&mut socket, &mut [IoSlice::new(NEXT)]).await?;
        let (id, event) = inbox.message(&mut socket).await?;
        begin(&mut head, id);
        write!(head, "Content-Length: {}\r\n\r\n", event.len())?;
        write_all(&mut socket, &mut [IoSlice::new(&head), IoSlice::new(event)]).await?;
        inbox.message(&mut socket).await?;
    }
}

/// Responds to every event `[count, size]` with this many chunks of this size, each in a separate write.
pub async fn streaming(mut socket: impl Socket) -> io::Result<()> {
    const PRELUDE: &[u8] = b"{\"statusCode\":200,\"headers\":{},\"cookies\":[]}\0\0\0\0\0\0\0\0";
    let mut inbox = Inbox::new();
    let mut head = Vec::new();
    loop {
        write_all(&mut socket, &mut [IoSlice::new(NEXT)]).await?;
        let (id, event) = inbox.message(&mut socket).await?;
        let (count, size) = numbers(event);
        let chunk = vec![b'x'; size];
        let size_line = format!("{size:x}\r\n");
        begin(&mut head, id);
        head.extend_from_slice(b"Content-Type: application/vnd.awslambda.http-integration-response\r\n");
        head.extend_from_slice(
            b"Lambda-Runtime-Function-Response-Mode: streaming\r\nTransfer-Encoding: chunked\r\n\r\n",
        );
        write!(head, "{:x}\r\n", PRELUDE.len())?;
        write_all(&mut socket, &mut [&head, PRELUDE, b"\r\n"].map(IoSlice::new)).await?;
        for _ in 0..count {
            write_all(&mut socket, &mut [size_line.as_bytes(), &chunk, b"\r\n"].map(IoSlice::new)).await?;
        }
        write_all(&mut socket, &mut [IoSlice::new(b"0\r\n\r\n")]).await?;
        inbox.message(&mut socket).await?;
    }
}

const NEXT: &[u8] = b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: localhost\r\n\r\n";

fn begin(head: &mut Vec<u8>, id: &[u8]) {
    head.clear();
    for part in [b"POST /2018-06-01/runtime/invocation/", id, b"/response HTTP/1.1\r\nHost: localhost\r\n"] {
        head.extend_from_slice(part);
    }
}

async fn write_all(socket: &mut impl Socket, mut slices: &mut [IoSlice<'_>]) -> io::Result<()> {
    while !slices.is_empty() {
        let written = socket.write(slices).await?;
        IoSlice::advance_slices(&mut slices, written);
    }
    Ok(())
}

/// The receive buffer, reused for each message.
struct Inbox {
    buf: Vec<u8>,
    empty_line: Finder<'static>,
    content_length: Finder<'static>,
    request_id: Finder<'static>,
}

impl Inbox {
    fn new() -> Self {
        const INITIAL: usize = 8 * 1024;
        Self {
            buf: vec![0; INITIAL],
            empty_line: Finder::new(b"\r\n\r\n"),
            content_length: Finder::new(b"Content-Length: "),
            request_id: Finder::new(b"Lambda-Runtime-Aws-Request-Id: "),
        }
    }

    /// The request id (empty if there is none) and the body of the next message.
    async fn message(&mut self, socket: &mut impl Socket) -> io::Result<(&[u8], &[u8])> {
        let mut filled = 0;
        let body = loop {
            filled += self.read(socket, filled).await?;
            if let Some(at) = self.empty_line.find(&self.buf[..filled]) {
                break at + 4;
            }
        };
        let length = field(&self.buf[..body], &self.content_length);
        let end = body + length.iter().fold(0, |length, digit| length * 10 + usize::from(digit - b'0'));
        if self.buf.len() < end {
            self.buf.resize(end, 0);
        }
        while filled < end {
            filled += self.read(socket, filled).await?;
        }
        Ok((field(&self.buf[..body], &self.request_id), &self.buf[body..end]))
    }

    async fn read(&mut self, socket: &mut impl Socket, from: usize) -> io::Result<usize> {
        match socket.read(&mut self.buf[from..]).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            n => Ok(n),
        }
    }
}

/// The value after a name, in the format of this benchmark's API.
fn field<'h>(head: &'h [u8], name: &Finder<'_>) -> &'h [u8] {
    let Some(at) = name.find(head) else { return &[] };
    let value = &head[at + name.needle().len()..];
    &value[..memchr::memchr(b'\r', value).unwrap_or(value.len())]
}

/// The two numbers of `[count, size]`.
fn numbers(event: &[u8]) -> (usize, usize) {
    let text = String::from_utf8_lossy(event);
    let mut numbers = text.split(|c: char| !c.is_ascii_digit()).filter_map(|digits| digits.parse().ok());
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}
