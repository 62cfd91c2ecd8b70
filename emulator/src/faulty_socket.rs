//! A socket on which faults happen at chosen bytes.

use std::io::{self, IoSlice, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};

use crate::api::Api;
use crate::fault::{Break, Effect, Fault, Side, Target};

/// Reads and writes a socket. When a fault has ended the connection, whatever is tried on it fails.
pub(crate) struct FaultySocket<'a> {
    api: &'a Api,
    socket: &'a TcpStream,
    armed: Vec<Armed<'a>>,
    /// What has ended the connection. A stall does when it is not over before the connection is.
    ended_by: Option<Break>,
}

/// A fault that happens when enough bytes have passed.
struct Armed<'a> {
    fault: &'a Fault,
    how: Break,
    counter: Counter,
    at: u64,
    passed: u64,
    happened: bool,
}

/// Which bytes are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Counter {
    /// What is read from the socket.
    Read,
    /// The body of the request at hand. Where it begins is known only when its head has been understood.
    Body,
    /// What is written to the socket.
    Written,
}

impl<'a> FaultySocket<'a> {
    pub(crate) fn new(api: &'a Api, socket: &'a TcpStream) -> Self {
        Self { api, socket, armed: Vec::new(), ended_by: None }
    }

    /// From now on these may happen, and what could happen to the request before no longer does.
    pub(crate) fn arm(&mut self, faults: &[&'a Fault]) {
        self.armed.retain(|armed| matches!(armed.fault.target, Target::Connection(_)));
        self.armed.extend(faults.iter().filter_map(|fault| Armed::new(fault)));
    }

    /// Ends the connection as a fault has it, if one does; returns whether what still comes is to be read. The peer
    /// notices no sooner, so that it finds the API in the state that follows.
    pub(crate) fn end(&self) -> Option<bool> {
        let how = self.ended_by?;
        // What fails here is over already.
        let _ = match how {
            // Dropping the socket does the rest.
            Break::Reset => socket2::SockRef::from(self.socket).set_linger(Some(Duration::ZERO)),
            // Also where unread bytes would turn the close into a reset, the end comes first.
            _ => self.socket.shutdown(Shutdown::Write),
        };
        Some(how == Break::HalfClose)
    }

    pub(crate) fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        self.end_of_body()?;
        self.reach(Counter::Read)?;
        // Of a body that is read slowly no more is taken from the socket than is wanted.
        let room = self.room(Counter::Read).min(self.room(Counter::Body)).min(space.len());
        let space = space.get_mut(..room).unwrap_or_default();
        let n = (&*self.socket).read(space)?;
        self.pass(Counter::Read, space.get_mut(..n).unwrap_or_default());
        Ok(n)
    }

    pub(crate) fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        // So that what is left of a long answer is not copied again with each write.
        const MOST: usize = 64 * 1024;
        self.reach(Counter::Written)?;
        if self.armed.iter().all(|armed| armed.counter != Counter::Written) {
            return (&*self.socket).write_vectored(slices);
        }
        let room = self.room(Counter::Written).min(MOST);
        let mut piece: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).take(room).collect();
        self.garble(Counter::Written, &mut piece);
        let n = (&*self.socket).write(&piece)?;
        self.advance(Counter::Written, n);
        // What happens behind the last byte of an answer would find no byte to happen before.
        self.happen(|armed| armed.counter == Counter::Written && !armed.changes_bytes());
        Ok(n)
    }

    /// Splits off what passes of a request's body before something else happens to it.
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

    /// A request's body is at its end, or no more of it has come so far.
    pub(crate) fn end_of_body(&mut self) -> io::Result<()> {
        self.happen(|armed| armed.counter == Counter::Body && !armed.changes_bytes());
        self.check()
    }

    /// Lets happen what happens before the next byte.
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

    /// How many bytes may pass before something else happens; at least one.
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

    /// Something happens to bytes, and not without them.
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
    /// Lets some time pass, or all that is left to a connection; `false` if that is over.
    fn pause(&self, socket: &TcpStream, limit: Option<Duration>) -> bool {
        /// How often the connection is looked at.
        const LOOK: Duration = Duration::from_millis(50);
        let until = limit.and_then(|limit| Instant::now().checked_add(limit));
        loop {
            let left = until.map_or(LOOK, |until| until.saturating_duration_since(Instant::now()));
            thread::sleep(left.min(LOOK));
            if until.is_some_and(|until| until <= Instant::now()) {
                return true;
            }
            if self.is_stopped() || !crate::socket::is_alive(socket) {
                return false;
            }
        }
    }
}
