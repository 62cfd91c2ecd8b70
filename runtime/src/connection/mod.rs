//! Drives the protocol machine over an executor's sockets, one connection after another.
//!
//! ```text
//!          something to send              delay over             connected
//!   Down ─────────────────────► Pausing ─────────────► Connecting ─────────► Up
//!     ▲                            ▲                        │                │
//!     │                            └──────── failed ────────┘                │
//!     └───────────────────────── closed by either side ──────────────────────┘
//! ```

pub(crate) mod retry;

use std::future::{Future as _, poll_fn};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use lambda_runtime_proto::client::{Client, Config, Event};
use lambda_runtime_proto::{CloseReason, Output, PeerError};

use self::retry::{ATTEMPT_TIMEOUT, GiveUp, RetryState};
use crate::env::address::Address;
use crate::error::RunError;
use crate::executor::{Executor, Transport, timeout};
use crate::logging::messages;

/// Delay before repeating a request that returned nothing.
pub(crate) const REPEAT_DELAY: Duration = Duration::from_millis(100);

/// Time for the rest of a reply whose status is known.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);

/// Time for reporting a failed start-up: the process ends anyway.
const REPORT_TIMEOUT: Duration = Duration::from_secs(2);

/// A protocol machine and its connection, which is replaced when it is lost.
///
/// Issue commands to [`client`](Self::client) between two polls.
pub(crate) struct Connection<X: Executor> {
    executor: X,
    address: Address,
    config: Config,
    pub(crate) client: Client,
    link: Link<X>,
    retry: RetryState,
    /// Whether an outcome was resent before the last event.
    resent: bool,
}

enum Link<X: Executor> {
    Down,
    Pausing(Pin<Box<X::Sleep>>),
    Connecting {
        connect: Pin<Box<X::Connect>>,
        timeout: Pin<Box<X::Sleep>>,
        started: Instant,
    },
    Up {
        transport: X::Transport,
        since: Instant,
        /// Limits the wait for the rest of a reply that is not needed.
        drain: Option<Pin<Box<X::Sleep>>>,
        /// The error of the socket.
        failure: Option<io::Error>,
    },
}

/// A failure to receive an event.
#[derive(Debug)]
pub(crate) enum ConnectionError {
    /// Too many connections were lost while an outcome was being sent; contains the last error. Polling again resends the
    /// outcome unless it is [withdrawn](Client::withdraw).
    SendFailed(String),
    GivenUp(RunError),
}

impl<X: Executor> Connection<X> {
    pub(crate) fn new(executor: X, address: Address, config: Config) -> Self {
        let client = Client::new(config.clone());
        Self { executor, address, config, client, link: Link::Down, retry: RetryState::default(), resent: false }
    }

    /// A new connection to the same API.
    pub(crate) fn sibling(&self) -> Self {
        Self::new(self.executor.clone(), self.address.clone(), self.config.clone())
    }

    pub(crate) fn executor(&self) -> &X {
        &self.executor
    }

    pub(crate) fn sleep(&self, duration: Duration) -> X::Sleep {
        self.executor.sleep(duration)
    }

    /// Whether the outcome to which the last event replies was sent more than once: the API may have accepted it before.
    pub(crate) fn was_resent(&self) -> bool {
        self.resent
    }

    /// Drops the socket; the next request opens another one.
    pub(crate) fn drop_transport(&mut self) {
        self.link = Link::Down;
        self.client.reset();
    }

    /// Sends the queued requests, and waits for a reply for a limited time.
    pub(crate) async fn report(&mut self) {
        let sleep = self.executor.sleep(REPORT_TIMEOUT);
        let _ = timeout(sleep, self.event()).await;
    }

    /// Waits for the next event, while no outcome is outstanding.
    pub(crate) async fn event(&mut self) -> Result<Event, RunError> {
        loop {
            match poll_fn(|cx| self.poll_event(cx)).await {
                Ok(event) => return Ok(event),
                Err(ConnectionError::GivenUp(error)) => return Err(error),
                Err(ConnectionError::SendFailed(_)) => {}
            }
        }
    }

    /// Connects, writes and reads as the machine requests, until it returns an event. Pending while the machine is idle:
    /// issue a command, and poll again.
    pub(crate) fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<Event, ConnectionError>> {
        loop {
            match &mut self.link {
                Link::Up { transport, since, failure, .. } => match self.client.poll_output() {
                    Output::Event(event) => {
                        self.resent = self.retry.has_interrupted_sends();
                        self.retry.succeeded();
                        return Poll::Ready(Ok(event));
                    }
                    Output::Closed(reason) => {
                        let lifetime = self.executor.now().saturating_duration_since(*since);
                        let failure = failure.take();
                        self.closed(reason, failure, lifetime)?;
                    }
                    Output::Transmit(slices) => match transport.poll_write_vectored(cx, &slices) {
                        Poll::Ready(Ok(n)) if n > 0 => self.client.sent(n),
                        // The API has stopped reading. It may have replied before.
                        Poll::Ready(result) => {
                            *failure = Some(result.err().unwrap_or_else(|| io::ErrorKind::WriteZero.into()));
                            self.client.end_of_output();
                        }
                        Poll::Pending => ready!(self.poll_read(cx)),
                    },
                    Output::Idle | Output::Receive => ready!(self.poll_read(cx)),
                },
                Link::Down => match self.client.poll_output() {
                    // A stream that was interrupted is reported before the next connection is made.
                    Output::Event(event) => return Poll::Ready(Ok(event)),
                    // A connection is opened only when there is something to send.
                    Output::Idle => return Poll::Pending,
                    _ => {
                        let delay = self.retry.next_attempt(self.executor.random());
                        let delay = delay.map_err(|given_up| ConnectionError::GivenUp(self.given_up(given_up)))?;
                        // A sleep of zero takes a millisecond on some executors.
                        self.link = match delay {
                            Duration::ZERO => self.connect(),
                            delay => Link::Pausing(Box::pin(self.executor.sleep(delay))),
                        };
                    }
                },
                Link::Pausing(sleep) => {
                    ready!(sleep.as_mut().poll(cx));
                    self.link = self.connect();
                }
                Link::Connecting { connect, timeout, started } => {
                    let connected = match connect.as_mut().poll(cx) {
                        Poll::Ready(connected) => connected,
                        Poll::Pending => {
                            ready!(timeout.as_mut().poll(cx));
                            Err(io::Error::new(io::ErrorKind::TimedOut, "the connection attempt timed out"))
                        }
                    };
                    let now = self.executor.now();
                    self.link = match connected {
                        Ok(transport) => Link::Up { transport, since: now, drain: None, failure: None },
                        Err(error) => {
                            self.retry.attempt_failed(error, now.saturating_duration_since(*started));
                            Link::Down
                        }
                    };
                }
            }
        }
    }

