//! Connections in memory, which split, delay, stall, half-close, reset and refuse.

use std::collections::VecDeque;
use std::io;
use std::task::Waker;

use workload::posted_number;

use crate::connection::{Attempt, Connection, Cut, Direction, End, ReplyHead, Side, Wakers};
use crate::kernel::{Happening, Kernel, MICROSECOND, MILLISECOND, SECOND};
use crate::trace::Nanos;

/// The error type of the report that takes the place of a response that was lost five times.
const UNDELIVERED: &[u8] = b"Runtime.ResponseNotDelivered";

/// The start of a request for an event.
const NEXT: &[u8] = b"GET /2018-06-01/runtime/invocation/next ";

impl Kernel {
    /// Starts an attempt to connect.
    pub fn connect(&mut self) -> usize {
        let id = self.connections.len();
        self.note("connection # is attempted", &[id as u64]);
        let mut connection = Connection::new();
        let mut delay = self.rng.u64(MICROSECOND..50 * MICROSECOND);
        if self.outage {
            connection.will_fail = Some(io::ErrorKind::ConnectionRefused);
        } else if self.chance(100) {
            self.fault("a connection is refused");
            connection.will_fail = Some(io::ErrorKind::ConnectionRefused);
        } else if self.unanswered_left > 0 && self.lost_in_a_row < 8 && self.chance(20) {
            self.unanswered_left = 0;
            self.fault("a connection attempt times out");
            delay = Nanos::MAX;
        } else if self.chance(50) {
            self.fault("a connection is slow to open");
            delay = self.rng.u64(MILLISECOND..2900 * MILLISECOND);
        }
        connection.dribbles = self.chance(25);
        // The runtime does not wait for the rest of a reply that arrives slowly.
        connection.excused = connection.dribbles || self.weather.segment != usize::MAX;
        if connection.dribbles {
            self.fault("a connection delivers a few bytes at a time");
        }
        self.connections.push(connection);
        self.check_attempt();
        if delay < Nanos::MAX {
            self.schedule(delay, Happening::Connected(id));
        }
        id
    }

    /// Ends an attempt to connect. Returns whether it succeeded.
    pub fn connected(&mut self, id: usize, wakers: &mut Wakers) -> bool {
        let connection = &mut self.connections[id];
        if connection.function_closed {
            return false;
        }
        let outcome = match connection.will_fail {
            Some(kind) => Attempt::Failed(kind),
            None => Attempt::Connected,
        };
        let connected = matches!(outcome, Attempt::Connected);
        if let Attempt::Pending(Some(waker)) = std::mem::replace(&mut connection.attempt, outcome) {
            wakers.push(waker);
        }
        if connected {
            self.attempts.clear();
            self.note("connection # is open", &[id as u64]);
            for (side, chances, longest) in [(Side::Api, 150, 1500), (Side::Function, 100, 3000)] {
                if self.chance(chances) {
                    let at = self.rng.u64(0..longest);
                    let cut = self.draw_cut();
                    self.cut(id, side, at, cut);
                }
            }
        } else {
            self.note("connection # is refused", &[id as u64]);
        }
        connected
    }

    pub fn draw_cut(&mut self) -> Cut {
        match self.rng.u32(0..6) {
            0 => Cut::Reset(true),
            1 | 2 => Cut::Reset(false),
            3 | 4 => Cut::Close,
            _ => Cut::HalfClose,
        }
    }

    /// Checks that the delays between attempts are the documented ones.
    fn check_attempt(&mut self) {
        let now = self.now;
        // No delay follows the first failure, 0.5 to 1 ms follow the second, and the delay doubles with each further one.
        let failures = self.attempts.len();
        if let Some(last) = self.attempts.last()
            && failures >= 2
            && self.checks_backoff
        {
            let longest = (MILLISECOND << (failures - 2).min(10)).min(SECOND);
            let waited = now - last;
            if waited < longest / 2 - longest / 100 {
                self.fail(format!("attempt {failures} to connect follows the last after {waited} ns: no backoff"));
            }
        }
        self.attempts.push(now);
    }

