//! What a machine wants done next: one answer, for both sides.

use std::fmt;

use crate::{PeerError, Slices};

/// What [`Client::poll_output`](crate::client::Client::poll_output) or
/// [`Server::poll_output`](crate::server::Server::poll_output) wants done.
#[must_use = "the machine waits until the driver has done what this says"]
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "it is taken apart where it is returned, and boxing would allocate")]
pub enum Output<'a, E> {
    /// Write some of these slices, in order, and report with `sent` how much. When the socket takes nothing now, read
    /// instead: the peer may answer before it has read everything.
    Transmit(Slices<'a>),
    /// Something happened.
    Event(E),
    /// Nothing to do until the peer sends something: read into `space`.
    Receive,
    /// Nothing is owed by the peer: it is the caller's turn to give a command. Reading is possible, and shows when the
    /// peer closes the connection.
    Idle,
    /// The connection is over, for this reason. Drop it.
    Closed(CloseReason),
}

/// Why a connection is over.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseReason {
    /// The peer closed it between two messages.
    ClosedByPeer,
    /// The last message said `Connection: close`, or was of HTTP/1.0.
    CloseRequested,
    /// A request was refused before it was sent whole, so the rest of it has no place.
    RepliedEarly,
    /// The peer replied 408 Request Timeout: it has given up an idle connection.
    RequestTimeout,
    /// The driver reported that the socket failed.
    TransportFailed,
    /// The caller cut a message short.
    Aborted,
    /// An event is longer than [`Limits::body`](crate::Limits::body), whose value this is; the rest of it was not read.
    EventTooLarge(u64),
    /// The body of a reply is longer than [`Limits::reply_body`](crate::Limits::reply_body), whose value this is; the
    /// rest of it was not read. The reply itself was handed out.
    ReplyBodyTooLarge(u64),
    /// The peer broke the protocol.
    Peer(PeerError),
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CloseReason::ClosedByPeer => f.write_str("closed by the peer"),
            CloseReason::CloseRequested => f.write_str("the last message asked to close it"),
            CloseReason::RepliedEarly => f.write_str("refused before the request was sent whole"),
            CloseReason::RequestTimeout => f.write_str("closed by the peer with 408 Request Timeout"),
            CloseReason::TransportFailed => f.write_str("the transport failed"),
            CloseReason::Aborted => f.write_str("cut short"),
            CloseReason::EventTooLarge(limit) => {
                write!(f, "an event is longer than {limit} bytes (Limits::body); closed without reading the rest")
            }
            CloseReason::ReplyBodyTooLarge(limit) => write!(
                f,
                "the body of a reply is longer than {limit} bytes (Limits::reply_body); closed without reading the rest"
            ),
            CloseReason::Peer(error) => error.fmt(f),
        }
    }
}
