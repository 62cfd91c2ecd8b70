//! Requests of a runtime, parsed as fast as possible: only to find their ends.

use std::io::{self, Read};
use std::net::TcpStream;

use crate::Result;

/// The requests on one connection, in order.
pub struct Requests<'s> {
    stream: &'s TcpStream,
    buf: Vec<u8>,
    start: usize,
    end: usize,
}

/// One request, whose body has been skipped.
pub struct Request {
    pub is_get: bool,
    /// For `…/response`, not for `…/error`.
    pub is_response: bool,
    /// Bytes of the body, without its framing.
    pub length: u64,
}

impl<'s> Requests<'s> {
    pub fn new(stream: &'s TcpStream) -> Self {
        const SIZE: usize = 256 * 1024;
        Self { stream, buf: vec![0; SIZE], start: 0, end: 0 }
    }

    /// `None` when the peer has closed the connection, or was killed.
    pub fn read(&mut self) -> Result<Option<Request>> {
        let head = loop {
            if let Some(at) = memchr::memmem::find(self.unread(), b"\r\n\r\n") {
                break at + 4;
            }
            if !self.fill()? {
                return Ok(None);
            }
        };
        let bytes = &self.unread()[..head];
        let request_line = &bytes[..memchr::memchr(b'\r', bytes).unwrap_or(head)];
        let mut request = Request {
            is_get: request_line.starts_with(b"GET "),
            is_response: request_line.ends_with(b"/response HTTP/1.1"),
            length: 0,
        };
        let is_chunked = field(bytes, "transfer-encoding").is_some();
        let length = field(bytes, "content-length").map_or(Ok(0), str::parse)?;
        self.start += head;
        request.length = if is_chunked { self.pass_chunks()? } else { self.pass(length)? };
        Ok(Some(request))
    }

    /// The last bytes received, for error messages.
    pub fn shown(&self) -> String {
        const MOST: usize = 400;
        String::from_utf8_lossy(&self.buf[self.end.saturating_sub(MOST)..self.end]).into_owned()
    }

    fn unread(&self) -> &[u8] {
        &self.buf[self.start..self.end]
    }

    /// Reads more bytes; `false` at the end.
    fn fill(&mut self) -> io::Result<bool> {
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
        } else if self.end == self.buf.len() {
            self.buf.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        match self.stream.read(&mut self.buf[self.end..]) {
            Ok(n) => {
                self.end += n;
                Ok(n > 0)
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Skips this many bytes.
    fn pass(&mut self, length: u64) -> Result<u64> {
        let mut left = usize::try_from(length)?;
        loop {
            let here = left.min(self.end - self.start);
            self.start += here;
            left -= here;
            if left == 0 {
                return Ok(length);
            }
            if !self.fill()? {
                return Err("the connection ended within a body".into());
            }
        }
    }

    /// Skips a chunked body and its trailers, and returns the total size of its chunks.
    fn pass_chunks(&mut self) -> Result<u64> {
        let mut total = 0;
        loop {
            let line = self.line()?;
            match u64::from_str_radix(&line, 16)? {
                0 => break,
                size => total += self.pass(size)?,
            }
            self.pass(2)?;
        }
        match self.line()?.as_str() {
            "" => Ok(total),
            trailer => Err(format!("a response was truncated: {trailer}").into()),
        }
    }

    fn line(&mut self) -> Result<String> {
        loop {
            if let Some(at) = memchr::memmem::find(self.unread(), b"\r\n") {
                let line = String::from_utf8_lossy(&self.unread()[..at]).into_owned();
                self.start += at + 2;
                return Ok(line);
            }
            if !self.fill()? {
                return Err("the connection ended within a body".into());
            }
        }
    }
}

/// The value of the field with this name, in lower case.
fn field<'h>(head: &'h [u8], name: &str) -> Option<&'h str> {
    let lines = head.split(|&byte| byte == b'\n').filter_map(|line| std::str::from_utf8(line).ok());
    let mut fields = lines.filter_map(|line| line.split_once(':'));
    fields.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}
