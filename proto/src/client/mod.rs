//! The runtime's side of the Runtime API, as a state machine for one connection at a time.
//!
//! ```text
//!     next_invocation() Event::Invocation            respond() fail() finish() abort()
//!   ┌──────┐        ┌─────────┐             ┌─────────┐                ┌───────────┐
//!   │ Idle ├───────►│ Waiting ├────────────►│ In hand ├───────────────►│ Answering │
//!   └──────┘        └────┬────┘             └────┬────┘                └─────┬─────┘
//!    ▲  ▲                │ NoInvocation          │ stream()   ▲              │ Event::Reply
//!    │  └────────────────┘ Reply(403, 500)       ▼            │              │
//!    │                                      ┌───────────┐     │              │
//!    │                                      │ Streaming ├─────┘              │
//!    │                                      └───────────┘                    │
//!    └───────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! See [`Client`] for the methods and the order to call them in.

mod address;
mod command;
mod config;
mod head_templates;
mod invocation;
mod reply;

use std::collections::VecDeque;
use std::sync::Arc;

use crate::http1::{Outgoing, Reader, Role, Slices, StartLine, Step};
use crate::{CloseReason, Endpoint, Misuse, Output, PeerError};

pub use address::{BasePath, Host, ParseAddressError};
pub use command::{Failure, Response, StreamHead};
pub use config::Config;
pub use invocation::{Invocation, InvocationToken, NoInvocation, ResponseStream};
pub use reply::{Reply, ReplyKind};

/// The metadata prelude of a streamed response and its delimiter must lie within so many bytes of the body's start.
pub const MAX_PRELUDE: usize = 16 * 1024;

/// The longest trailer section of a streamed response, its empty line included. Go's HTTP server, on which the API is
/// built, looks for the end of the section in a buffer of this size, and fails if it is not there.
pub const MAX_TRAILERS: usize = 4096;

/// The runtime's side of one connection to the Runtime API.
///
/// It does no I/O. A driver owns the socket and repeats: ask [`poll_output`](Self::poll_output), do what it says, and
/// between two calls give it what the socket or the handler brought.
///
/// | | methods |
/// |---|---|
/// | inputs | [`space`](Self::space) and [`filled`](Self::filled), or [`receive`](Self::receive); [`sent`](Self::sent); [`end_of_input`](Self::end_of_input), [`end_of_output`](Self::end_of_output), [`disconnected`](Self::disconnected), [`reset`](Self::reset) |
/// | output | [`poll_output`](Self::poll_output) |
/// | commands | [`next_invocation`](Self::next_invocation), [`respond`](Self::respond), [`fail`](Self::fail), [`stream`](Self::stream), [`chunk`](Self::chunk), [`finish`](Self::finish), [`finish_with_trailers`](Self::finish_with_trailers), [`abort`](Self::abort), [`init_error`](Self::init_error), [`restore_next`](Self::restore_next), [`restore_error`](Self::restore_error), [`register_extension`](Self::register_extension), [`next_extension_event`](Self::next_extension_event) |
/// | getters | [`queued`](Self::queued), [`request_id`](Self::request_id), [`outstanding`](Self::outstanding), [`awaits_acknowledgement`](Self::awaits_acknowledgement) |
///
/// Every call of `poll_output` makes progress: it consumes input, hands something out, asks for input, or tells that
/// the connection is over; it never returns "nothing happened".
#[derive(Debug)]
pub struct Client {
    reader: Reader,
    heads: head_templates::HeadTemplates,
    pipelining: bool,
    phase: Phase,
    /// The requests that the API has not answered, oldest first; what of them is to be written, they know.
    outstanding: VecDeque<Request>,
    /// The response that is being read.
    reading: Option<Reading>,
    /// The response to the oldest request, accepted before all of that request was sent.
    early: Option<Reading>,
    /// Identifies the invocation in hand: its token, or the handle of its stream, holds the only other reference.
    identity: Arc<()>,
    request_id: String,
    /// The value of `Lambda-Runtime-Invocation-Id`, to be echoed, when the API sent it.
    invocation_id: Option<http::HeaderValue>,
    /// Nothing more can be written on this connection.
    output_ended: bool,
    /// The connection is over as soon as its events are handed out.
    closed: Option<CloseReason>,
    /// A stream was lost with its connection and that is still to be told.
    torn: bool,
    spare_heads: Vec<Vec<u8>>,
}

/// Where the lifecycle stands. Requests that are under way are in [`Client::outstanding`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Before the first /next: start-up can still be reported as failed.
    Init,
    /// No invocation in hand: it can be asked for, or is on its way.
    Idle,
    /// The caller has the token of an invocation.
    InHand,
    /// The caller has the handle of a response stream.
    Streaming,
}

/// One request: which, and its bytes.
#[derive(Debug)]
struct Request {
    endpoint: Endpoint,
    outgoing: Outgoing,
}

