//! One accepted connection: a socket, and the state machine for HTTP on it.

use std::io::{self, Read as _};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use lambda_runtime_proto::server::{Event, Reply, Server};
use lambda_runtime_proto::{CloseReason, Limits, Output};

use crate::api::Api;
use crate::fault::Fault;
use crate::faulty_socket::FaultySocket;

/// Drives the API's side of one connection with blocking reads and writes.
pub struct Connection<'s> {
    socket: &'s TcpStream,
    faulty: FaultySocket<'s>,
    /// The state machine. Callers issue commands to it directly.
    pub machine: Server,
    /// An activity that occurred during a write.
    pending: Option<Activity>,
}

/// An action of the peer.
pub enum Activity {
    /// An event of the machine.
    Event(Event),
    /// The connection is over.
    Closed(CloseReason),
}

impl<'s> Connection<'s> {
    /// The largest head of a request to the Runtime API: the limit of Go's server, on which AWS's is built.
    pub(crate) const RUNTIME_API_HEAD: usize = 1024 * 1024;

    /// A connection with this limit for heads. Bodies are limited by their receivers, which read a part of one before they
    /// reply with 413. The limit for trailers is that of Go's server.
    pub(crate) fn new(api: &'s Api, socket: &'s TcpStream, head: usize) -> Self {
        let limits = Limits::default().head(head).body(u64::MAX).trailers(4096);
        let faulty = FaultySocket::new(api, socket);
        Self { socket, faulty, machine: Server::new(limits), pending: None }
    }

    /// Starts to record the connection, under this number.
    pub(crate) fn record(&mut self, number: u64) {
        self.faulty.record(number);
    }

    /// Adds faults: those of the connection before its first request, and those of a request after its head.
    pub(crate) fn arm(&mut self, faults: &[&'s Fault]) {
        self.faulty.arm(faults);
    }

    /// Writes everything queued, and reads until something happens. A previous request that is complete must have a reply.
    pub fn next_activity(&mut self) -> Activity {
        loop {
            if let Some(activity) = self.take_pending() {
                return activity;
            }
            match self.machine.poll_output() {
                Output::Event(event) => self.pending = Some(Activity::Event(event)),
                Output::Closed(reason) => return Activity::Closed(reason),
                Output::Idle => self.machine.close_abruptly(),
                Output::Transmit(slices) => {
                    let written = self.faulty.write_vectored(&slices);
                    self.written(written);
                }
                Output::Receive => match self.faulty.read(self.machine.space()) {
                    Ok(0) => self.machine.end_of_input(),
                    Ok(n) => self.machine.filled(n),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(_) => self.machine.disconnected(),
                },
            }
        }
    }

    /// The pending activity, or the part of it that faults let pass.
    fn take_pending(&mut self) -> Option<Activity> {
        let passed = match self.pending.take()? {
            Activity::Event(Event::Data(mut data)) => {
                let piece = self.faulty.body(&mut data);
                self.pending = (!data.is_empty()).then_some(Activity::Event(Event::Data(data)));
                piece.map(Event::Data)
            }
            Activity::Event(Event::End(trailers)) => self.faulty.end_of_body().map(|()| Event::End(trailers)),
            activity => return Some(activity),
        };
        if passed.is_err() {
            self.pending = None;
            self.machine.disconnected();
        }
        passed.ok().map(Activity::Event)
    }

    /// Writes everything that is queued; `false` if the connection failed first.
    pub fn send(&mut self) -> bool {
        loop {
            match self.machine.poll_output() {
                Output::Transmit(slices) => {
                    let written = self.faulty.write_vectored(&slices);
                    self.written(written);
                }
                Output::Closed(reason) => {
                    let sent = reason != CloseReason::TransportFailed;
                    self.pending = Some(Activity::Closed(reason));
                    return sent;
                }
                Output::Event(event) => {
                    self.pending = Some(Activity::Event(event));
                    return true;
                }
                Output::Receive | Output::Idle => return true,
            }
        }
    }

    /// Queues the reply to the current request.
    pub fn reply(&mut self, reply: Reply) {
        // Fails only if no request needs a reply.
        let _ = self.machine.reply(reply);
    }

    fn written(&mut self, written: io::Result<usize>) {
        match written {
            Ok(n) if n > 0 => self.machine.sent(n),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            _ => self.machine.disconnected(),
        }
    }

    /// Closes the connection so that the peer receives the last reply, even if it is still sending: closing a socket
    /// with unread bytes would reset the connection, and the peer would lose what it has not read yet.
    pub fn close(self, reason: &CloseReason) {
        const SILENCE: Duration = Duration::from_secs(1);
        // Enough to read the reply, even for a peer that never stops sending.
        const TOTAL: Duration = Duration::from_secs(5);
        let is_sending = matches!(reason, CloseReason::RepliedEarly | CloseReason::Peer(_));
        if !self.faulty.end().unwrap_or(is_sending) {
            return;
        }
        let _ = self.socket.shutdown(Shutdown::Write);
        let _ = self.socket.set_read_timeout(Some(SILENCE));
        let began = Instant::now();
        let mut discarded = [0; 8 * 1024];
        while began.elapsed() < TOTAL && matches!((&*self.socket).read(&mut discarded), Ok(n) if n > 0) {}
    }
}
