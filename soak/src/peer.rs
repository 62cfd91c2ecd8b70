//! The function as the API's peer: one connection after another, read, written and broken as drawn.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;

use fastrand::Rng;
use lambda_runtime_proto::Endpoint;
use lambda_runtime_proto::server::{Request, Route};
use workload::{Invocation, Received};

use crate::connection::{Break, Connection};
use crate::journal::Journal;
use crate::messages::{self, CLOSE, Framing, Message, Style};

/// The API's side of the connections.
pub struct Peer {
    listener: TcpListener,
    connection: Option<Connection>,
    /// A /next was read on the connection, and has no reply.
    pub next_pending: bool,
    pub rng: Rng,
    pub journal: Arc<Journal>,
    pipelining: bool,
    /// The number of connections so far.
    pub connections: u64,
}

impl Peer {
    pub fn bind(pipelining: bool, journal: Arc<Journal>) -> Result<Self, String> {
        Ok(Self {
            listener: TcpListener::bind("127.0.0.1:0").map_err(socket_error)?,
            connection: None,
            next_pending: false,
            rng: Rng::with_seed(0),
            journal,
            pipelining,
            connections: 0,
        })
    }

    pub fn address(&self) -> String {
        self.listener.local_addr().map(|address| address.to_string()).unwrap_or_default()
    }

    /// Reads /next.
    pub fn read_next(&mut self) -> Result<(), String> {
        let request = self.begin()?;
        if !is_next(&request) {
            return Err(format!("expected /next, received {} {}", request.method(), request.path()));
        }
        self.read_end_of_next()
    }

    /// Reads a request's head.
    pub fn begin(&mut self) -> Result<Request, String> {
        self.connection()?.begin()
    }

    /// Reads the rest of /next.
    pub fn read_end_of_next(&mut self) -> Result<(), String> {
        self.connection()?.read_end()?;
        self.next_pending = true;
        Ok(())
    }

    /// Reads and checks at least this much of the body of an outcome, or all of it.
    pub fn read(&mut self, invocation: &Invocation, received: &mut Received, length: usize) -> Result<(), String> {
        let at_once = if self.one_in(30) { self.rng.usize(1..1000) } else { usize::MAX };
        self.connection()?.read(invocation, received, length, at_once)
    }

    /// Returns an event in a random style.
    pub fn event(&mut self, invocation: &Invocation) -> Message {
        let style = self.style("");
        messages::event(invocation, style, &mut self.rng)
    }

    /// Returns an event that announces the end of its connection.
    pub fn last_event(&mut self, invocation: &Invocation) -> Message {
        let mut style = self.style(CLOSE);
        if self.rng.bool() {
            style.framing = Framing::UntilClose;
        }
        messages::event(invocation, style, &mut self.rng)
    }

    /// Replies to /next without an event.
    pub fn send_no_event(&mut self) -> Result<(), String> {
        self.journal.fault("no event", "in reply to /next");
        let style = self.style("");
        let no_event = messages::no_event(style, &mut self.rng);
        self.next_pending = false;
        self.write(&no_event)
    }

    /// Sends an acknowledgement.
    pub fn accept(&mut self, fields: &'static str) -> Result<(), String> {
        let style = self.style(fields);
        let accepted = messages::accepted(style, &mut self.rng);
        match self.write(&accepted.bytes) {
            // The function closes the connection once it has the status, so that writing the rest of the body may fail.
            Err(_) if fields == CLOSE => Ok(()),
            written => written,
        }
    }

    /// Sends part of an acknowledgement.
    pub fn accept_in_part(&mut self) -> Result<(), String> {
        let style = self.style("");
        let accepted = messages::accepted(style, &mut self.rng).bytes;
        let cut = self.rng.usize(1..accepted.len());
        self.write(&accepted[..cut])
    }

    /// Refuses an outcome.
    pub fn refuse(&mut self, fields: &'static str, when: &'static str) -> Result<(), String> {
        let (status, what) =
            [(400, "400"), (403, "403"), (404, "404"), (410, "410"), (413, "413")][self.rng.usize(..5)];
        self.journal.fault(what, when);
        self.send_refusal(status, fields)
    }