    /// Sends bytes of the API.
    pub fn api_writes(&mut self, id: usize, bytes: &[u8]) {
        let now = self.now;
        let connection = &mut self.connections[id];
        if connection.api_closed || connection.closes {
            return;
        }
        connection.outbox.extend(bytes);
        self.trace.bytes(now, "the API writes to connection #:", id as u64, bytes);
        self.pump(id);
    }

    /// The API closes its socket once everything is written.
    pub fn api_closes(&mut self, id: usize) {
        let connection = &mut self.connections[id];
        if !connection.closes && !connection.api_closed {
            connection.closes = true;
            self.note("the API closes connection #", &[id as u64]);
            self.pump(id);
        }
    }

    /// Moves bytes from the API's outbox into the network.
    pub fn pump(&mut self, id: usize) {
        let capacity = self.weather.capacity;
        let connection = &mut self.connections[id];
        if connection.api_closed {
            connection.outbox.clear();
            return;
        }
        let n = connection.to_function.room(capacity).min(connection.outbox.len());
        if n > 0 {
            let direction = &mut connection.to_function;
            if n == connection.outbox.len() && direction.in_flight.is_empty() {
                std::mem::swap(&mut direction.in_flight, &mut connection.outbox);
            } else {
                transfer(&mut connection.outbox, &mut direction.in_flight, n);
            }
            direction.written += n as u64;
        }
        if connection.closes && connection.outbox.is_empty() {
            connection.api_closed = true;
            connection.to_function.closing.get_or_insert(End::Fin);
            self.ended.push(id);
        }
        self.transmit(id, Side::Function);
    }

    /// Puts the next arrival on the agenda, if there is something to arrive.
    fn transmit(&mut self, id: usize, side: Side) {
        let direction = self.connections[id].toward_mut(side);
        if direction.scheduled || direction.ended.is_some() {
            return;
        }
        if direction.in_flight.is_empty() && direction.closing.is_none() && direction.cut.is_none_or(|(at, _)| at > 0) {
            return;
        }
        direction.scheduled = true;
        let delay = self.latency();
        self.connections[id].excused |= delay > SECOND / 10;
        self.schedule(delay, Happening::Arrival(id, side));
    }

    /// Delivers bytes to one side.
    pub fn arrive(&mut self, id: usize, side: Side, wakers: &mut Wakers) {
        let segment = self.weather.segment;
        let most = if self.connections[id].dribbles {
            self.rng.usize(1..4)
        } else if segment == usize::MAX {
            segment
        } else {
            self.rng.usize(1..=segment)
        };
        let direction = self.connections[id].toward_mut(side);
        direction.scheduled = false;
        if direction.ended.is_some() {
            return;
        }
        let mut n = direction.in_flight.len().min(most);
        let mut cut = None;
        if let Some((at, kind)) = direction.cut {
            let left = usize::try_from(at.saturating_sub(direction.delivered)).unwrap_or(usize::MAX);
            if left <= n {
                n = left;
                cut = Some(kind);
                direction.cut = None;
            }
        }
        if n == direction.in_flight.len() && direction.arrived.is_empty() {
            std::mem::swap(&mut direction.in_flight, &mut direction.arrived);
        } else {
            transfer(&mut direction.in_flight, &mut direction.arrived, n);
        }
        direction.delivered += n as u64;
        if direction.in_flight.is_empty() {
            direction.ended = direction.closing;
        }
        wakers.extend(direction.reader.take());
        match cut {
            Some(cut) => self.apply(id, cut, wakers),
            None => self.transmit(id, side),
        }
    }

