//! The API's side of the protocol, for emulators and tests.

#[cfg(any(test, feature = "checks"))]
mod digest;
mod reply;
mod request;

use std::collections::VecDeque;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, Method};

use crate::http1::{Outgoing, Reader, Role, Slices, StartLine, Step, trailer_section};
use crate::{CloseReason, Limits, Misuse, Output, PeerError};

pub use reply::Reply;
use reply::title_case;
pub use request::{Request, Route, Trailers};

/// The API's side of one connection.
///
/// Like [`Client`](crate::client::Client) it does no I/O and is driven by [`poll_output`](Self::poll_output). It reads one
/// request at a time: a pipelined request waits until the reply to the previous one is written.
///
/// | | methods |
/// |---|---|
/// | inputs | [`space`](Self::space) and [`filled`](Self::filled), or [`receive`](Self::receive); [`sent`](Self::sent); [`end_of_input`](Self::end_of_input), [`disconnected`](Self::disconnected) |
/// | output | [`poll_output`](Self::poll_output) |
/// | commands | [`reply`](Self::reply); [`stream`](Self::stream), [`chunk`](Self::chunk), [`finish`](Self::finish); [`close_abruptly`](Self::close_abruptly) |
/// | getters | [`queued`](Self::queued) |
#[derive(Debug)]
pub struct Server {
    reader: Reader,
    outbox: VecDeque<Outgoing>,
    request: Progress,
    reply: Progress,
    /// The current request does not close the connection.
    keep_alive: bool,
    /// The current request is a `HEAD`, so its reply has no body.
    head_only: bool,
    /// Close once everything is written.
    closing: Option<CloseReason>,
    closed: Option<CloseReason>,
}

/// The progress of a request, or of its reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    None,
    Begun,
    Complete,
}

/// A part of a request.
#[derive(Debug)]
pub enum Event {
    /// The head of a request.
    Request(Request),
    /// Some of its body.
    Data(Bytes),
    /// The end of the request, with its trailers. Reply to it now, unless that was done.
    End(Trailers),
}

impl Server {
    /// Returns a machine for a new connection.
    pub fn new(limits: Limits) -> Self {
        Self {
            reader: Reader::new(Role::Request, limits),
            outbox: VecDeque::new(),
            request: Progress::None,
            reply: Progress::None,
            keep_alive: true,
            head_only: false,
            closing: None,
            closed: None,
        }
    }

