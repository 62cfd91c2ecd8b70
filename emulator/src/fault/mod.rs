//! What the Runtime API does wrong, for tests of how a runtime takes it.
//!
//! A [`Fault`] says to which request or connection something happens, and what. The emulator's
//! [`Builder::faults`](crate::Builder::faults) takes any number of them, and so does the command, as text:
//!
//! ```
//! use std::time::Duration;
//! use lambda_runtime_emulator::Endpoint;
//! use lambda_runtime_emulator::fault::{Break, Effect, Fault, Side, Target};
//!
//! let fault: Fault = "response 1: reset at 100 of the request".parse()?;
//! assert_eq!(fault.target, Target::Request(Endpoint::Response, Some(1)));
//! assert_eq!(fault.effect, Effect::Break { how: Break::Reset, at: 100, of: Side::Request });
//!
//! let slow: Fault = "response: dribble 1024 every 10ms".parse()?;
//! let how = Break::Dribble { bytes: 1024, every: Duration::from_millis(10) };
//! assert_eq!(slow.effect, Effect::Break { how, at: 0, of: Side::Request });
//! # Ok::<(), lambda_runtime_emulator::fault::ParseError>(())
//! ```
//!
//! # The text
//!
//! ```text
//! FAULT   = TARGET [N] ":" EFFECT                          without N: each of them
//! TARGET  = "next" | "response" | "error" | "init-error" | "restore-next" | "restore-error"
//!         | "register" | "extension-next" | "connection"
//! EFFECT  = BREAK ["at" BYTE] ["of" ["the"] ("request" | "reply")]
//!         | "delay" TIME                                   the same as stall TIME at 0 of the reply
//!         | "reply" STATUS ["at" BYTE] ["(" NAME ":" VALUE { ";" NAME ":" VALUE } ")"] [BODY]
//! BREAK   = "close" | "reset" | "half-close" | "stall" [TIME] | "dribble" [BYTES] ["every" TIME]
//!         | "garble" [BYTES]
//! TIME    = 1.5s | 20ms | 300us
//! ```
//!
//! - Without `at`, a break happens at byte 0. Without `of`, the bytes are those of the side that carries the payload: of
//!   the request for what is POSTed, otherwise of the reply.
//! - `reply` with `at` is early: it is sent when so many bytes of the request's body have come, and what is left of
//!   the body is not read. Without, it takes the place of the API's own reply.
//! - A body is JSON unless a `Content-Type` says otherwise.

mod text;

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, header};
use lambda_runtime_proto::Endpoint;
use lambda_runtime_proto::server::Reply;

pub use text::ParseError;

/// Something that the Runtime API does wrong. It has a [text form](self#the-text).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// To which request or connection.
    pub target: Target,
    /// What.
    pub effect: Effect,
}

/// What a fault happens to. Requests and connections are counted from 1; `None` is each of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// A request to this endpoint; requests to others do not count.
    Request(Endpoint, Option<u64>),
    /// A connection to the Runtime API, and every request on it.
    Connection(Option<u64>),
}

/// What happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// The connection breaks, or its bytes do.
    Break {
        /// In this way.
        how: Break,
        /// When so many bytes have passed: 0 is before the first. Where fewer pass, nothing happens.
        at: u64,
        /// On this side.
        of: Side,
    },
    /// This is the reply instead of the API's own. A request that waits for something does not wait; any other is
    /// carried out as always, so that the caller of the function has a response whose acknowledgement is replaced.
    Reply(CannedReply),
    /// This is the reply as soon as some of the request's body has come, and the connection closes. A response to an
    /// invocation is torn.
    EarlyReply {
        /// So many bytes of the body.
        at: u64,
        /// What is replyed.
        reply: CannedReply,
    },
}

/// Which bytes are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// What the emulator reads: a request's body, without what frames its chunks; of a connection, all bytes.
    Request,
    /// What the emulator writes: an reply from the first byte of its head, or all bytes of a connection.
    Reply,
}

/// How a connection breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Break {
    /// It is closed.
    Close,
    /// It is reset.
    Reset,
    /// The emulator's half of it is closed; what still comes is read and dropped.
    HalfClose,
    /// Nothing is read or written for this time, or for as long as the connection lasts.
    Stall(Option<Duration>),
    /// From there on it goes in small pieces: the emulator writes slowly, or on the side of the request it reads slowly.
    Dribble {
        /// The size of a piece.
        bytes: usize,
        /// The pause before each.
        every: Duration,
    },
    /// All bits of so many bytes are flipped.
    Garble {
        /// So many.
        bytes: u64,
    },
}

/// An reply in place of the API's.
///
/// `Content-Length` is added: one among the headers makes the reply malformed. `Connection: close` does what it says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CannedReply {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The body.
    pub body: Bytes,
}

impl Fault {
    /// The reply that it gives to a request, unless that is an early one.
    pub(crate) fn canned_reply(&self) -> Option<&CannedReply> {
        match &self.effect {
            Effect::Reply(reply) => Some(reply),
            _ => None,
        }
    }

    /// The reply that it gives to a request of whose body so many bytes have come.
    pub(crate) fn early_reply(&self, received: u64) -> Option<&CannedReply> {
        match &self.effect {
            Effect::EarlyReply { at, reply } if *at <= received => Some(reply),
            _ => None,
        }
    }
}

impl Target {
    pub(crate) fn is_request(&self, endpoint: Endpoint, number: u64) -> bool {
        matches!(self, Self::Request(of, which) if *of == endpoint && which.is_none_or(|which| which == number))
    }

    pub(crate) fn is_connection(&self, number: u64) -> bool {
        matches!(self, Self::Connection(which) if which.is_none_or(|which| which == number))
    }
}

impl CannedReply {
    pub(crate) fn reply(&self) -> Reply {
        self.headers.iter().fold(Reply::new(self.status).body(self.body.clone()), |reply, (name, value)| {
            match name == header::CONNECTION && value.as_bytes().eq_ignore_ascii_case(b"close") {
                true => reply.close(),
                false => reply.header(name.as_str().to_owned(), value.clone()),
            }
        })
    }
}