/// What the head of a response said.
#[derive(Debug)]
struct Reading {
    status: u16,
    head_len: usize,
    keep_alive: bool,
}

impl Reading {
    fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

impl Request {
    fn is_sent(&self) -> bool {
        self.outgoing.is_sent()
    }
}

/// What happened.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// An invocation arrived. It is to be answered once, by its token.
    Invocation(Invocation),
    /// /next was answered without an invocation: ask again, after a pause.
    NoInvocation(NoInvocation),
    /// The API answered another request than /next, or refused /next.
    Reply(Reply),
    /// A streamed response was lost with its connection after parts of it were sent: it cannot be sent again. If it was
    /// not sent to its end, the API knows that it is torn. The stream's handle is void; ask for the next invocation.
    StreamInterrupted,
}

/// A request that the API has not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outstanding {
    /// Which.
    pub endpoint: Endpoint,
    /// It is sent again on the next connection. Only a stream of which parts were written is not.
    pub can_be_resent: bool,
}

impl Client {
    /// A machine for a connection that has just been opened.
    pub fn new(config: Config) -> Self {
        Self {
            heads: head_templates::HeadTemplates::new(&config),
            pipelining: config.pipelining,
            reader: Reader::new(Role::Response, config.limits),
            phase: Phase::Init,
            outstanding: VecDeque::new(),
            reading: None,
            early: None,
            identity: Arc::new(()),
            request_id: String::new(),
            invocation_id: None,
            output_ended: false,
            closed: None,
            torn: false,
            spare_heads: Vec::new(),
        }
    }

