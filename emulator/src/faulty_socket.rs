//! A socket with faults at chosen bytes.

use std::io::{self, IoSlice, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};

use crate::api::Api;
use crate::fault::{Break, Effect, Fault, Side, Target};
use crate::traffic::{Sender, Traffic};

/// Reads and writes a socket. Once a fault has ended the connection, reads and writes fail.
pub(crate) struct FaultySocket<'a> {
    api: &'a Api,
    socket: &'a TcpStream,
    /// The number of the connection, if it is recorded.
    number: Option<u64>,
    armed: Vec<Armed<'a>>,
    /// The fault that has ended the connection. A stall counts if the connection ended before it did.
    ended_by: Option<Break>,
}

/// A fault that happens when a number of bytes have passed.
struct Armed<'a> {
    fault: &'a Fault,
    how: Break,
    counter: Counter,
    at: u64,
    passed: u64,
    happened: bool,
}

/// The bytes that a fault counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Counter {
    /// Bytes read from the socket.
    Read,
    /// Bytes of the current request's body. Its start is known only after its head has been decoded.
    Body,
    /// Bytes written to the socket.
    Written,
}

impl<'a> FaultySocket<'a> {
    pub(crate) fn new(api: &'a Api, socket: &'a TcpStream) -> Self {
        Self { api, socket, number: None, armed: Vec::new(), ended_by: None }
    }

    /// Starts to record the connection, under this number.
    pub(crate) fn record(&mut self, number: u64) {
        self.number = Some(number);
    }

    fn traffic(&self, sender: Sender, bytes: &[u8]) {
        if let Some(connection) = self.number {
            self.api.record(&Traffic { connection, sender, bytes });
        }
    }

    /// Adds faults, and removes those of the previous request.
    pub(crate) fn arm(&mut self, faults: &[&'a Fault]) {
        self.armed.retain(|armed| matches!(armed.fault.target, Target::Connection(_)));
        self.armed.extend(faults.iter().filter_map(|fault| Armed::new(fault)));
    }

    /// Ends the connection if a fault prescribes it; returns whether to read on. Call it after the state of the API was
    /// updated, because the peer sends its next request once it notices the end.
    pub(crate) fn end(&self) -> Option<bool> {
        let how = self.ended_by?;
        // If this fails, the connection has ended already.
        let _ = match how {
            // Dropping the socket does the rest.
            Break::Reset => socket2::SockRef::from(self.socket).set_linger(Some(Duration::ZERO)),
            // The end is sent first, even if unread bytes then turn the close into a reset.
            _ => self.socket.shutdown(Shutdown::Write),
        };
        Some(how == Break::HalfClose)
    }

    pub(crate) fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        self.end_of_body()?;
        self.reach(Counter::Read)?;
        // A body that is read slowly must remain in the socket.
        let room = self.room(Counter::Read).min(self.room(Counter::Body)).min(space.len());
        let space = space.get_mut(..room).unwrap_or_default();
        let n = (&*self.socket).read(space)?;
        self.traffic(Sender::Runtime, space.get(..n).unwrap_or_default());
        self.pass(Counter::Read, space.get_mut(..n).unwrap_or_default());
        Ok(n)
    }

