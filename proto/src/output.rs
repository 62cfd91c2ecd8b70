//! The output of both machines.

use std::fmt;

use crate::{PeerError, Slices};

/// The next step, returned by [`Client::poll_output`](crate::client::Client::poll_output) and
/// [`Server::poll_output`](crate::server::Server::poll_output).
#[must_use = "the machine does not continue until the driver has done this"]
#[derive(Debug)]
pub enum Output<'a, E> {
    /// Write some of these slices, in order, and report with `sent` how much. While the socket is not writable, read: the
    /// peer may reply before it has read everything.
    Transmit(Slices<'a>),
    /// Handle this event.
    Event(E),
    /// Read into `space`.
    Receive,
    /// No reply is outstanding; issue a command. Reading is possible, and necessary to notice that the peer closes the
    /// connection.
    Idle,
    /// The connection is over. Drop it.
    Closed(CloseReason),
}

/// Why a connection is over.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseReason {
    /// The peer closed it between two messages.
    ClosedByPeer,
    /// The last message contained `Connection: close`, was an HTTP/1.0 message, or was a reply without a length.
    CloseRequested,
    /// A request was refused before it was sent completely. The API would take its rest for the next request.
    RepliedEarly,
    /// The peer replied `408 Request Timeout`, which ends the connection.
    RequestTimeout,
    /// The driver reported that the socket failed.
    TransportFailed,
    /// The caller closed it before a message was complete.
    Aborted,
    /// An event exceeds this [`Limits::body`](crate::Limits::body). The rest of it was not read.
    EventTooLarge(u64),
    /// The body of an acknowledgement or refusal exceeds this [`Limits::reply_body`](crate::Limits::reply_body). The rest
    /// of it was not read; an event reported the reply.
    ReplyBodyTooLarge(u64),
    /// The peer violated the protocol.
    Peer(PeerError),
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CloseReason::ClosedByPeer => f.write_str("closed by the peer"),
            CloseReason::CloseRequested => f.write_str("closed as the last message requested"),
            CloseReason::RepliedEarly => f.write_str("refused before the request was sent completely"),
            CloseReason::RequestTimeout => f.write_str("closed by the peer with 408 Request Timeout"),
            CloseReason::TransportFailed => f.write_str("the transport failed"),
            CloseReason::Aborted => f.write_str("closed before a message was complete"),
            CloseReason::EventTooLarge(limit) => {
                write!(f, "closed in an event of more than {limit} bytes (Limits::body)")
            }
            CloseReason::ReplyBodyTooLarge(limit) => {
                write!(f, "closed in a reply of more than {limit} bytes (Limits::reply_body)")
            }
            CloseReason::Peer(error) => error.fmt(f),
        }
    }
}
