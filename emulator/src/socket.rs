//! One accepted connection: a socket, and the machine that speaks HTTP on it.

use std::io::{self, Read as _};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use lambda_runtime_proto::server::{Event, Reply, Server};
use lambda_runtime_proto::{CloseReason, Limits, Output};

use crate::api::Api;
use crate::fault::Fault;
use crate::faulty_socket::FaultySocket;

/// Drives the API's side of one connection with blocking reads and writes.
pub(crate) struct Connection<'s> {
    socket: &'s TcpStream,
    faulty: FaultySocket<'s>,
    pub(crate) machine: Server,
    /// What came up while something was being written.
    pending: Option<Activity>,
}

/// What the peer did.
pub(crate) enum Activity {
    Event(Event),
    /// The connection is over.
    Closed(CloseReason),
}

impl<'s> Connection<'s> {
    /// How large a body may be is for whoever receives it to say: to answer 413 it has to be received. Longer trailers are
    /// what Go's server, which AWS's is built on, breaks off at.
    pub(crate) fn new(api: &'s Api, socket: &'s TcpStream) -> Self {
        let limits = Limits { body: u64::MAX, trailers: 4096, ..Limits::default() };
        let faulty = FaultySocket::new(api, socket);
        Self { socket, faulty, machine: Server::new(limits), pending: None }
    }

    /// From now on these faults may happen: to the connection, before its first request, or to the request that has just
    /// begun.
    pub(crate) fn arm(&mut self, faults: &[&'s Fault]) {
        self.faulty.arm(faults);
    }

    /// Writes what is to be written and reads until something happens. A request that was received whole must have been
    /// answered.
    pub(crate) fn next_activity(&mut self) -> Activity {
        loop {
            if let Some(turn) = self.take_pending() {
                return turn;
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

    /// What is pending, as far as faults let it pass.
    fn take_pending(&mut self) -> Option<Activity> {
        let passed = match self.pending.take()? {
            Activity::Event(Event::Data(mut data)) => {
                let piece = self.faulty.body(&mut data);
                self.pending = (!data.is_empty()).then_some(Activity::Event(Event::Data(data)));
                piece.map(Event::Data)
            }
            Activity::Event(Event::End(trailers)) => self.faulty.end_of_body().map(|()| Event::End(trailers)),
            turn => return Some(turn),
        };
        if passed.is_err() {
            self.pending = None;
            self.machine.disconnected();
        }
        passed.ok().map(Activity::Event)
    }

    /// Writes all that is to be written; `false` if the connection did not take it.
    pub(crate) fn send(&mut self) -> bool {
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

    /// Answers the request at hand.
    pub(crate) fn reply(&mut self, reply: Reply) {
        // It fails when there is no request to answer, and then there is nobody to be told.
        let _ = self.machine.reply(reply);
    }

    fn written(&mut self, written: io::Result<usize>) {
        match written {
            Ok(n) if n > 0 => self.machine.sent(n),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            _ => self.machine.disconnected(),
        }
    }

    /// Closes the connection so that the peer gets the last answer, even if it is still sending: a close with unread
    /// bytes would reset the connection and take back what was not read yet.
    pub(crate) fn close(self, reason: &CloseReason) {
        const PATIENCE: Duration = Duration::from_secs(1);
        let is_answered = matches!(reason, CloseReason::RepliedEarly | CloseReason::Peer(_));
        if !self.faulty.end().unwrap_or(is_answered) {
            return;
        }
        let _ = self.socket.shutdown(Shutdown::Write);
        let _ = self.socket.set_read_timeout(Some(PATIENCE));
        let mut nowhere = [0; 8 * 1024];
        while matches!((&*self.socket).read(&mut nowhere), Ok(n) if n > 0) {}
    }
}

/// The peer has not closed the connection, as far as can be known without writing. Bytes that it sent stay.
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