    pub(crate) fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        // Limits what is copied for each write of a long reply.
        const MAX: usize = 64 * 1024;
        self.reach(Counter::Written)?;
        if self.armed.iter().all(|armed| armed.counter != Counter::Written) {
            let written = (&*self.socket).write_vectored(slices)?;
            let mut left = written;
            for slice in slices {
                let sent = left.min(slice.len());
                self.traffic(Sender::Api, slice.get(..sent).unwrap_or_default());
                left -= sent;
            }
            return Ok(written);
        }
        let room = self.room(Counter::Written).min(MAX);
        let mut piece: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).take(room).collect();
        self.garble(Counter::Written, &mut piece);
        let n = (&*self.socket).write(&piece)?;
        self.traffic(Sender::Api, piece.get(..n).unwrap_or_default());
        self.advance(Counter::Written, n);
        // No byte follows the last byte of a reply, so a fault at that position happens now.
        self.happen(|armed| armed.counter == Counter::Written && !armed.changes_bytes());
        Ok(n)
    }

    /// Splits off the part of a request's body that precedes the next fault.
    pub(crate) fn body(&mut self, data: &mut Bytes) -> io::Result<Bytes> {
        self.reach(Counter::Body)?;
        let piece = data.split_to(self.room(Counter::Body).min(data.len()));
        if self.armed.is_empty() {
            return Ok(piece);
        }
        let mut piece = BytesMut::from(piece);
        self.pass(Counter::Body, &mut piece);
        Ok(piece.freeze())
    }

    /// Executes the faults that are due at the end of a request's body, or of the part that has arrived.
    pub(crate) fn end_of_body(&mut self) -> io::Result<()> {
        self.happen(|armed| armed.counter == Counter::Body && !armed.changes_bytes());
        self.check()
    }

    /// Executes the faults before the next byte.
    fn reach(&mut self, counter: Counter) -> io::Result<()> {
        self.happen(|armed| armed.counter == counter);
        let dribbling = self.armed.iter().filter(|armed| armed.counter == counter && armed.happened);
        let pause = dribbling.filter_map(|armed| match armed.how {
            Break::Dribble { every, .. } if !every.is_zero() => Some(every),
            _ => None,
        });
        if let Some(pause) = pause.max()
            && !self.api.pause(self.socket, Some(pause))
        {
            self.ended_by = Some(Break::Stall(None));
        }
        self.check()
    }

    fn check(&self) -> io::Result<()> {
        self.ended_by.map_or(Ok(()), |_| Err(io::ErrorKind::BrokenPipe.into()))
    }

    fn happen(&mut self, which: impl Fn(&Armed<'_>) -> bool) {
        let due = |armed: &&mut Armed<'_>| !armed.happened && armed.passed == armed.at && which(armed);
        for armed in self.armed.iter_mut().filter(due) {
            if self.ended_by.is_some() {
                return;
            }
            armed.happened = true;
            self.api.fault_happens(armed.fault);
            let ends = match armed.how {
                Break::Garble { .. } | Break::Dribble { .. } => false,
                Break::Stall(limit) => !self.api.pause(self.socket, limit),
                Break::Close | Break::Reset | Break::HalfClose => true,
            };
            self.ended_by = ends.then_some(armed.how);
        }
    }

    /// The number of bytes that may pass before the next fault; at least one.
    fn room(&self, counter: Counter) -> usize {
        let rooms = self.armed.iter().filter(|armed| armed.counter == counter).filter_map(Armed::room);
        rooms.min().unwrap_or(usize::MAX).max(1)
    }

    fn pass(&mut self, counter: Counter, bytes: &mut [u8]) {
        self.garble(counter, bytes);
        self.advance(counter, bytes.len());
    }

    fn advance(&mut self, counter: Counter, n: usize) {
        let n = u64::try_from(n).unwrap_or(u64::MAX);
        for armed in self.armed.iter_mut().filter(|armed| armed.counter == counter) {
            armed.passed = armed.passed.saturating_add(n);
        }
    }

    fn garble(&self, counter: Counter, bytes: &mut [u8]) {
        for armed in self.armed.iter().filter(|armed| armed.counter == counter) {
            let Break::Garble { bytes: n } = armed.how else { continue };
            let garbled = armed.at..armed.at.saturating_add(n);
            for (byte, _) in bytes.iter_mut().zip(armed.passed..).filter(|(_, at)| garbled.contains(at)) {
                *byte = !*byte;
            }
        }
    }
}

impl<'a> Armed<'a> {
    fn new(fault: &'a Fault) -> Option<Self> {
        let Effect::Break { how, at, of } = fault.effect else { return None };
        let counter = match (of, fault.target) {
            (Side::Reply, _) => Counter::Written,
            (Side::Request, Target::Connection(_)) => Counter::Read,
            (Side::Request, Target::Request(..)) => Counter::Body,
        };
        Some(Self { fault, how, counter, at, passed: 0, happened: false })
    }

    /// Whether the fault affects bytes, instead of happening between them.
    fn changes_bytes(&self) -> bool {
        matches!(self.how, Break::Garble { .. } | Break::Dribble { .. })
    }

    fn room(&self) -> Option<usize> {
        match self.how {
            Break::Dribble { bytes, .. } if self.happened => Some(bytes),
            _ if self.happened => None,
            _ => usize::try_from(self.at.saturating_sub(self.passed)).ok(),
        }
    }
}

impl Api {
    /// Sleeps until the time has passed or the connection has ended. Returns whether the connection is still open.
    fn pause(&self, socket: &TcpStream, limit: Option<Duration>) -> bool {
        /// Interval between checks of the connection.
        const CHECK: Duration = Duration::from_millis(50);
        let until = limit.and_then(|limit| Instant::now().checked_add(limit));
        loop {
            let left = until.map_or(CHECK, |until| until.saturating_duration_since(Instant::now()));
            thread::sleep(left.min(CHECK));
            if until.is_some_and(|until| until <= Instant::now()) {
                return true;
            }
            if self.is_stopped() || !is_alive(socket) {
                return false;
            }
        }
    }
}

/// Whether the peer has kept the connection open, as far as this can be known without writing. Bytes that it sent
/// remain unread.
pub(crate) fn is_alive(socket: &TcpStream) -> bool {
    if socket.set_nonblocking(true).is_err() {
        return false;
    }
    let peeked = socket.peek(&mut [0]);
    let blocking = socket.set_nonblocking(false).is_ok();
    blocking
        && match peeked {
            Ok(n) => n > 0,
            Err(error) => matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted),
        }
}