    /// Reads from the socket, with a timeout if only the rest of an unneeded reply is outstanding.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Link::Up { transport, drain, failure, .. } = &mut self.link else { return Poll::Ready(()) };
        match transport.poll_read(cx, self.client.space()) {
            Poll::Ready(Ok(0)) => self.client.end_of_input(),
            Poll::Ready(Ok(n)) => self.client.filled(n),
            Poll::Ready(Err(error)) => {
                *failure = Some(error);
                self.client.disconnected();
            }
            Poll::Pending if self.client.is_draining() => {
                let drain = drain.get_or_insert_with(|| Box::pin(self.executor.sleep(DRAIN_TIMEOUT)));
                ready!(drain.as_mut().poll(cx));
                messages::reply_incomplete(&self.address);
                self.client.disconnected();
            }
            Poll::Pending => {
                *drain = None;
                return Poll::Pending;
            }
        }
        Poll::Ready(())
    }

    fn connect(&self) -> Link<X> {
        Link::Connecting {
            connect: Box::pin(self.executor.connect(self.address.host(), self.address.port())),
            timeout: Box::pin(self.executor.sleep(ATTEMPT_TIMEOUT)),
            started: self.executor.now(),
        }
    }

    fn closed(
        &mut self,
        reason: CloseReason,
        error: Option<io::Error>,
        lifetime: Duration,
    ) -> Result<(), ConnectionError> {
        let resends = self
            .client
            .outstanding()
            .any(|request| request.endpoint.posts_outcome() && request.is_started && request.can_be_resent);
        self.drop_transport();
        let error = match (&reason, error) {
            // As announced by the API, or as expected; no outcome that was sent is without its reply.
            (CloseReason::CloseRequested | CloseReason::RepliedEarly, _) => return Ok(()),
            (CloseReason::TransportFailed, Some(error)) => error,
            (CloseReason::Peer(error), _) => io::Error::new(io::ErrorKind::InvalidData, error.clone()),
            (reason, _) => io::Error::new(io::ErrorKind::ConnectionAborted, reason.to_string()),
        };
        if reason != CloseReason::ClosedByPeer {
            messages::connection_lost(&self.address, self.retry.attempts(), &error);
        }
        let send_failed = resends && !self.retry.send_interrupted();
        let message = if send_failed { error.to_string() } else { String::new() };
        match reason {
            CloseReason::Peer(PeerError::UnexpectedEnd(_) | PeerError::Unsolicited) => {
                self.retry.connection_lost(error, lifetime);
            }
            CloseReason::Peer(_) => self.retry.protocol_violated(error, lifetime),
            _ => self.retry.connection_lost(error, lifetime),
        }
        if send_failed { Err(ConnectionError::SendFailed(message)) } else { Ok(()) }
    }

    fn given_up(&self, given_up: GiveUp) -> RunError {
        let address = self.address.to_string();
        match given_up {
            GiveUp::Unreachable { attempts, last } => RunError::Unreachable { address, attempts, last },
            GiveUp::ProtocolErrors { count, last } => RunError::ProtocolErrors { address, count, last },
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use lambda_runtime_proto::Part;

    use super::*;
    use crate::in_memory::{InMemory, Written};

    /// An API whose first connection accepts no bytes. It refuses what is written to the others.
    fn api() -> InMemory {
        InMemory::new(|connection, _| match connection {
            1 => Written::Nothing,
            _ => Written::All(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"),
        })
    }

    #[test]
    fn an_incomplete_reply_is_a_lost_connection_and_other_violations_are_protocol_errors() {
        let gives_up = |error: PeerError| {
            let mut connection = api().connection();
            (0..10).any(|_| {
                connection.closed(CloseReason::Peer(error.clone()), None, Duration::ZERO).unwrap();
                connection.retry.next_attempt(0).is_err()
            })
        };
        assert!(!gives_up(PeerError::UnexpectedEnd(Part::Head)));
        assert!(!gives_up(PeerError::Unsolicited));
        assert!(gives_up(PeerError::BareLineEnding));
    }

    #[test]
    fn a_connection_is_made_for_a_request_and_replaced_if_it_accepts_no_bytes() {
        let api = api();
        let mut connection = api.connection();
        assert!(connection.event().now_or_never().is_none());
        assert_eq!(api.connections(), 0);

        connection.client.next_invocation().unwrap();
        assert!(matches!(connection.event().now_or_never(), Some(Ok(Event::Reply(_)))));
        assert_eq!(api.connections(), 2);
    }
}
