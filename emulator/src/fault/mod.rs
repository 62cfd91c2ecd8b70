//! Faults of the Runtime API, to test how a runtime handles them.
//!
//! A [`Fault`] has a target, which is a request or a connection, and an effect.
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
//! - Without `at`, a break happens at byte 0. Without `of`, it counts the bytes of the side that carries the payload: the
//!   request for a POST, and otherwise the reply.
//! - `reply` with `at` is early: it is sent once this many bytes of the request's body have arrived, and the rest of the
//!   body is not read. Without `at`, it replaces the reply of the API.
//! - A body is JSON unless a `Content-Type` is given.

mod text;

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, header};
use lambda_runtime_proto::Endpoint;
use lambda_runtime_proto::server::Reply;

pub use text::ParseError;

/// A fault of the Runtime API. It has a [text form](self#the-text).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The request or connection.
    pub target: Target,
    /// The effect on it.
    pub effect: Effect,
}

/// The request or connection that a fault affects: its number, counted from 1, or `None` for each of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// A request to this endpoint. Requests to other endpoints are not counted.
    Request(Endpoint, Option<u64>),
    /// A connection to the Runtime API, and every request on it.
    Connection(Option<u64>),
}

/// The effect of a fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// The connection or its bytes break.
    Break {
        /// The way in which they break.
        how: Break,
        /// After this many bytes: 0 is before the first. If fewer bytes pass, nothing happens.
        at: u64,
        /// The bytes that are counted.
        of: Side,
    },
    /// The reply is replaced. Requests that would wait are not executed. All others are: the caller of the function gets a
    /// response even though its acknowledgement is replaced.
    Reply(CannedReply),
    /// The reply is sent before the end of the request's body, and the connection is closed. A response to an invocation
    /// is truncated.
    EarlyReply {
        /// After this many bytes of the body.
        at: u64,
        /// The reply.
        reply: CannedReply,
    },
}

/// The bytes that a fault counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Bytes that the emulator reads: a request's body without the framing of its chunks; for a connection, all bytes.
    Request,
    /// Bytes that the emulator writes: a reply from the first byte of its head; for a connection, all bytes.
    Reply,
}

/// How a connection or its bytes break.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Break {
    /// The connection is closed.
    Close,
    /// The connection is reset.
    Reset,
    /// The emulator's half of the connection is closed, and data that still arrives is discarded.
    HalfClose,
    /// Nothing is read or written for this time or, without one, until the connection ends.
    Stall(Option<Duration>),
    /// The rest of the data is transferred slowly, in small pieces.
    Dribble {
        /// The size of a piece.
        bytes: usize,
        /// The pause before each piece.
        every: Duration,
    },
    /// All bits of some bytes are flipped.
    Garble {
        /// The number of bytes.
        bytes: u64,
    },
}

/// A reply that replaces the API's.
///
/// `Content-Length` is added: one among the headers makes the reply malformed. `Connection: close` closes the connection.
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
    /// The reply to a request that is complete.
    pub(crate) fn canned_reply(&self) -> Option<&CannedReply> {
        match &self.effect {
            Effect::Reply(reply) => Some(reply),
            _ => None,
        }
    }

    /// The reply to a request of whose body this many bytes have arrived.
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
                false => reply.header(name.clone(), value.clone()),
            }
        })
    }
}
