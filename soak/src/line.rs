//! The line to the function: one connection after the other, and how it is written on, read from and broken, as drawn.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;

use conformance::RecordedRequest;
use fastrand::Rng;
use lambda_runtime_proto::Endpoint;

use crate::book::Book;
use crate::connection::{Break, Connection};
use crate::invocation::Invocation;
use crate::messages::{self, CLOSE, Framing, Message, Style};

/// The API's end of it.
pub struct Line {
    listener: TcpListener,
    connection: Option<Connection>,
    /// A /next was read on the connection, and is to be answered.
    pub asked: bool,
    pub rng: Rng,
    pub book: Arc<Book>,
    pipelining: bool,
    /// So many were made.
    pub connections: u64,
}

impl Line {
    pub fn bind(pipelining: bool, book: Arc<Book>) -> Result<Self, String> {
        Ok(Self {
            listener: TcpListener::bind("127.0.0.1:0").map_err(words)?,
            connection: None,
            asked: false,
            rng: Rng::with_seed(0),
            book,
            pipelining,
            connections: 0,
        })
    }

    pub fn address(&self) -> String {
        self.listener.local_addr().map(|address| address.to_string()).unwrap_or_default()
    }

    /// Reads /next.
    pub fn ask(&mut self) -> Result<(), String> {
        let mut taken = self.begin()?;
        if taken.endpoint != Endpoint::Next {
            return Err(format!("{} of {} came instead of /next", taken.endpoint, taken.id));
        }
        self.read(&mut taken, usize::MAX)?;
        self.asked = true;
        Ok(())
    }

    /// Reads a request's head.
    pub fn begin(&mut self) -> Result<RecordedRequest, String> {
        self.connection()?.begin()
    }

    /// Reads on until so much of the body has come, or all.
    pub fn read(&mut self, taken: &mut RecordedRequest, enough: usize) -> Result<(), String> {
        let at_once = if self.one_in(30) { self.rng.usize(1..1000) } else { usize::MAX };
        self.connection()?.read(taken, enough, at_once)
    }

    /// An event in some style.
    pub fn event(&mut self, invocation: &Invocation) -> Message {
        let style = self.style("");
        messages::event(invocation, style, &mut self.rng)
    }

    /// An event that announces the end of its connection.
    pub fn last_event(&mut self, invocation: &Invocation) -> Message {
        let mut style = self.style(CLOSE);
        if self.rng.bool() {
            style.framing = Framing::UntilClose;
        }
        messages::event(invocation, style, &mut self.rng)
    }

    /// An answer to /next that is none.
    pub fn write_no_event(&mut self) -> Result<(), String> {
        self.book.fault("no event", "is the answer to /next");
        let style = self.style("");
        let no_event = messages::no_event(style, &mut self.rng);
        self.asked = false;
        self.write(&no_event)
    }

    /// An acknowledgement.
    pub fn accept(&mut self, fields: &'static str) -> Result<(), String> {
        let style = self.style(fields);
        let accepted = messages::accepted(style, &mut self.rng);
        match self.write(&accepted.bytes) {
            // The function closes the connection as soon as it knows the status; the rest of the body may find it closed.
            Err(_) if fields == CLOSE => Ok(()),
            written => written,
        }
    }

    /// Some of an acknowledgement.
    pub fn accept_in_part(&mut self) -> Result<(), String> {
        let style = self.style("");
        let accepted = messages::accepted(style, &mut self.rng).bytes;
        let cut = self.rng.usize(1..accepted.len());
        self.write(&accepted[..cut])
    }

    /// A refusal of an answer.
    pub fn refuse(&mut self, fields: &'static str, when: &'static str) -> Result<(), String> {
        let (status, what) =
            [(400, "400"), (403, "403"), (404, "404"), (410, "410"), (413, "413")][self.rng.usize(..5)];
        self.book.fault(what, when);
        self.send_refusal(status, fields)
    }

    /// A refusal of anything.
    pub fn send_refusal(&mut self, status: u16, fields: &'static str) -> Result<(), String> {
        let style = self.style(fields);
        let refusal = messages::refusal(status, style, &mut self.rng);
        self.write(&refusal.bytes)
    }

    /// What is no HTTP. The function gives such a connection up.
    pub fn write_no_http(&mut self, when: &'static str) -> Result<(), String> {
        self.book.fault("no HTTP", when);
        let bytes = messages::not_http(&mut self.rng);
        self.connection()?.offend(bytes);
        self.hang_up()
    }

    pub fn write(&mut self, bytes: &[u8]) -> Result<(), String> {
        let at_once = match self.rng.u32(0..100) {
            0 => 1 + bytes.len() / 1000,
            1 => 1 + bytes.len() / 10,
            _ => bytes.len(),
        };
        if at_once < bytes.len() {
            self.book.fault("dribbled", "is what the API sends");
        }
        self.connection()?.write(bytes, at_once)
    }

    /// Breaks the connection in one of the ways there are.
    pub fn break_off(&mut self, when: &'static str, at_once: bool) -> Result<Break, String> {
        let mut how = Break::draw(&mut self.rng);
        let wrote = self.connection()?.wrote;
        if self.pipelining && wrote {
            // A function that has asked already does not show that it has read the acknowledgement before; and that may
            // be lost with any end of the connection but this.
            how = Break::HalfClose;
        }
        self.book.fault(how.name(), when);
        self.asked = false;
        self.connection.take().map_or(Ok(()), |connection| connection.end(how, at_once))?;
        Ok(how)
    }

    /// Closes the connection as the message before has announced. Its own half first: if a request is there that nobody
    /// reads, the kernel makes a reset of a close, and that may destroy the message.
    pub fn close_as_announced(&mut self, when: &'static str) -> Result<(), String> {
        self.book.fault("closed", when);
        self.asked = false;
        self.connection.take().map_or(Ok(()), |connection| connection.end(Break::HalfClose, true))
    }

    /// Waits until the function has closed the connection.
    pub fn hang_up(&mut self) -> Result<(), String> {
        self.asked = false;
        self.connection.take().map_or(Ok(()), Connection::drain)
    }

    /// The function has one connection at a time.
    pub fn expect_no_other_connection(&self) -> Result<(), String> {
        self.listener.set_nonblocking(true).map_err(words)?;
        let other = self.listener.accept();
        self.listener.set_nonblocking(false).map_err(words)?;
        match other {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            _ => Err("the function made another connection beside a good one".to_owned()),
        }
    }

    /// A chance.
    pub fn one_in(&mut self, n: u32) -> bool {
        self.rng.u32(0..n) == 0
    }

    /// The usual one as a rule.
    fn style(&mut self, fields: &'static str) -> Style {
        let (chunked, interim) = (self.one_in(20), self.one_in(40));
        if chunked {
            self.book.fault("chunked", "is what the API sends");
        }
        if interim {
            self.book.fault("interim responses", "are what the API sends first");
        }
        Style { framing: if chunked { Framing::Chunked } else { Framing::Length }, interim, fields }
    }

    fn connection(&mut self) -> Result<&mut Connection, String> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                let (socket, _) = self.listener.accept().map_err(words)?;
                self.connections += 1;
                self.expect_no_other_connection()?;
                self.book.usual("connected", "by the function");
                Connection::new(socket).map_err(words)?
            }
        };
        Ok(self.connection.insert(connection))
    }
}

fn words(error: io::Error) -> String {
    format!("the API's socket: {error}")
}