    /// Cuts a connection off.
    pub fn apply(&mut self, id: usize, cut: Cut, wakers: &mut Wakers) {
        match cut {
            Cut::Reset(_) => self.fault("a connection is reset"),
            Cut::Close => self.fault("a connection is closed"),
            Cut::HalfClose => self.fault("a connection is half closed"),
        }
        let connection = &mut self.connections[id];
        connection.outbox.clear();
        let down = &mut connection.to_function;
        down.in_flight.clear();
        match cut {
            Cut::Reset(destroys) => {
                if destroys {
                    down.arrived.clear();
                }
                down.ended.get_or_insert(End::Reset);
                connection.to_api.in_flight.clear();
                connection.to_api.ended.get_or_insert(End::Reset);
                connection.api_closed = true;
            }
            Cut::Close => {
                down.ended.get_or_insert(End::Fin);
                connection.to_api.ended.get_or_insert(End::Reset);
                connection.api_closed = true;
            }
            Cut::HalfClose => {
                down.ended.get_or_insert(End::Fin);
                connection.closes = true;
                // The API closes the other half later.
                self.schedule(20 * MILLISECOND, Happening::CloseIdle(id));
            }
        }
        self.ended.push(id);
        let connection = &mut self.connections[id];
        wakers.extend(connection.to_function.reader.take());
        wakers.extend(connection.to_api.writer.take());
    }

    /// The API reads everything that has arrived.
    pub fn api_reads(&mut self, id: usize, wakers: &mut Wakers) -> Vec<u8> {
        let connection = &mut self.connections[id];
        if connection.paused || connection.to_api.arrived.is_empty() {
            return Vec::new();
        }
        let bytes = Vec::from(std::mem::take(&mut connection.to_api.arrived));
        connection.to_api.read += bytes.len() as u64;
        wakers.extend(connection.to_api.writer.take());
        bytes
    }

    /// The function reads.
    pub fn function_reads(
        &mut self,
        id: usize,
        buf: &mut [u8],
        waker: &Waker,
    ) -> (Option<io::Result<usize>>, Option<Waker>) {
        let (now, split) = (self.now, self.weather.segment);
        let direction = &mut self.connections[id].to_function;
        if direction.arrived.is_empty() {
            return match direction.ended {
                Some(End::Fin) => {
                    self.note("the function reads the end of connection #", &[id as u64]);
                    (Some(Ok(0)), None)
                }
                Some(End::Reset) => (Some(Err(io::ErrorKind::ConnectionReset.into())), None),
                None => (None, register(&mut direction.reader, waker)),
            };
        }
        let mut n = direction.arrived.len().min(buf.len());
        if split != usize::MAX {
            n = self.rng.usize(1..=n);
        }
        let (front, back) = direction.arrived.as_slices();
        let from_front = n.min(front.len());
        buf[..from_front].copy_from_slice(&front[..from_front]);
        buf[from_front..n].copy_from_slice(&back[..n - from_front]);
        direction.arrived.drain(..n);
        direction.read += n as u64;
        let read = direction.read;
        self.trace.bytes(now, "the function reads from connection #:", id as u64, &buf[..n]);
        let connection = &mut self.connections[id];
        if let Some((number, end)) = connection.event
            && read >= end
        {
            connection.event = None;
            self.lost_in_a_row = 0;
            self.ledger.account(number).reads += 1;
        }
        let connection = &mut self.connections[id];
        if let Some(ReplyHead { number, end, refuses }) = connection.reply
            && read >= end
        {
            connection.reply = None;
            connection.posting = None;
            self.lost_in_a_row = 0;
            let account = self.ledger.account(number);
            account.settled = true;
            account.refused |= refuses;
        }
        if !self.connections[id].outbox.is_empty() {
            self.pump(id);
        }
        (Some(Ok(n)), None)
    }

