//! An API that does exactly what its script says.
//!
//! The emulator injects faults, too, but it tracks the state of invocations and sends well-formed HTTP. This API has
//! neither state nor a machine for its own messages: malformed heads, conflicting lengths, unsolicited acknowledgements
//! and early replies that keep the connection are bytes like any other, and each request is recorded.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use lambda_runtime_proto::server::{Event, Reply, Server};
use lambda_runtime_proto::{Endpoint, Limits, Output};
use socket2::{Domain, SockRef, Socket, Type};

use crate::function::Happening;
use crate::{RecordedRequest, Step, Steps};

/// The API. It plays its script on a thread.
pub(crate) struct Api {
    address: SocketAddr,
    /// Bound to the port but not listening, so that connections beyond the script are refused and the port is not
    /// given to another socket.
    _port: Socket,
    shared: Arc<Shared>,
    thread: JoinHandle<Recording>,
}

/// State that the API shares with its thread.
#[derive(Debug, Default)]
struct Shared {
    /// The process of the function.
    process: OnceLock<u32>,
    /// The number of reads so far.
    reads: AtomicUsize,
    stopped: AtomicBool,
}

/// How the script is played to a function with several workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Playback {
    /// To the worker that connects first, while this many others wait for an event that never comes.
    Once {
        /// The number of workers that wait.
        waiting: usize,
    },
    /// The first connection of the script, to each connection.
    Repeatedly,
}

/// The record of an API.
#[derive(Debug, Default)]
pub(crate) struct Recording {
    pub(crate) requests: Vec<RecordedRequest>,
    pub(crate) connections: usize,
    pub(crate) memory: Vec<u64>,
    /// A request that the script does not allow.
    pub(crate) unexpected: Option<String>,
    /// Connections that stay open until the function has stopped.
    open: Vec<TcpStream>,
}

