//! One connection, on the API's side.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use fastrand::Rng;
use lambda_runtime_proto::server::{Event, Reply, Request, Server};
use lambda_runtime_proto::{CloseReason, Limits, Output, PeerError};
use workload::{Excuses, Invocation, Received};

/// Time for the function to send the next request.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A connection to the function.
pub struct Connection {
    socket: TcpStream,
    server: Server,
    /// The function may not have read the last write yet.
    pub wrote: bool,
}

/// How the API breaks a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Break {
    Close,
    Reset,
    /// The API shuts down its sending half and waits for the peer's end.
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
        socket.set_read_timeout(Some(TIMEOUT))?;
        socket.set_write_timeout(Some(TIMEOUT))?;
        Ok(Self { socket, server: Server::new(Limits::default().body(u64::MAX)), wrote: false })
    }

    /// Reads a request's head.
    pub fn begin(&mut self) -> Result<Request, String> {
        match self.event(usize::MAX)? {
            Some(Event::Request(request)) => Ok(request),
            Some(_) => Err("expected the head of a request".to_owned()),
            None => Err("the function closed a working connection".to_owned()),
        }
    }

    /// Reads the end of a request without a body.
    pub fn read_end(&mut self) -> Result<(), String> {
        match self.event(usize::MAX)? {
            Some(Event::End(_)) => {
                self.accept_next();
                Ok(())
            }
            Some(_) => Err("expected the end of a request".to_owned()),
            None => Err("the function closed a working connection".to_owned()),
        }
    }

    /// Reads and checks an outcome until at least `length` bytes of its body have arrived, it is complete, or the function has
    /// closed the connection. One read returns at most `at_once` bytes.
    pub fn read(
        &mut self,
        invocation: &Invocation,
        received: &mut Received,
        length: usize,
        at_once: usize,
    ) -> Result<(), String> {
        while received.body_len() < length && !received.is_complete {
            match self.event(at_once)? {
                Some(Event::Data(data)) => invocation.data(received, &data)?,
                Some(Event::End(trailers)) => {
                    invocation.end(received, &trailers, Excuses::default())?;
                    self.accept_next();
                }
                Some(Event::Request(_)) => return Err("a request began within another".to_owned()),
                None => break,
            }
        }
        Ok(())
    }

    /// Returns the next event; `None` if the function has closed the connection.
    fn event(&mut self, at_once: usize) -> Result<Option<Event>, String> {
        loop {
            match self.server.poll_output() {
                Output::Event(event) => return Ok(Some(event)),
                Output::Closed(CloseReason::Peer(error)) if !matches!(error, PeerError::UnexpectedEnd(_)) => {
                    return Err(format!("the function sent an invalid request: {error}"));
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
                        Err(error) if is_late(&error) => {
                            return Err("the function did not send the expected request in time".into());
                        }
                        Err(_) => self.server.disconnected(),
                    }
                }
            }
        }
    }

    /// Makes the machine accept the next request. The actual reply bypasses it, so that it can be invalid.
    fn accept_next(&mut self) {
        self.server.reply(Reply::new(204)).expect("a request needs a reply");
        if let Output::Transmit(slices) = self.server.poll_output() {
            let n = slices.iter().map(|slice| slice.len()).sum();
            self.server.sent(n);
        }
    }

    /// Writes in pieces of this size.
    pub fn write(&mut self, bytes: &[u8], at_once: usize) -> Result<(), String> {
        self.wrote = true;
        bytes
            .chunks(at_once.max(1))
            .try_for_each(|piece| self.socket.write_all(piece))
            .map_err(|error| format!("the function closed a working connection, or does not read from it: {error}"))
    }

    /// Writes bytes that make the function close the connection, perhaps before it has read them all.
    pub fn offend(&mut self, bytes: &[u8]) {
        let _ = self.socket.write_all(bytes);
    }

    /// Ends the connection. Unless `at_once`, waits until the function has read the last write.
    pub fn end(self, how: Break, at_once: bool) -> Result<(), String> {
        match how {
            Break::Close => Ok(()),
            Break::Reset => {
                if self.wrote && !at_once {
                    // The function has read it once it sends the next request.
                    self.socket
                        .peek(&mut [0])
                        .map_err(|error| format!("the function did not send a request: {error}"))?;
                }
                let socket = socket2::SockRef::from(&self.socket);
                socket.set_linger(Some(Duration::ZERO)).map_err(|error| error.to_string())
            }
            Break::HalfClose => {
                // Fails if the function has closed it meanwhile.
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
                    return Err("the function did not close an unusable connection".to_owned());
                }
                Err(_) => return Ok(()),
            }
        }
    }
}

fn is_late(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}
