//! The API's side of the protocol: what an emulator or a test speaks to a runtime.

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
/// Like [`Client`](crate::client::Client) it does no I/O and is driven by [`poll_output`](Self::poll_output). It takes
/// one request at a time: a pipelined one waits until the one before it is answered.
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
    /// The request at hand asks for the connection to be kept.
    keep_alive: bool,
    /// The request at hand is a `HEAD`: its reply has no body.
    head_only: bool,
    /// Close once everything is written.
    closing: Option<CloseReason>,
    closed: Option<CloseReason>,
}

/// How far a request, or the reply to it, has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    None,
    Begun,
    Complete,
}

/// What the runtime sent.
#[derive(Debug)]
pub enum Event {
    /// A request has begun; its body follows.
    Request(Request),
    /// Some of its body.
    Data(Bytes),
    /// It is complete; these are its trailers. If it is not answered yet, that is due now.
    End(Trailers),
}

impl Server {
    /// A machine for a connection that has just been accepted.
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

    /// What is to be done next. Call it again after doing it; see [`Output`].
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
            // A pipelined request waits until the answer before it is written, not only given: a driver that then waits
            // to answer it, as for /next, would hold that answer back.
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
                        self.outbox.push_back(Outgoing::whole(interim, Bytes::new()));
                    }
                    self.keep_alive = head.keep_alive;
                    self.head_only = method == Method::HEAD;
                    return Some(Event::Request(Request::new(method, target, self.reader.take())));
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

    /// Tells the peer what was wrong, if that is still possible, and closes.
    fn refuse(&mut self, error: PeerError) {
        if self.reply == Progress::None && !matches!(error, PeerError::UnexpectedEnd(_)) {
            let reply = Reply::new(400).header(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
            let body = Bytes::from(format!("{error}\n"));
            self.outbox.push_back(Outgoing::whole(reply.head(Some(body.len()), false), body));
            self.reply = Progress::Complete;
            self.closing = Some(CloseReason::Peer(error));
        } else {
            self.closed.get_or_insert(CloseReason::Peer(error));
        }
    }

    /// Room for the transport to read into; never empty. Report with [`filled`](Self::filled) how much was read.
    pub fn space(&mut self) -> &mut [u8] {
        self.reader.space()
    }

    /// `n` bytes were read into [`space`](Self::space). Ask [`poll_output`](Self::poll_output) before reading again.
    pub fn filled(&mut self, n: usize) {
        if self.is_open() {
            self.reader.filled(n);
        }
    }

    /// These bytes were received: [`space`](Self::space) and [`filled`](Self::filled) in one, for bytes that lie
    /// elsewhere.
    pub fn receive(&mut self, bytes: &[u8]) {
        if self.is_open() {
            self.reader.receive(bytes);
        }
    }

    /// Once the connection is to close, nothing that still comes matters.
    fn is_open(&self) -> bool {
        self.closed.is_none() && self.closing.is_none()
    }

    /// The first `n` bytes of the slices handed out last were written.
    pub fn sent(&mut self, mut n: usize) {
        for outgoing in &mut self.outbox {
            n = outgoing.advance(n);
            if n == 0 {
                return;
            }
        }
    }

    /// The peer closed its sending half: no byte will come.
    pub fn end_of_input(&mut self) {
        self.reader.end_of_input();
    }

    /// The transport failed.
    pub fn disconnected(&mut self) {
        self.closed.get_or_insert(CloseReason::TransportFailed);
    }

    /// Answers the request at hand. If its body has not come whole yet, the connection closes afterwards.
    ///
    /// # Errors
    ///
    /// No request is at hand, or it has been answered.
    pub fn reply(&mut self, reply: Reply) -> Result<(), Misuse> {
        self.begin_reply()?;
        let close = self.complete_reply(reply.closes());
        let head = reply.head(Some(reply.body.len()), !close);
        let body = if self.head_only || !reply.has_body() { Bytes::new() } else { reply.body };
        self.outbox.push_back(Outgoing::whole(head, body));
        Ok(())
    }

    /// Starts to answer the request at hand with a chunked body; the reply's own body is its first chunk. Follow with
    /// [`chunk`](Self::chunk), then [`finish`](Self::finish) or [`close_abruptly`](Self::close_abruptly).
    ///
    /// # Errors
    ///
    /// No request is at hand, it has been answered, it is a `HEAD`, or the reply's status has no body (204, say).
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

    /// Appends a chunk to a [streamed](Self::stream) reply; an empty one is left out.
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

    /// Closes the connection once what is queued is written, without ending the reply that may be open: it looks
    /// torn.
    pub fn close_abruptly(&mut self) {
        self.closing.get_or_insert(CloseReason::Aborted);
    }

    /// Bytes of chunks that wait to be written, framing included. Give no more [chunks](Self::chunk) while this is
    /// high.
    pub fn queued(&self) -> usize {
        self.outbox.iter().map(Outgoing::queued).sum()
    }

    fn begin_reply(&mut self) -> Result<(), Misuse> {
        match (self.request, self.reply) {
            (Progress::None, _) => Err(Misuse::WrongState("no request is at hand")),
            (_, Progress::None) => {
                self.reply = Progress::Begun;
                Ok(())
            }
            _ => Err(Misuse::WrongState("the request at hand has been answered")),
        }
    }

    /// Returns whether the connection closes after this reply.
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