    /// The function writes.
    pub fn function_writes(
        &mut self,
        id: usize,
        bufs: &[io::IoSlice<'_>],
        waker: &Waker,
    ) -> (Option<io::Result<usize>>, Option<Waker>) {
        let (now, capacity) = (self.now, self.weather.capacity);
        let short = self.weather.segment != usize::MAX && self.rng.bool();
        let cut_short = if short { self.rng.usize(1..2000) } else { usize::MAX };
        let connection = &mut self.connections[id];
        match connection.to_api.ended {
            Some(End::Reset) if connection.to_function.ended == Some(End::Reset) => {
                return (Some(Err(io::ErrorKind::ConnectionReset.into())), None);
            }
            Some(_) => return (Some(Err(io::ErrorKind::BrokenPipe.into())), None),
            None => {}
        }
        let mut room = connection.to_api.room(capacity).min(cut_short);
        if room == 0 {
            return (None, register(&mut connection.to_api.writer, waker));
        }
        let posting = bufs.first().and_then(|buf| posted_number(buf));
        if self.is_single && self.process.working > 0 && bufs.iter().any(|buf| buf.starts_with(NEXT)) {
            self.fail("an event is requested while there is work after the last response");
        }
        let connection = &mut self.connections[id];
        let mut written = 0;
        connection.to_api.in_flight.reserve(bufs.iter().map(|buf| buf.len()).sum::<usize>().min(room));
        for buf in bufs {
            let n = buf.len().min(room);
            connection.to_api.in_flight.extend(&buf[..n]);
            self.trace.bytes(now, "the function writes to connection #:", id as u64, &buf[..n]);
            written += n;
            room -= n;
            if room == 0 {
                break;
            }
        }
        connection.to_api.written += written as u64;
        if let Some(number) = posting
            && self.ledger.contains(number)
        {
            connection.posting = Some(number);
            let account = self.ledger.account(number);
            account.posted = true;
            let (settled, lost) = (account.settled, account.lost_posts);
            if settled {
                self.fail(format!(
                    "the outcome of invocation {number} is sent again after its acknowledgement was read"
                ));
            }
            // The short report of the loss may be sent.
            if lost >= 5 && !bufs[0].windows(UNDELIVERED.len()).any(|window| window == UNDELIVERED) {
                self.fail(format!("the outcome of invocation {number} is sent for the sixth time"));
            }
        }
        let connection = &mut self.connections[id];
        if let Some(number) = connection.posting {
            self.ledger.account(number).written += written as u64;
        }
        self.transmit(id, Side::Api);
        (Some(Ok(written)), None)
    }

    /// The function drops its socket.
    pub fn function_closes(&mut self, id: usize) {
        self.note("the function closes connection #", &[id as u64]);
        let connection = &mut self.connections[id];
        connection.function_closed = true;
        self.lost_in_a_row += 1;
        let works = matches!(connection.attempt, Attempt::Connected)
            && !connection.excused
            && !connection.api_closed
            && connection.to_function.ended.is_none()
            && connection.to_api.ended.is_none();
        // The extension is over after SIGTERM.
        if works && !self.ending && self.process.terminated.is_none() {
            self.fail(format!("the function closes connection {id}, which works"));
        }
        let connection = &mut self.connections[id];
        // Unread bytes turn the end into a reset.
        let unread = !connection.to_function.arrived.is_empty() || !connection.to_function.in_flight.is_empty();
        connection.to_api.closing.get_or_insert(if unread { End::Reset } else { End::Fin });
        connection.to_function = Direction { read: connection.to_function.read, ..Direction::default() };
        connection.outbox = Default::default();
        if let Some(number) = connection.posting.take() {
            self.ledger.account(number).lost_posts += 1;
        }
        self.transmit(id, Side::Api);
        self.closed_by_function.push(id);
    }
}

/// Moves `n` bytes. Extending by an iterator would move them one by one.
fn transfer(from: &mut VecDeque<u8>, to: &mut VecDeque<u8>, n: usize) {
    let (front, back) = from.as_slices();
    let from_front = n.min(front.len());
    to.extend(&front[..from_front]);
    to.extend(&back[..n - from_front]);
    from.drain(..n);
}

/// Returns the waker that was registered before, to be dropped once the kernel is unlocked.
fn register(place: &mut Option<Waker>, waker: &Waker) -> Option<Waker> {
    match place {
        Some(registered) if registered.will_wake(waker) => None,
        _ => place.replace(waker.clone()),
    }
}
