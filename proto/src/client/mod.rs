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
mod receive;
mod reply;

use std::collections::VecDeque;
use std::sync::Arc;

use self::receive::Reading;
use crate::http1::{Outgoing, Reader, Role, Slices};
use crate::{CloseReason, Endpoint, Misuse, Output};

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
/// | commands | [`next_invocation`](Self::next_invocation), [`respond`](Self::respond), [`fail`](Self::fail), [`withdraw`](Self::withdraw), [`abandon`](Self::abandon), [`stream`](Self::stream), [`chunk`](Self::chunk), [`finish`](Self::finish), [`finish_with_trailers`](Self::finish_with_trailers), [`abort`](Self::abort), [`init_error`](Self::init_error), [`restore_next`](Self::restore_next), [`restore_error`](Self::restore_error), [`register_extension`](Self::register_extension), [`next_extension_event`](Self::next_extension_event) |
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
    /// The reply that is being received.
    reading: Option<Reading>,
    /// The reply that accepted the oldest request before all of that request was sent.
    early: Option<Reading>,
    /// [`Limits::reply_body`](crate::Limits::reply_body).
    reply_body: u64,
    /// Identifies the invocation in hand: its token, or the handle of its stream, holds the only other reference.
    identity: Arc<()>,
    request_id: String,
    /// The value of `Lambda-Runtime-Invocation-Id`, to be echoed, when the API sent it.
    invocation_id: Option<http::HeaderValue>,
    /// Nothing more can be written on this connection.
    output_ended: bool,
    /// The connection is over as soon as its events are handed out.
    closed: Option<CloseReason>,
    /// The event that the end of a connection caused. It precedes all others.
    pending: Option<Box<Event>>,
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

impl Request {
    fn is_sent(&self) -> bool {
        self.outgoing.is_sent()
    }

    /// Whether an early acknowledgement settles the request although not all of it can be sent any more. A stream that
    /// is cut off is incomplete whatever the API says.
    fn is_settled_by_acceptance(&self) -> bool {
        self.is_sent() || self.outgoing.can_rewind()
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
    /// An invocation arrived whose event is longer than [`Limits::body`](crate::Limits::body). Its body is empty; report
    /// the failure with its token. The rest of the event is not read: the connection closes.
    #[non_exhaustive]
    EventTooLarge {
        /// The invocation, without its event.
        invocation: Invocation,
        /// The length of the event, if the API stated it.
        length: Option<u64>,
        /// The limit.
        limit: u64,
    },
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
    /// Parts of it were written on this connection.
    pub is_started: bool,
}

impl Client {
    /// A machine for a connection that has just been opened.
    pub fn new(config: Config) -> Self {
        Self {
            heads: head_templates::HeadTemplates::new(&config),
            pipelining: config.pipelining,
            reader: Reader::new(Role::Response, config.limits.clone()),
            phase: Phase::Init,
            outstanding: VecDeque::new(),
            reading: None,
            early: None,
            reply_body: config.limits.reply_body,
            identity: Arc::new(()),
            request_id: String::new(),
            invocation_id: None,
            output_ended: false,
            closed: None,
            pending: None,
            spare_heads: Vec::new(),
        }
    }

    /// What is to be done next. Call it again after doing it; see [`Output`].
    pub fn poll_output(&mut self) -> Output<'_, Event> {
        self.abort_if_dropped();
        if self.pending.is_none()
            && let Some(event) = self.read()
        {
            return Output::Event(event);
        }
        if let Some(event) = self.pending.take() {
            return Output::Event(*event);
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

    /// Whether the token or stream handle of the last invocation still exists.
    fn has_holder(&self) -> bool {
        Arc::strong_count(&self.identity) > 1
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
        self.close(CloseReason::TransportFailed);
        self.reader.reset();
        self.reading = None;
        self.closed = None;
        self.output_ended = false;
        let before = self.outstanding.len();
        self.outstanding.retain_mut(|request| request.outgoing.rewind());
        if self.outstanding.len() < before {
            self.pending = Some(Box::new(Event::StreamInterrupted));
            if self.phase == Phase::Streaming {
                self.phase = Phase::Idle;
            }
        }
    }

    /// The requests that the API has not answered, oldest first.
    pub fn outstanding(&self) -> impl Iterator<Item = Outstanding> {
        self.outstanding.iter().map(|request| Outstanding {
            endpoint: request.endpoint,
            can_be_resent: request.outgoing.can_rewind(),
            is_started: request.outgoing.is_started(),
        })
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