    /// What is to be done next. Call it again after doing it; see [`Output`].
    pub fn poll_output(&mut self) -> Output<'_, Event> {
        self.abort_if_dropped();
        if std::mem::take(&mut self.torn) {
            return Output::Event(Event::StreamInterrupted);
        }
        if self.closed.is_none()
            && let Some(event) = self.read()
        {
            return Output::Event(event);
        }
        if let Some(reason) = &self.closed {
            return Output::Closed(reason.clone());
        }
        if !self.output_ended && self.outstanding.iter().any(|request| !request.outgoing.is_drained()) {
            let mut slices = Slices::new();
            let _ = self.outstanding.iter().all(|request| request.outgoing.slices(&mut slices));
            Output::Transmit(slices)
        } else if self.outstanding.is_empty() {
            Output::Idle
        } else {
            Output::Receive
        }
    }

    /// Decodes what has come until it amounts to an event or more input is needed.
    fn read(&mut self) -> Option<Event> {
        loop {
            if let Some(head) = self.early.take_if(|_| self.outstanding.front().is_some_and(Request::is_sent)) {
                return self.answered(&head);
            }
            if self.reading.is_none() && !self.can_be_answered() && !self.reader.is_between_messages() {
                self.close(CloseReason::Peer(PeerError::Unsolicited));
                return None;
            }
            match self.reader.poll() {
                Ok(Step::Head(head)) => {
                    let StartLine::Response { status } = head.start_line else { continue };
                    self.reading = Some(Reading { status, head_len: head.len, keep_alive: head.keep_alive });
                }
                Ok(Step::Data) => {}
                Ok(Step::End) => {
                    let Some(head) = self.reading.take() else { continue };
                    if self.outstanding.front().is_some_and(Request::is_sent) {
                        return self.answered(&head);
                    }
                    if head.is_success() {
                        // A server may accept a request when it has seen its head and pass the body on as it comes.
                        self.early = Some(head);
                    } else {
                        self.close(CloseReason::RepliedEarly);
                        return self.answered(&head);
                    }
                }
                Ok(Step::NeedInput) => return None,
                Ok(Step::Closed) => {
                    self.close(CloseReason::ClosedByPeer);
                    return None;
                }
                Err(error) => {
                    self.close(CloseReason::Peer(error));
                    return None;
                }
            }
        }
    }

    /// The API may answer a request as soon as its first byte was sent.
    fn can_be_answered(&self) -> bool {
        self.early.is_none() && self.outstanding.front().is_some_and(|request| request.outgoing.is_started())
    }

    /// The oldest request was answered.
    fn answered(&mut self, head: &Reading) -> Option<Event> {
        let Request { endpoint, outgoing } = self.outstanding.pop_front()?;
        self.spare_heads.push(outgoing.into_head());
        if endpoint == Endpoint::Response && self.phase == Phase::Streaming {
            self.phase = Phase::Idle;
        }
        if !head.keep_alive {
            self.close(CloseReason::CloseRequested);
        }
        Some(match endpoint {
            Endpoint::Next if head.is_success() => self.invocation(head),
            _ => Event::Reply(Reply::new(endpoint, head.status, head.head_len, &mut self.reader)),
        })
    }

    fn invocation(&mut self, head: &Reading) -> Event {
        let message = match invocation::Message::read(&mut self.reader, head.status, head.head_len) {
            Ok(message) => message,
            Err(none) => return Event::NoInvocation(none),
        };
        if self.has_holder() {
            // The caller kept the void handle of an earlier stream.
            self.identity = Arc::new(());
        }
        message.request_id().clone_into(&mut self.request_id);
        self.invocation_id = message.invocation_id().and_then(|id| http::HeaderValue::from_bytes(id).ok());
        self.phase = Phase::InHand;
        let token = InvocationToken { identity: Arc::clone(&self.identity) };
        Event::Invocation(Invocation::new(token, message))
    }

    /// Whether the token or stream handle of the last invocation still exists.
    fn has_holder(&self) -> bool {
        Arc::strong_count(&self.identity) > 1
    }

    fn close(&mut self, reason: CloseReason) {
        self.closed.get_or_insert(reason);
    }

    /// Room for the transport to read into; never empty. Report with [`filled`](Self::filled) how much was read.
    ///
    /// A long event's bytes land in its own allocation this way, without a copy.
    pub fn space(&mut self) -> &mut [u8] {
        self.reader.space()
    }

    /// `n` bytes were read into [`space`](Self::space). Ask [`poll_output`](Self::poll_output) before reading again.
    pub fn filled(&mut self, n: usize) {
        self.reader.filled(n);
    }

    /// These bytes were received: [`space`](Self::space) and [`filled`](Self::filled) in one, for bytes that lie
    /// elsewhere.
    pub fn receive(&mut self, bytes: &[u8]) {
        self.reader.receive(bytes);
    }

    /// The first `n` bytes of the slices handed out last were written.
    pub fn sent(&mut self, mut n: usize) {
        for request in &mut self.outstanding {
            n = request.outgoing.advance(n);
            if n == 0 {
                return;
            }
        }
    }

    /// The API closed its sending half: no byte will come.
    pub fn end_of_input(&mut self) {
        self.reader.end_of_input();
    }

    /// Writing failed. What the API sent before may still be read: it may say why.
    pub fn end_of_output(&mut self) {
        self.output_ended = true;
        if self.outstanding.is_empty() {
            self.close(CloseReason::TransportFailed);
        }
    }

    /// The transport failed in both directions.
    pub fn disconnected(&mut self) {
        self.close(CloseReason::TransportFailed);
    }

    /// A new connection is open. Every outstanding request that [can be](Outstanding::can_be_resent) is sent on it
    /// again, from its first byte.
    pub fn reset(&mut self) {
        self.reader.reset();
        self.reading = None;
        self.early = None;
        self.closed = None;
        self.output_ended = false;
        let before = self.outstanding.len();
        self.outstanding.retain_mut(|request| request.outgoing.rewind());
        if self.outstanding.len() < before {
            self.torn = true;
            if self.phase == Phase::Streaming {
                self.phase = Phase::Idle;
            }
        }
    }

    /// The requests that the API has not answered, oldest first.
    pub fn outstanding(&self) -> impl Iterator<Item = Outstanding> {
        self.outstanding
            .iter()
            .map(|request| Outstanding { endpoint: request.endpoint, can_be_resent: request.outgoing.can_rewind() })
    }

    /// The id of the invocation that was handed out last, empty before the first: for messages about it.
    pub fn request_id(&self) -> &str {
        &self.request_id
    }

    /// Bytes of response chunks that wait to be written, framing included. Give no more [chunks](Self::chunk) while
    /// this is high.
    pub fn queued(&self) -> usize {
        self.outstanding.iter().map(|request| request.outgoing.queued()).sum()
    }

    /// An answer to the invocation last handed out is under way and not yet acknowledged.
    pub fn awaits_acknowledgement(&self) -> bool {
        self.outstanding.iter().any(|request| request.endpoint.posts_outcome())
    }

    fn request(&mut self, endpoint: Endpoint, outgoing: Outgoing) {
        self.outstanding.push_back(Request { endpoint, outgoing });
    }

    fn state(&self) -> &'static str {
        match self.phase {
            Phase::Init if self.outstanding.is_empty() => "nothing was asked of the API yet",
            Phase::InHand => "an invocation is in hand and not answered",
            Phase::Streaming => "a response is being streamed",
            _ if self.awaits_acknowledgement() => "the API has not acknowledged the last answer",
            _ if self.outstanding.is_empty() => "no invocation is in hand",
            _ => "the API has not answered the last request",
        }
    }

    fn wrong_state(&self) -> Misuse {
        Misuse::WrongState(self.state())
    }

    fn head_storage(&mut self) -> Vec<u8> {
        let mut head = self.spare_heads.pop().unwrap_or_default();
        head.clear();
        head
    }
}
