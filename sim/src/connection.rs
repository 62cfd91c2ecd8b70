//! The state of a connection.

use std::collections::VecDeque;
use std::io;
use std::task::Waker;

/// One end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Function,
    Api,
}

/// How a connection is cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Both directions fail. `true`: bytes that arrived before are lost, too.
    Reset(bool),
    /// The API closes the socket: the function reads the end, and fails to write.
    Close,
    /// The API closes its sending half, and continues to read.
    HalfClose,
}

/// The end of a direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The sender closed it.
    Fin,
    /// The connection was reset.
    Reset,
}

/// The bytes toward one side.
#[derive(Debug, Default)]
pub struct Direction {
    pub in_flight: VecDeque<u8>,
    pub arrived: VecDeque<u8>,
    /// Bytes written so far.
    pub written: u64,
    /// Bytes that have arrived so far.
    pub delivered: u64,
    /// Bytes read so far.
    pub read: u64,
    /// Whether an arrival is on the agenda.
    pub scheduled: bool,
    /// The end that follows the bytes in flight.
    pub closing: Option<End>,
    /// The end that has arrived.
    pub ended: Option<End>,
    /// The fault that happens once this many bytes have arrived.
    pub cut: Option<(u64, Cut)>,
    pub reader: Option<Waker>,
    pub writer: Option<Waker>,
}

/// The state of an attempt to connect.
#[derive(Debug)]
pub enum Attempt {
    Pending(Option<Waker>),
    Failed(io::ErrorKind),
    Connected,
}

#[derive(Debug)]
pub struct Connection {
    pub attempt: Attempt,
    pub will_fail: Option<io::ErrorKind>,
    pub to_api: Direction,
    pub to_function: Direction,
    /// Bytes that the API has written and the network has not accepted.
    pub outbox: VecDeque<u8>,
    /// Whether the API closes the connection after the outbox is written.
    pub closes: bool,
    /// Whether the API has closed its socket.
    pub api_closed: bool,
    /// Whether the function has closed its socket.
    pub function_closed: bool,
    /// Whether the API has stopped reading.
    pub paused: bool,
    /// Whether the function has a reason to leave the connection.
    pub excused: bool,
    /// Whether the function must leave the connection: it does not survive a snapshot, or a limit was exceeded.
    pub must_end: bool,
    /// Whether bytes arrive a few at a time.
    pub dribbles: bool,
    /// The invocation whose event is being written, and the offset at which its bytes end.
    pub event: Option<(u64, u64)>,
    /// The invocation whose outcome was written last, until its reply is read.
    pub posting: Option<u64>,
    /// The reply to an outcome that is being written.
    pub reply: Option<ReplyHead>,
}

/// The head of a reply to an outcome.
#[derive(Debug, Clone, Copy)]
pub struct ReplyHead {
    pub number: u64,
    /// The offset of its end in the bytes of the connection.
    pub end: u64,
    pub refuses: bool,
}

impl Direction {
    pub fn room(&self, capacity: usize) -> usize {
        capacity.saturating_sub(self.in_flight.len() + self.arrived.len())
    }
}

impl Connection {
    pub fn new() -> Self {
        Self {
            attempt: Attempt::Pending(None),
            will_fail: None,
            to_api: Direction::default(),
            to_function: Direction::default(),
            outbox: VecDeque::new(),
            closes: false,
            api_closed: false,
            function_closed: false,
            paused: false,
            excused: false,
            must_end: false,
            dribbles: false,
            event: None,
            posting: None,
            reply: None,
        }
    }

    pub fn toward_mut(&mut self, side: Side) -> &mut Direction {
        match side {
            Side::Function => &mut self.to_function,
            Side::Api => &mut self.to_api,
        }
    }

    /// The number of bytes that the API has sent so far, if only into its outbox.
    pub fn sent_by_api(&self) -> u64 {
        self.to_function.written + self.outbox.len() as u64
    }
}

/// Wakers to be woken once the kernel is unlocked: waking runs foreign code.
pub type Wakers = Vec<Waker>;