impl Api {
    /// Starts to play. [`Happening::Played`] is sent after the last step.
    pub(crate) fn start(ip: IpAddr, script: Vec<Steps>, playback: Playback, played: mpsc::Sender<Happening>) -> Self {
        let port = bind(SocketAddr::from((ip, 0)));
        let address = port.local_addr().unwrap().as_socket().unwrap();
        let player = Player {
            listener: TcpListener::from(bind(address)),
            shared: Arc::default(),
            recording: Recording::default(),
        };
        let delay = match script.first().and_then(|steps| steps.as_slice().first()) {
            Some(Step::ListenAfter(duration)) => *duration,
            _ => Duration::ZERO,
        };
        if delay.is_zero() && !script.is_empty() {
            player.listen();
        }
        let shared = Arc::clone(&player.shared);
        let thread = thread::spawn(move || {
            if !delay.is_zero() {
                thread::sleep(delay);
                player.listen();
            }
            let recording = player.play(&script, playback);
            let _ = played.send(Happening::Played);
            recording
        });
        Self { address, _port: port, shared, thread }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The process of the function, for [`Step::SampleMemory`].
    pub(crate) fn set_process(&self, id: u32) {
        let _ = self.shared.process.set(id);
    }

    /// Changes whenever the function has sent something.
    pub(crate) fn progress(&self) -> usize {
        self.shared.reads.load(Ordering::Relaxed)
    }

    /// Returns the recording. The function must have ended.
    pub(crate) fn stop(self) -> Recording {
        self.shared.stopped.store(true, Ordering::SeqCst);
        // Wakes the thread if it still waits for a connection.
        let _ = TcpStream::connect(self.address);
        self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

fn bind(address: SocketAddr) -> Socket {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
    socket.set_reuse_port(true).unwrap();
    socket.bind(&address.into()).unwrap();
    socket
}

struct Player {
    listener: TcpListener,
    shared: Arc<Shared>,
    recording: Recording,
}

impl Player {
    fn listen(&self) {
        SockRef::from(&self.listener).listen(128).unwrap();
    }

    /// The next connection; `None` when the API is stopped.
    fn accept(&self) -> Option<TcpStream> {
        let (socket, _) = self.listener.accept().unwrap();
        Some(socket).filter(|_| !self.shared.stopped.load(Ordering::SeqCst))
    }

    fn play(mut self, script: &[Steps], playback: Playback) -> Recording {
        match playback {
            Playback::Once { waiting } => self.play_once(script, waiting),
            Playback::Repeatedly => {
                while let (Some(steps), Some(socket)) = (script.first(), self.accept()) {
                    self.connection(socket, steps);
                }
            }
        }
        self.recording
    }

    fn play_once(&mut self, script: &[Steps], waiting: usize) {
        let mut first = None;
        if waiting > 0 {
            first = self.accept();
            // Each of the others has its own transcript, which consists of this request.
            let wait = Steps::new().read(Endpoint::Next);
            for _ in 0..waiting {
                let Some(socket) = self.accept() else { return };
                let mut recording = Recording::default();
                if Connection::new(socket, &mut recording, &self.shared).play(&wait).is_none() {
                    return self.recording.unexpected = Some("a worker did not request an event".to_owned());
                }
                self.recording.open.append(&mut recording.open);
            }
        }
        for (at, steps) in script.iter().enumerate() {
            let Some(socket) = first.take().or_else(|| self.accept()) else { return };
            let left_open = self.connection(socket, steps);
            if at + 1 < script.len() && left_open {
                self.recording.open.pop();
            }
            if self.recording.unexpected.is_some() {
                return;
            }
        }
    }

    /// Plays a connection; returns whether it was left open.
    fn connection(&mut self, socket: TcpStream, steps: &Steps) -> bool {
        self.recording.connections += 1;
        Connection::new(socket, &mut self.recording, &self.shared).play(steps).is_some()
    }
}

struct Connection<'a> {
    socket: TcpStream,
    server: Server,
    recording: &'a mut Recording,
    shared: &'a Shared,
    /// A request has started and is not complete.
    receiving: bool,
}

/// Why a step was not completed.
enum Interrupted {
    /// The connection broke: an expectation decides whether it may.
    Connection,
    /// The request is not what the script says.
    Unexpected(String),
}

impl From<io::Error> for Interrupted {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                Self::Unexpected("nothing was sent in time".to_owned())
            }
            _ => Self::Connection,
        }
    }
}

enum Keep {
    All,
    Length,
}

impl<'a> Connection<'a> {
    fn new(socket: TcpStream, recording: &'a mut Recording, shared: &'a Shared) -> Self {
        const TIMEOUT: Duration = Duration::from_secs(30);
        socket.set_nodelay(true).unwrap();
        socket.set_read_timeout(Some(TIMEOUT)).unwrap();
        socket.set_write_timeout(Some(TIMEOUT)).unwrap();
        let limits = Limits::default().body(u64::MAX);
        Self { socket, server: Server::new(limits), recording, shared, receiving: false }
    }

    /// Plays the steps and leaves the connection open in the recording. Returns `None` if they were interrupted.
    fn play(mut self, steps: &Steps) -> Option<()> {
        for step in steps.as_slice() {
            match self.step(step) {
                Ok(()) => {}
                Err(Interrupted::Connection) => return None,
                Err(Interrupted::Unexpected(why)) => {
                    self.recording.unexpected = Some(format!("{step:?}: {why}"));
                    return None;
                }
            }
        }
        self.recording.open.push(self.socket);
        Some(())
    }