    /// Returns what to do next. Do it, then call this again; see [`Output`].
    pub fn poll_output(&mut self) -> Output<'_, Event> {
        while self.outbox.front().is_some_and(Outgoing::is_sent) {
            self.outbox.pop_front();
        }
        if self.outbox.iter().all(Outgoing::is_drained)
            && let Some(reason) = self.closing.take()
        {
            self.closed.get_or_insert(reason);
        }
        if self.is_open()
            && let Some(event) = self.read()
        {
            return Output::Event(event);
        }
        if let Some(reason) = &self.closed {
            return Output::Closed(reason.clone());
        }
        if self.outbox.iter().any(|outgoing| !outgoing.is_drained()) {
            let mut slices = Slices::new();
            let _ = self.outbox.iter().all(|outgoing| outgoing.slices(&mut slices));
            Output::Transmit(slices)
        } else if self.request == Progress::Complete {
            Output::Idle
        } else {
            Output::Receive
        }
    }

    fn read(&mut self) -> Option<Event> {
        if self.request == Progress::Complete {
            // A pipelined request waits until the previous reply is written. A driver that blocks before it replies, as it
            // does for /next, would otherwise delay that reply.
            if self.reply != Progress::Complete || !self.outbox.iter().all(Outgoing::is_sent) {
                if self.reader.is_overfull() {
                    self.closed.get_or_insert(CloseReason::Peer(PeerError::Unsolicited));
                }
                return None;
            }
            self.request = Progress::None;
            self.reply = Progress::None;
        }
        loop {
            match self.reader.poll() {
                Ok(Step::Head(head)) => {
                    let StartLine::Request { method, target } = head.start_line else { continue };
                    self.request = Progress::Begun;
                    if head.expects_continue {
                        let interim = b"HTTP/1.1 100 Continue\r\n\r\n".to_vec();
                        self.outbox.push_back(Outgoing::buffered(interim, Bytes::new()));
                    }
                    self.keep_alive = head.keep_alive;
                    let request = Request::new(method, target, self.reader.take());
                    self.head_only = request.method() == Method::HEAD;
                    return Some(Event::Request(request));
                }
                Ok(Step::Data) => return Some(Event::Data(self.reader.take())),
                Ok(Step::End) => {
                    self.request = Progress::Complete;
                    return Some(Event::End(Trailers::new(self.reader.take_trailers())));
                }
                Ok(Step::NeedInput) => return None,
                Ok(Step::Closed) => {
                    self.closed.get_or_insert(CloseReason::ClosedByPeer);
                    return None;
                }
                Err(error) => {
                    self.refuse(error);
                    return None;
                }
            }
        }
    }

    /// Replies with the error unless there is a reply, and closes the connection.
    fn refuse(&mut self, error: PeerError) {
        if self.reply == Progress::None && !matches!(error, PeerError::UnexpectedEnd(_)) {
            let reply = Reply::new(400).header(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
            let body = Bytes::from(format!("{error}\n"));
            self.outbox.push_back(Outgoing::buffered(reply.head(Some(body.len()), false), body));
            self.reply = Progress::Complete;
            self.closing = Some(CloseReason::Peer(error));
        } else {
            self.closed.get_or_insert(CloseReason::Peer(error));
        }
    }

    /// Returns the buffer to read into, which is never empty. Report with [`filled`](Self::filled) how much was read.
    pub fn space(&mut self) -> &mut [u8] {
        self.reader.space()
    }

    /// Reports that `n` bytes were read into [`space`](Self::space). Call [`poll_output`](Self::poll_output) before
    /// reading again.
    pub fn filled(&mut self, n: usize) {
        if self.is_open() {
            self.reader.filled(n);
        }
    }

    /// Copies received bytes into the machine, in place of [`space`](Self::space) and [`filled`](Self::filled).
    pub fn receive(&mut self, bytes: &[u8]) {
        if self.is_open() {
            self.reader.receive(bytes);
        }
    }

    /// Whether input still matters, because the connection is not about to close.
    fn is_open(&self) -> bool {
        self.closed.is_none() && self.closing.is_none()
    }

    /// Reports that the first `n` bytes of the slices returned last were written.
    pub fn sent(&mut self, mut n: usize) {
        for outgoing in &mut self.outbox {
            n = outgoing.advance(n);
            if n == 0 {
                return;
            }
        }
    }

    /// Reports that the peer closed its sending half.
    pub fn end_of_input(&mut self) {
        self.reader.end_of_input();
    }

    /// Reports that the transport failed.
    pub fn disconnected(&mut self) {
        self.closed.get_or_insert(CloseReason::TransportFailed);
    }

    /// Replies to the current request. If its body is incomplete, the connection closes afterwards.
    ///
    /// # Errors
    ///
    /// No request was received, or the current one has a reply.
    pub fn reply(&mut self, mut reply: Reply) -> Result<(), Misuse> {
        self.begin_reply()?;
        reply.omits_length &= self.head_only;
        let close = self.complete_reply(reply.closes());
        let head = reply.head(Some(reply.body.len()), !close);
        let body = if self.head_only || !reply.has_body() { Bytes::new() } else { reply.body };
        self.outbox.push_back(Outgoing::buffered(head, body));
        Ok(())
    }

    /// Replies to the current request with a chunked body, the first chunk of which is the body of `reply`. Follow with
    /// [`chunk`](Self::chunk), then [`finish`](Self::finish) or [`close_abruptly`](Self::close_abruptly).
    ///
    /// # Errors
    ///
    /// No request was received, the current one has a reply or is a `HEAD`, or a reply with this status has no body (such
    /// as 204).
    pub fn stream(&mut self, reply: Reply) -> Result<(), Misuse> {
        if self.head_only || !reply.has_body() {
            return Err(Misuse::WrongState("a reply to HEAD, or with this status, has no body"));
        }
        self.begin_reply()?;
        self.keep_alive &= !reply.closes() && self.request == Progress::Complete;
        let mut outgoing = Outgoing::chunked(reply.head(None, self.keep_alive));
        outgoing.chunk(reply.body);
        self.outbox.push_back(outgoing);
        Ok(())
    }

    /// Appends a chunk to a [streamed](Self::stream) reply. An empty chunk is ignored.
    ///
    /// # Errors
    ///
    /// No streamed reply is open.
    pub fn chunk(&mut self, data: impl Into<Bytes>) -> Result<(), Misuse> {
        self.open_reply()?.chunk(data.into());
        Ok(())
    }

    /// Ends a [streamed](Self::stream) reply with these trailer fields.
    ///
    /// # Errors
    ///
    /// No streamed reply is open.
    pub fn finish<'t, T>(&mut self, trailers: T) -> Result<(), Misuse>
    where
        T: IntoIterator<Item = (&'t HeaderName, &'t HeaderValue)>,
    {
        let fields = trailers.into_iter().map(|(name, value)| (title_case(name), value.as_bytes()));
        self.open_reply()?.end(&trailer_section(fields));
        self.complete_reply(!self.keep_alive);
        Ok(())
    }

    /// Closes the connection once everything queued is written. A [streamed](Self::stream) reply stays incomplete.
    pub fn close_abruptly(&mut self) {
        self.closing.get_or_insert(CloseReason::Aborted);
    }

    /// The number of unwritten bytes of chunks, framing included. Pause [`chunk`](Self::chunk) while it is high.
    pub fn queued(&self) -> usize {
        self.outbox.iter().map(Outgoing::queued).sum()
    }

    fn begin_reply(&mut self) -> Result<(), Misuse> {
        match (self.request, self.reply) {
            (Progress::None, _) => Err(Misuse::WrongState("no request was received")),
            (_, Progress::None) => {
                self.reply = Progress::Begun;
                Ok(())
            }
            _ => Err(Misuse::WrongState("the current request has a reply")),
        }
    }

    /// Returns whether the connection closes after the reply.
    fn complete_reply(&mut self, close: bool) -> bool {
        self.reply = Progress::Complete;
        if self.request != Progress::Complete {
            self.closing = Some(CloseReason::RepliedEarly);
        } else if close || !self.keep_alive {
            self.closing = Some(CloseReason::CloseRequested);
        }
        self.closing.is_some()
    }

    fn open_reply(&mut self) -> Result<&mut Outgoing, Misuse> {
        let open = self.outbox.back_mut().filter(|outgoing| outgoing.is_open());
        open.ok_or(Misuse::WrongState("no streamed reply is open"))
    }
}