    /// Refuses any request.
    pub fn send_refusal(&mut self, status: u16, fields: &'static str) -> Result<(), String> {
        let style = self.style(fields);
        let refusal = messages::refusal(status, style, &mut self.rng);
        self.write(&refusal.bytes)
    }

    /// Sends invalid HTTP, after which the function must close the connection.
    pub fn send_invalid_http(&mut self, when: &'static str) -> Result<(), String> {
        self.journal.fault("invalid HTTP", when);
        let bytes = messages::not_http(&mut self.rng);
        self.connection()?.offend(&bytes);
        self.wait_for_close()
    }

    pub fn write(&mut self, bytes: &[u8]) -> Result<(), String> {
        let at_once = match self.rng.u32(0..100) {
            0 => 1 + bytes.len() / 1000,
            1 => 1 + bytes.len() / 10,
            _ => bytes.len(),
        };
        if at_once < bytes.len() {
            self.journal.fault("dribbled", "by the API");
        }
        self.connection()?.write(bytes, at_once)
    }

    /// Breaks the connection in a random way.
    pub fn break_connection(&mut self, when: &'static str, at_once: bool) -> Result<Break, String> {
        let mut how = Break::draw(&mut self.rng);
        let wrote = self.connection()?.wrote;
        if self.pipelining && wrote {
            // A pipelined /next does not prove that the function has read the acknowledgement, which any other way could
            // destroy.
            how = Break::HalfClose;
        }
        self.journal.fault(how.name(), when);
        self.next_pending = false;
        self.connection.take().map_or(Ok(()), |connection| connection.end(how, at_once))?;
        Ok(how)
    }

    /// Closes the connection, as the last message has announced. Shuts down the sending half first: closing with an unread
    /// request would reset the connection, which may destroy the message.
    pub fn close_as_announced(&mut self, when: &'static str) -> Result<(), String> {
        self.journal.fault("closed", when);
        self.next_pending = false;
        self.connection.take().map_or(Ok(()), |connection| connection.end(Break::HalfClose, true))
    }

    /// Waits until the function has closed the connection.
    pub fn wait_for_close(&mut self) -> Result<(), String> {
        self.next_pending = false;
        self.connection.take().map_or(Ok(()), Connection::drain)
    }

    /// Checks that the function has one connection at a time.
    pub fn expect_no_other_connection(&self) -> Result<(), String> {
        self.listener.set_nonblocking(true).map_err(socket_error)?;
        let other = self.listener.accept();
        self.listener.set_nonblocking(false).map_err(socket_error)?;
        match other {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            _ => Err("the function opened a second connection".to_owned()),
        }
    }

    /// Returns true with a probability of one in `n`.
    pub fn one_in(&mut self, n: u32) -> bool {
        self.rng.u32(0..n) == 0
    }

    /// Returns the usual style, with rare exceptions.
    fn style(&mut self, fields: &'static str) -> Style {
        let (chunked, interim) = (self.one_in(20), self.one_in(40));
        if chunked {
            self.journal.fault("chunked body", "in a reply");
        }
        if interim {
            self.journal.fault("interim replies", "before a reply");
        }
        Style { framing: if chunked { Framing::Chunked } else { Framing::Length }, interim, fields }
    }

    fn connection(&mut self) -> Result<&mut Connection, String> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                let (socket, _) = self.listener.accept().map_err(socket_error)?;
                self.connections += 1;
                self.expect_no_other_connection()?;
                self.journal.note("connected", "by the function");
                Connection::new(socket).map_err(socket_error)?
            }
        };
        Ok(self.connection.insert(connection))
    }
}

pub fn is_next(request: &Request) -> bool {
    matches!(request.route(), Route::Api(Endpoint::Next, _))
}

fn socket_error(error: io::Error) -> String {
    format!("the API's socket: {error}")
}