    fn step(&mut self, step: &Step) -> Result<(), Interrupted> {
        match step {
            Step::ListenAfter(_) => {}
            Step::Read(endpoint) => self.read(Some(*endpoint), usize::MAX, Keep::All)?,
            Step::ReadAtLeast(endpoint, bytes) => self.read(Some(*endpoint), *bytes, Keep::All)?,
            Step::ReadRest => self.read(None, usize::MAX, Keep::All)?,
            Step::DiscardRest => self.read(None, usize::MAX, Keep::Length)?,
            Step::Send(bytes) => self.socket.write_all(bytes)?,
            Step::SendByteByByte(bytes) => bytes.chunks(1).try_for_each(|byte| self.socket.write_all(byte))?,
            Step::Pause(duration) => thread::sleep(*duration),
            Step::HalfClose => self.socket.shutdown(Shutdown::Write)?,
            Step::Reset => {
                SockRef::from(&self.socket).set_linger(Some(Duration::ZERO))?;
                return Err(Interrupted::Connection);
            }
            Step::AwaitClose => {
                // A connection that is not closed in time is an error.
                io::copy(&mut self.socket, &mut io::sink())?;
                return Err(Interrupted::Connection);
            }
            Step::SampleMemory => {
                let peak = peak_memory(*self.shared.process.wait()).map_err(Interrupted::Unexpected)?;
                self.recording.memory.push(peak);
            }
        }
        Ok(())
    }

    /// Reads a new request if an endpoint is given, or else the rest of the current one, up to this length.
    fn read(&mut self, expected: Option<Endpoint>, enough: usize, keep: Keep) -> Result<(), Interrupted> {
        loop {
            match self.server.poll_output() {
                Output::Event(Event::Request(request)) => {
                    let request = RecordedRequest::new(&request).map_err(Interrupted::Unexpected)?;
                    if expected != Some(request.endpoint) {
                        return Err(Interrupted::Unexpected(format!("the function sent {request}")));
                    }
                    self.recording.requests.push(request);
                    self.receiving = true;
                }
                Output::Event(Event::Data(data)) => match (self.recording.requests.last_mut(), &keep) {
                    (Some(request), Keep::All) => request.data(&data),
                    (Some(request), Keep::Length) => request.received += data.len(),
                    (None, _) => {}
                },
                Output::Event(Event::End(trailers)) => {
                    if let Some(request) = self.recording.requests.last_mut() {
                        request.end(&trailers);
                    }
                    self.receiving = false;
                    self.skip_reply();
                    return Ok(());
                }
                Output::Closed(_) => return Err(Interrupted::Connection),
                Output::Transmit(slices) => {
                    let n = slices.iter().map(|slice| slice.len()).sum();
                    self.server.sent(n);
                }
                Output::Receive | Output::Idle => {
                    let received = self.recording.requests.last().map_or(0, |request| request.received);
                    if self.receiving && received >= enough {
                        return Ok(());
                    }
                    self.shared.reads.fetch_add(1, Ordering::Relaxed);
                    match self.socket.read(self.server.space())? {
                        0 => self.server.end_of_input(),
                        n => self.server.filled(n),
                    }
                }
            }
        }
    }

    /// Lets the machine go on to the next request. The script sends the actual reply.
    fn skip_reply(&mut self) {
        self.server.reply(Reply::new(204)).expect("a request was received");
        while let Output::Transmit(slices) = self.server.poll_output() {
            let n = slices.iter().map(|slice| slice.len()).sum();
            self.server.sent(n);
            if self.server.queued() == 0 {
                break;
            }
        }
    }
}

/// The memory that a process has used at most, in KiB.
fn peak_memory(process: u32) -> Result<u64, String> {
    let path = format!("/proc/{process}/status");
    let status = std::fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
    number.ok_or_else(|| format!("{path} has no VmHWM"))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn the_port_of_a_script_that_was_played_refuses_connections_and_is_not_reused() {
        let (sender, played) = mpsc::channel();
        let api = Api::start(Ipv4Addr::LOCALHOST.into(), Vec::new(), Playback::Once { waiting: 0 }, sender);
        assert!(matches!(played.recv(), Ok(Happening::Played)));
        // The listener is closed when the thread has ended.
        while !api.thread.is_finished() {
            thread::yield_now();
        }
        let address = api.address();
        assert_eq!(TcpListener::bind(address).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        assert_eq!(TcpStream::connect(address).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        api.stop();
    }
}
