//! A Runtime API that does exactly what its script says.
//!
//! The emulator has a script of faults, too, but it keeps the state of invocations and speaks HTTP by `proto`'s server
//! machine: whatever it breaks was right before, and it tells what came of an invocation. Here there is no state and no
//! machine behind what is sent: heads that are no HTTP, lengths that contradict each other, acknowledgements that nobody
//! asked for and early answers that keep the connection are bytes like any other, and each of the function's requests
//! can be looked at.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use lambda_runtime_base::Address;
use lambda_runtime_proto::server::{Event, Reply, Server};
use lambda_runtime_proto::{Endpoint, Limits, Output};
use socket2::{Domain, SockRef, Socket, Type};

use crate::Taken;

/// What the API does, connection by connection. Connections beyond the script are refused.
pub type Script = Vec<Vec<Act>>;

/// One thing that the API does on a connection.
#[derive(Debug, Clone)]
pub enum Act {
    /// As the first of all: connections are refused for so long.
    ListenAfter(Duration),
    /// Reads a request whole; it must be for this endpoint.
    Take(Endpoint),
    /// Reads a request until at least so many bytes of its body have come, or it is complete.
    TakeSome(Endpoint, usize),
    /// Reads what comes of the request at hand until its end, or that of the connection.
    TakeRest,
    /// Sends these bytes.
    Send(Vec<u8>),
    /// Sends these bytes one by one.
    Drip(Vec<u8>),
    /// Waits.
    Pause(Duration),
    /// Sends the end of its half, and reads on.
    HalfClose,
    /// Closes the connection so that the other side sees a reset.
    Reset,
}

/// The API, playing its script on a thread.
pub struct Api {
    address: Address,
    /// Bound to the port and never listening, so that what comes beyond the script is refused, and not taken by whoever
    /// has got the port next.
    _port: Socket,
    stopped: Arc<AtomicBool>,
    connections: Arc<AtomicUsize>,
    thread: JoinHandle<Vec<Taken>>,
}

impl Api {
    /// Starts to play.
    pub fn start(script: Script) -> Self {
        let bound = |port| {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            socket.set_reuse_port(true).unwrap();
            socket.bind(&SocketAddr::from(([127, 0, 0, 1], port)).into()).unwrap();
            socket
        };
        let port = bound(0);
        let address = port.local_addr().unwrap().as_socket().unwrap();
        let listener = TcpListener::from(bound(address.port()));
        let late = match script.first().and_then(|acts| acts.first()) {
            Some(Act::ListenAfter(duration)) => Some(*duration),
            _ => None,
        };
        let listen = |listener: &TcpListener| SockRef::from(listener).listen(128).unwrap();
        if late.is_none() {
            listen(&listener);
        }
        let stopped = Arc::new(AtomicBool::new(false));
        let connections = Arc::new(AtomicUsize::new(0));
        let thread = std::thread::spawn({
            let (stopped, connections) = (Arc::clone(&stopped), Arc::clone(&connections));
            move || {
                let mut taken = Vec::new();
                if let Some(duration) = late {
                    std::thread::sleep(duration);
                    listen(&listener);
                }
                for acts in script {
                    let (socket, _) = listener.accept().unwrap();
                    if stopped.load(Ordering::SeqCst) {
                        break;
                    }
                    connections.fetch_add(1, Ordering::SeqCst);
                    Connection::new(socket, &mut taken).play(&acts);
                }
                taken
            }
        });
        Self { address: address.to_string().parse().unwrap(), _port: port, stopped, connections, thread }
    }

    /// Where it is.
    pub fn address(&self) -> Address {
        self.address.clone()
    }

    /// What it read, and how many connections were made. Called when the function has ended.
    pub fn stop(self) -> (Vec<Taken>, usize) {
        self.stopped.store(true, Ordering::SeqCst);
        // Wakes the thread if it still waits for a connection.
        let _ = TcpStream::connect(self.address.to_string());
        let taken = self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        (taken, self.connections.load(Ordering::SeqCst))
    }
}

struct Connection<'a> {
    socket: TcpStream,
    server: Server,
    taken: &'a mut Vec<Taken>,
    open: bool,
}

impl<'a> Connection<'a> {
    fn new(socket: TcpStream, taken: &'a mut Vec<Taken>) -> Self {
        socket.set_nodelay(true).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let limits = Limits::default().body(u64::MAX);
        Self { socket, server: Server::new(limits), taken, open: false }
    }

    /// What the function does to the connection is its own affair, so errors of the socket end the script for it.
    fn play(mut self, acts: &[Act]) {
        for act in acts {
            let done = match act {
                Act::ListenAfter(_) => Ok(()),
                Act::Take(endpoint) => self.take(Some(*endpoint), usize::MAX),
                Act::TakeSome(endpoint, n) => self.take(Some(*endpoint), *n),
                Act::TakeRest => self.take(None, usize::MAX),
                Act::Send(bytes) => self.socket.write_all(bytes),
                Act::Drip(bytes) => bytes.chunks(1).try_for_each(|byte| self.socket.write_all(byte)),
                Act::Pause(duration) => {
                    std::thread::sleep(*duration);
                    Ok(())
                }
                Act::HalfClose => self.socket.shutdown(Shutdown::Write),
                Act::Reset => SockRef::from(&self.socket).set_linger(Some(Duration::ZERO)),
            };
            if done.is_err() {
                return;
            }
        }
    }

    fn take(&mut self, wanted: Option<Endpoint>, enough: usize) -> io::Result<()> {
        loop {
            match self.server.poll_output() {
                Output::Event(Event::Request(request)) => {
                    let taken = Taken::begun(&request).unwrap();
                    let endpoint = wanted.expect("no request is at hand");
                    assert_eq!(taken.endpoint, endpoint, "a request came out of turn");
                    self.taken.push(taken);
                    self.open = true;
                }
                Output::Event(Event::Data(data)) => {
                    let taken = self.taken.last_mut().expect("data belongs to a request");
                    taken.body.extend_from_slice(&data);
                }
                Output::Event(Event::End(trailers)) => {
                    let taken = self.taken.last_mut().expect("an end belongs to a request");
                    taken.end(&trailers);
                    self.open = false;
                    // The script answers; the machine only has to go on.
                    self.server.reply(Reply::new(204)).expect("a request is at hand");
                    while let Output::Transmit(slices) = self.server.poll_output() {
                        let n = slices.iter().map(|slice| slice.len()).sum();
                        self.server.sent(n);
                        if self.server.queued() == 0 {
                            break;
                        }
                    }
                    return Ok(());
                }
                Output::Closed(_) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Output::Transmit(slices) => {
                    let n = slices.iter().map(|slice| slice.len()).sum();
                    self.server.sent(n);
                }
                Output::Receive | Output::Idle => {
                    if self.open && self.taken.last().is_some_and(|taken| taken.body.len() >= enough) {
                        return Ok(());
                    }
                    match self.socket.read(self.server.space())? {
                        0 => self.server.end_of_input(),
                        n => self.server.filled(n),
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_of_a_script_that_has_ended_refuses_and_is_not_given_away() {
        let api = Api::start(Script::new());
        while !api.thread.is_finished() {
            std::thread::yield_now();
        }
        let address = api.address().to_string();
        assert_eq!(TcpListener::bind(&address).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        assert_eq!(TcpStream::connect(&address).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        api.stop();
    }
}
