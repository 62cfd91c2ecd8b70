//! The runtime's side of the Runtime API, as a state machine for one connection at a time.
//!
//! ```text
//!     next_invocation() Event::Invocation            respond() fail() finish() abort()
//!   ┌──────┐        ┌─────────┐             ┌─────────┐               ┌─────────────┐
//!   │ Idle ├───────►│ Waiting ├────────────►│ In hand ├──────────────►│ AwaitingAck │
//!   └──────┘        └────┬────┘             └────┬────┘               └──────┬──────┘
//!    ▲  ▲                │ NoInvocation          │ stream()   ▲              │ Event::Reply
//!    │  └────────────────┘ Reply(403, 500)       ▼            │              │
//!    │                                      ┌───────────┐     │              │
//!    │                                      │ Streaming ├─────┘              │
//!    │                                      └───────────┘                    │
//!    └───────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! See [`Client`] for the methods and the order in which to call them.

mod address;
mod command;
mod config;
#[cfg(any(test, feature = "checks"))]
mod digest;
mod head_templates;
mod invocation;
mod receive;
mod reply;

use std::sync::Arc;

use self::receive::Reading;
use crate::http1::{Outgoing, Reader, Role, Slices};
use crate::{CloseReason, Endpoint, Misuse, Output};

pub use crate::limits::{MAX_PRELUDE, MAX_TRAILERS};
pub use address::{BasePath, Host, ParseAddressError};
pub use command::{Failure, Response, StreamHead};
pub use config::Config;
pub use invocation::{Invocation, InvocationToken, NoInvocation, ResponseStream};
pub use reply::{Reply, ReplyKind};

/// The runtime's side of one connection to the Runtime API.
///
/// It does no I/O. A driver owns the socket. It calls [`poll_output`](Self::poll_output) in a loop, handles each
/// [`Output`], and between two calls passes input from the socket and commands from the handler.
///
/// | | methods |
/// |---|---|
/// | inputs | [`space`](Self::space) and [`filled`](Self::filled), or [`receive`](Self::receive); [`sent`](Self::sent); [`end_of_input`](Self::end_of_input), [`end_of_output`](Self::end_of_output), [`disconnected`](Self::disconnected), [`reset`](Self::reset) |
/// | output | [`poll_output`](Self::poll_output) |
/// | commands | [`next_invocation`](Self::next_invocation), [`respond`](Self::respond), [`fail`](Self::fail), [`withdraw`](Self::withdraw), [`abandon`](Self::abandon), [`stream`](Self::stream), [`chunk`](Self::chunk), [`finish`](Self::finish), [`finish_with_trailers`](Self::finish_with_trailers), [`abort`](Self::abort), [`init_error`](Self::init_error), [`restore_next`](Self::restore_next), [`restore_error`](Self::restore_error), [`register_extension`](Self::register_extension), [`next_extension_event`](Self::next_extension_event), [`metadata`](Self::metadata) |
/// | getters | [`queued`](Self::queued), [`request_id`](Self::request_id), [`outstanding`](Self::outstanding), [`awaits_acknowledgement`](Self::awaits_acknowledgement), [`is_draining`](Self::is_draining) |
///
/// Every call of `poll_output` makes progress: it consumes input, produces output, requests input, or reports that the
/// connection is over.
#[derive(Debug)]
pub struct Client {
    reader: Reader,
    heads: head_templates::HeadTemplates,
    pipelining: bool,
    phase: Phase,
    /// The requests without a reply, oldest first, and their unwritten bytes. Two at most.
    outstanding: Vec<Request>,
    /// The reply that is being received.
    reading: Option<Reading>,
    /// The reply to the oldest request, received before that request was sent completely. Becomes an event once it is.
    ready: Option<Reading>,
    /// [`Limits::reply_body`](crate::Limits::reply_body).
    reply_body: u64,
    /// Identifies the invocation in hand: its token, or the handle of its stream, holds the only other reference.
    identity: Arc<()>,
    request_id: String,
    /// The value of `Lambda-Runtime-Invocation-Id`, if the API sent it. The outcome repeats it.
    invocation_id: Option<http::HeaderValue>,
    /// Nothing more can be written on this connection.
    output_ended: bool,
    /// The connection is over.
    closed: Option<CloseReason>,
    /// The event that the end of a connection caused. It precedes every other output.
    pending: Option<Box<Event>>,
    spare_heads: Vec<Vec<u8>>,
}

/// The state of the lifecycle, apart from [`Client::outstanding`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Before the first /next: a failed start-up can be reported.
    Init,
    /// The caller has no invocation.
    Idle,
    /// The caller has the token of an invocation.
    InHand,
    /// The caller has the handle of a response stream.
    Streaming,
}

#[derive(Debug)]
struct Request {
    endpoint: Endpoint,
    outgoing: Outgoing,
}

impl Request {
    fn is_sent(&self) -> bool {
        self.outgoing.is_sent()
    }

