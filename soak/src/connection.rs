//! One connection, as the API sees it.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use conformance::RecordedRequest;
use fastrand::Rng;
use lambda_runtime_proto::server::{Event, Reply, Server};
use lambda_runtime_proto::{CloseReason, Limits, Output, PeerError};

/// The function may take so long for what it owes.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection to the function.
pub struct Connection {
    socket: TcpStream,
    server: Server,
    /// The function may not have seen yet what was written last.
    pub wrote: bool,
}

/// How the API breaks a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Break {
    Close,
    Reset,
    /// It sends the end of its half, and waits for that of the other.
    HalfClose,
}

impl Break {
    pub fn draw(rng: &mut Rng) -> Self {
        [Break::Close, Break::Reset, Break::HalfClose][rng.usize(..3)]
    }

    pub fn name(self) -> &'static str {
        match self {
            Break::Close => "closed",
            Break::Reset => "reset",
            Break::HalfClose => "half closed",
        }
    }
}

impl Connection {
    pub fn new(socket: TcpStream) -> io::Result<Self> {
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { socket, server: Server::new(Limits::default().body(u64::MAX)), wrote: false })
    }

    /// Reads a request's head.
    pub fn begin(&mut self) -> Result<RecordedRequest, String> {
        match self.event(usize::MAX)? {
            Some(Event::Request(request)) => RecordedRequest::new(&request),
            Some(_) => Err("a request begins with its head".to_owned()),
            None => Err("the function closed a connection that was in order".to_owned()),
        }
    }

    /// Reads on until at least so many bytes of the body have come, or the request is whole, or the function has closed
    /// the connection. `at_once` is how many bytes are read at once.
    pub fn read(&mut self, taken: &mut RecordedRequest, enough: usize, at_once: usize) -> Result<(), String> {
        while taken.body.len() < enough && !taken.complete {
            match self.event(at_once)? {
                Some(Event::Data(data)) => taken.data(&data),
                Some(Event::End(trailers)) => {
                    taken.end(&trailers);
                    self.go_on();
                }
                Some(Event::Request(_)) => return Err("a request began within another".to_owned()),
                None => break,
            }
        }
        Ok(())
    }

    /// The next event; `None` when the function has closed the connection.
    fn event(&mut self, at_once: usize) -> Result<Option<Event>, String> {
        loop {
            match self.server.poll_output() {
                Output::Event(event) => return Ok(Some(event)),
                Output::Closed(CloseReason::Peer(error)) if !matches!(error, PeerError::UnexpectedEnd(_)) => {
                    return Err(format!("the function sent what is no request: {error}"));
                }
                Output::Closed(_) => return Ok(None),
                Output::Transmit(slices) => {
                    let n = slices.iter().map(|slice| slice.len()).sum();
                    self.server.sent(n);
                }
                Output::Idle => return Err("the machine waits for a reply".to_owned()),
                Output::Receive => {
                    let space = self.server.space();
                    let at_once = at_once.min(space.len());
                    match self.socket.read(&mut space[..at_once]) {
                        Ok(0) => self.server.end_of_input(),
                        Ok(n) => {
                            self.wrote = false;
                            self.server.filled(n);
                        }
                        Err(error) if is_late(&error) => return Err("the function does not send what it owes".into()),
                        Err(_) => self.server.disconnected(),
                    }
                }
            }
        }
    }

    /// Has the machine take the next request. What is really answered is written past it, so that it can be wrong.
    fn go_on(&mut self) {
        self.server.reply(Reply::new(204)).expect("a request is at hand");
        if let Output::Transmit(slices) = self.server.poll_output() {
            let n = slices.iter().map(|slice| slice.len()).sum();
            self.server.sent(n);
        }
    }

    /// Writes so many bytes at once.
    pub fn write(&mut self, bytes: &[u8], at_once: usize) -> Result<(), String> {
        self.wrote = true;
        bytes.chunks(at_once.max(1)).try_for_each(|piece| self.socket.write_all(piece)).map_err(|error| {
            format!("the function closed a connection that was in order, or does not read from it: {error}")
        })
    }

    /// Writes what makes the function give the connection up, perhaps before it has all of it.
    pub fn offend(&mut self, bytes: &[u8]) {
        let _ = self.socket.write_all(bytes);
    }

    /// Ends the connection. Unless it is to be done `at_once`, what was written last comes through.
    pub fn end(self, how: Break, at_once: bool) -> Result<(), String> {
        match how {
            Break::Close => Ok(()),
            Break::Reset => {
                if self.wrote && !at_once {
                    // The function has read it when it sends what comes after.
                    self.socket.peek(&mut [0]).map_err(|error| format!("the function sends nothing: {error}"))?;
                }
                let socket = socket2::SockRef::from(&self.socket);
                socket.set_linger(Some(Duration::ZERO)).map_err(|error| error.to_string())
            }
            Break::HalfClose => {
                // An error says that the function has closed it meanwhile.
                let _ = self.socket.shutdown(Shutdown::Write);
                self.drain()
            }
        }
    }

    /// Reads until the function has closed the connection.
    pub fn drain(mut self) -> Result<(), String> {
        let mut scratch = [0; 4096];
        loop {
            match self.socket.read(&mut scratch) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) if is_late(&error) => {
                    return Err("the function keeps a connection that is of no more use".to_owned());
                }
                Err(_) => return Ok(()),
            }
        }
    }
}

fn is_late(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}