    /// Whether an acknowledgement counts although the rest of the request cannot be sent. It does for a buffered outcome,
    /// and not for a stream, which would stay truncated.
    fn is_settled_by_acceptance(&self) -> bool {
        self.is_sent() || self.outgoing.can_rewind()
    }
}

/// An event for the driver.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// An invocation arrived. Post its outcome with its token.
    Invocation(Invocation),
    /// The reply to /next contains no invocation. Repeat the request after a delay.
    NoInvocation(NoInvocation),
    /// The API replied to a request other than /next, or refused /next.
    ///
    /// The acknowledgement of an outcome is reported as soon as its head has arrived; see
    /// [`is_draining`](Client::is_draining).
    Reply(Reply),
    /// An invocation arrived whose event is larger than [`Limits::body`](crate::Limits::body). [`fail`](Client::fail) it
    /// with its token. The rest of the event is not read; the connection closes.
    #[non_exhaustive]
    EventTooLarge {
        /// The invocation, with an empty body.
        invocation: Invocation,
        /// The size of the event in bytes, if the API announced it.
        length: Option<u64>,
        /// The limit in bytes.
        limit: u64,
    },
    /// A streamed response was lost with its connection after a part of it was sent, so it cannot be resent. The handle
    /// of the stream is void; request the next invocation.
    StreamInterrupted,
}

/// A request without a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outstanding {
    /// The request.
    pub endpoint: Endpoint,
    /// Whether [`reset`](Client::reset) resends it. It does not resend a stream of which a part was written.
    pub can_be_resent: bool,
    /// Whether a part of it was written on this connection.
    pub is_started: bool,
}

impl Client {
    /// Returns a machine for a new connection.
    pub fn new(config: Config) -> Self {
        Self {
            heads: head_templates::HeadTemplates::new(&config),
            pipelining: config.pipelining,
            reader: Reader::new(Role::Response, config.limits.clone()),
            phase: Phase::Init,
            outstanding: Vec::new(),
            reading: None,
            ready: None,
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

    /// Returns what to do next. Do it, then call this again; see [`Output`].
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

    /// Returns the buffer to read into, which is never empty. Report with [`filled`](Self::filled) how much was read.
    ///
    /// A large event is read directly into its own allocation.
    pub fn space(&mut self) -> &mut [u8] {
        self.reader.space()
    }

    /// Reports that `n` bytes were read into [`space`](Self::space). Call [`poll_output`](Self::poll_output) before
    /// reading again.
    pub fn filled(&mut self, n: usize) {
        self.reader.filled(n);
    }

    /// Copies received bytes into the machine, in place of [`space`](Self::space) and [`filled`](Self::filled).
    pub fn receive(&mut self, bytes: &[u8]) {
        self.reader.receive(bytes);
    }

    /// Reports that the first `n` bytes of the slices returned last were written.
    pub fn sent(&mut self, mut n: usize) {
        for request in &mut self.outstanding {
            n = request.outgoing.advance(n);
            if n == 0 {
                return;
            }
        }
    }

    /// Reports that the API closed its sending half.
    pub fn end_of_input(&mut self) {
        self.reader.end_of_input();
    }

    /// Reports that writing failed. Reading continues: the API may have sent a reply before.
    pub fn end_of_output(&mut self) {
        self.output_ended = true;
        if self.outstanding.is_empty() {
            self.close(CloseReason::TransportFailed);
        }
    }

    /// Reports that the transport failed in both directions, or that the driver gave up on it.
    pub fn disconnected(&mut self) {
        self.close(CloseReason::TransportFailed);
    }

    /// Starts over on a new connection. Every outstanding request that [can be](Outstanding::can_be_resent) resent is
    /// sent from its first byte.
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

    /// The requests without a reply, oldest first.
    pub fn outstanding(&self) -> impl Iterator<Item = Outstanding> {
        self.outstanding.iter().map(|request| Outstanding {
            endpoint: request.endpoint,
            can_be_resent: request.outgoing.can_rewind(),
            is_started: request.outgoing.is_started(),
        })
    }

    /// The id of the last invocation, for messages about it. Empty before the first.
    pub fn request_id(&self) -> &str {
        &self.request_id
    }

    /// The number of unwritten bytes of response chunks, framing included. Pause [`chunk`](Self::chunk) while it is high.
    pub fn queued(&self) -> usize {
        self.outstanding.iter().map(|request| request.outgoing.queued()).sum()
    }

    /// Whether the outcome of the last invocation has been posted and is not acknowledged.
    pub fn awaits_acknowledgement(&self) -> bool {
        self.outstanding.iter().any(|request| request.endpoint.posts_outcome())
    }

    fn request(&mut self, endpoint: Endpoint, outgoing: Outgoing) {
        self.outstanding.push(Request { endpoint, outgoing });
    }

    fn state(&self) -> &'static str {
        match self.phase {
            Phase::InHand => "an invocation is in hand and has no outcome",
            Phase::Streaming => "a response is being streamed",
            _ if self.awaits_acknowledgement() => "the last outcome is not acknowledged",
            _ if self.outstanding.is_empty() => "no invocation is in hand",
            _ => "the last request has no reply",
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
