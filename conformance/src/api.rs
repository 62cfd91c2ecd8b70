//! An API that follows its script exactly.
//!
//! The emulator injects faults, too, but it tracks the state of invocations and sends well-formed HTTP. This API has
//! neither state nor a machine for its own messages: malformed heads, conflicting lengths, unsolicited acknowledgements
//! and early replies that keep the connection are bytes like any other, and each request is recorded.

use std::io::{self, Read, Write};
use std::iter;
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use lambda_runtime_proto::server::{Event, Reply, Request, Server};
use lambda_runtime_proto::{Endpoint, Limits, Output};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::retry_on_intr;
use socket2::{Domain, SockRef, Socket, Type};

use crate::happening::Happening;
use crate::transcript::{Direction, Wire};
use crate::{RecordedRequest, Step, Steps, messages};

/// A function that sends or reads nothing for this time counts as hanging.
const TIMEOUT: Duration = Duration::from_secs(20);

/// How long a function may take until its first connection.
const START_LIMIT: Duration = Duration::from_secs(60);

/// The API. It plays its script on a thread.
pub(crate) struct Api {
    address: SocketAddr,
    /// Bound to the port but not listening, so that connections beyond the script are refused and the port is not
    /// given to another socket.
    _port: Socket,
    process: Arc<OnceLock<u32>>,
    stopped: Arc<AtomicBool>,
    thread: JoinHandle<Recording>,
}

/// How the script is played to a function with several workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Playback {
    /// Once, to the worker that connects first. The others wait for an event that never comes.
    Once {
        /// The number of the others.
        waiting: usize,
        /// The API's behaviour after the script.
        then: Then,
    },
    /// On each connection, the first connection of the script.
    Repeatedly,
}

/// The API's behaviour after a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    /// Nothing: further connections are refused.
    Stop,
    /// A further request is reported as an error, because the function should end.
    Watch,
}

/// The record of an API.
#[derive(Debug, Default)]
pub(crate) struct Recording {
    pub(crate) requests: Vec<RecordedRequest>,
    pub(crate) connections: usize,
    pub(crate) memory: Vec<u64>,
    pub(crate) wire: Wire,
    /// A request that the script does not allow.
    pub(crate) unexpected: Option<String>,
    /// Connections that stay open until the function has stopped.
    open: Vec<TcpStream>,
}

impl Api {
    /// Starts to play. [`Happening::Played`] is sent after the last step.
    pub(crate) fn start(
        ip: IpAddr,
        script: Vec<Steps>,
        playback: Playback,
        happenings: mpsc::Sender<Happening>,
    ) -> Self {
        let port = bind(SocketAddr::from((ip, 0)));
        let address = port.local_addr().unwrap().as_socket().unwrap();
        let player = Player {
            listener: TcpListener::from(bind(address)),
            process: Arc::default(),
            stopped: Arc::default(),
            happenings,
            recording: Recording::default(),
            current: None,
            others: Vec::new(),
        };
        let delay = match script.first().and_then(|steps| steps.as_slice().first()) {
            Some(Step::ListenAfter(duration)) => *duration,
            _ => Duration::ZERO,
        };
        if delay.is_zero() && !script.is_empty() {
            player.listen();
        }
        let (process, stopped) = (Arc::clone(&player.process), Arc::clone(&player.stopped));
        let thread = thread::spawn(move || {
            if !delay.is_zero() {
                thread::sleep(delay);
                player.listen();
            }
            player.play(&script, playback)
        });
        Self { address, _port: port, process, stopped, thread }
    }

    /// Returns the address on which it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The process of the function, for [`Step::SampleMemory`].
    pub(crate) fn set_process(&self, id: u32) {
        let _ = self.process.set(id);
    }

    /// Returns the recording. The function must have ended.
    pub(crate) fn stop(self) -> Recording {
        self.stopped.store(true, Ordering::SeqCst);
        // Wakes the thread if it waits for a connection. Repeated, because it may not listen yet.
        while !self.thread.is_finished() {
            let _ = TcpStream::connect(self.address);
            thread::sleep(Duration::from_millis(2));
        }
        self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

/// Returns the number of sockets that are ready, or 0 after a timeout.
fn poll_within(limit: Duration, sockets: &mut [PollFd<'_>]) -> io::Result<usize> {
    let limit = limit.try_into().map_err(io::Error::other)?;
    Ok(retry_on_intr(|| poll(sockets, Some(&limit)))?)
}

fn bind(address: SocketAddr) -> Socket {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
    socket.set_reuse_port(true).unwrap();
    socket.bind(&address.into()).unwrap();
    socket
}

struct Player {
    listener: TcpListener,
    process: Arc<OnceLock<u32>>,
    stopped: Arc<AtomicBool>,
    happenings: mpsc::Sender<Happening>,
    recording: Recording,
    /// The connection that the script is about.
    current: Option<Connection>,
    /// Further connections that the function has opened. Each request may come on any of them.
    others: Vec<Connection>,
}

impl Player {
    fn listen(&self) {
        SockRef::from(&self.listener).listen(128).unwrap();
    }

    /// The next connection; `None` when the API is stopped.
    fn accept(&self) -> Option<TcpStream> {
        let (socket, _) = self.listener.accept().unwrap();
        Some(socket).filter(|_| !self.stopped.load(Ordering::SeqCst))
    }

    /// Waits for a connection.
    fn await_connection(&self, limit: Duration) -> Result<(), String> {
        let mut socket = [PollFd::from_borrowed_fd(self.listener.as_fd(), PollFlags::IN)];
        match poll_within(limit, &mut socket) {
            Ok(0) => Err("no connection was opened in time".to_owned()),
            Ok(_) => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    }

    fn play(mut self, script: &[Steps], playback: Playback) -> Recording {
        match playback {
            Playback::Once { waiting, then } => {
                self.play_once(script, waiting);
                let _ = self.happenings.send(Happening::Played);
                if then == Then::Watch && !script.is_empty() && self.recording.unexpected.is_none() {
                    self.watch();
                }
                self.leave_open();
            }
            Playback::Repeatedly => {
                while let (Some(steps), Some(socket)) = (script.first(), self.accept()) {
                    self.start_connection(socket);
                    let _ = self.steps(steps, &Source::Current);
                    self.leave_open();
                }
                let _ = self.happenings.send(Happening::Played);
            }
        }
        self.recording
    }

    fn start_connection(&mut self, socket: TcpStream) {
        self.recording.connections += 1;
        self.current = Some(Connection::new(socket, self.recording.connections));
    }

    fn leave_open(&mut self) {
        let open = self.current.take().into_iter().chain(self.others.drain(..));
        self.recording.open.extend(open.map(|connection| connection.socket));
    }

    fn play_once(&mut self, script: &[Steps], waiting: usize) {
        let mut first = None;
        if waiting > 0 {
            first = self.accept();
            // Each of the others has its own transcript, which consists of this request.
            for _ in 0..waiting {
                let Some(socket) = self.accept() else { return };
                let mut connection = Connection::new(socket, 0);
                let read =
                    connection.read(&mut Recording::default(), Wanted::For(Endpoint::Next), usize::MAX, Keep::All);
                if read.is_err() {
                    return self.recording.unexpected = Some("a worker did not request an event".to_owned());
                }
                self.recording.open.push(connection.socket);
            }
        }
        for (at, steps) in script.iter().enumerate() {
            if first.is_none()
                && let Err(interrupted) = self.await_connection(if at == 0 { START_LIMIT } else { TIMEOUT })
            {
                return self.recording.unexpected = Some(interrupted);
            }
            let Some(socket) = first.take().or_else(|| self.accept()) else { return };
            self.start_connection(socket);
            if self.steps(steps, &Source::Any).is_none() {
                self.current = None;
            }
            if self.recording.unexpected.is_some() {
                return;
            }
            if at + 1 < script.len() {
                // Dropping closes them.
                self.current = None;
                self.others.clear();
            }
        }
    }

    /// Plays the steps of a connection. Returns `None` if they were interrupted.
    fn steps(&mut self, steps: &Steps, source: &Source) -> Option<()> {
        for step in steps.as_slice() {
            match self.step(step, source) {
                Ok(()) => {}
                Err(Interrupted::Connection) => return None,
                Err(Interrupted::Unexpected(why)) => {
                    self.recording.unexpected = Some(format!("{step:?}: {why}"));
                    return None;
                }
            }
        }
        Some(())
    }

    fn step(&mut self, step: &Step, source: &Source) -> Result<(), Interrupted> {
        let wanted = match step {
            Step::Read(endpoint) => Some((Wanted::For(*endpoint), usize::MAX)),
            Step::ReadAtLeast(endpoint, bytes) => Some((Wanted::For(*endpoint), *bytes)),
            Step::ReadOutcome => Some((Wanted::Outcome, usize::MAX)),
            _ => None,
        };
        if let Some((wanted, enough)) = wanted {
            if matches!(source, Source::Any) {
                self.select()?;
            }
            let connection = self.current.as_mut().ok_or(Interrupted::Connection)?;
            return connection.read(&mut self.recording, wanted, enough, Keep::All);
        }
        let connection = self.current.as_mut().ok_or(Interrupted::Connection)?;
        let recording = &mut self.recording;
        match step {
            Step::ListenAfter(_) | Step::Read(_) | Step::ReadAtLeast(..) | Step::ReadOutcome => {}
            Step::ReadRest => connection.read(recording, Wanted::Rest, usize::MAX, Keep::All)?,
            Step::DiscardRest => connection.read(recording, Wanted::Rest, usize::MAX, Keep::Length)?,
            Step::Send(bytes) => connection.send(recording, bytes)?,
            Step::SendByteByByte(bytes) => bytes.chunks(1).try_for_each(|byte| connection.send(recording, byte))?,
            Step::Pause(duration) => thread::sleep(*duration),
            Step::HalfClose => connection.socket.shutdown(Shutdown::Write)?,
            Step::Reset => {
                SockRef::from(&connection.socket).set_linger(Some(Duration::ZERO))?;
                return Err(Interrupted::Connection);
            }
            Step::AwaitClose => {
                // A connection that is not closed in time is an error.
                io::copy(&mut connection.socket, &mut io::sink())?;
                return Err(Interrupted::Connection);
            }
            Step::SampleMemory => {
                let peak = peak_memory(*self.process.wait()).map_err(Interrupted::Unexpected)?;
                recording.memory.push(peak);
            }
            Step::Terminate => {
                let process = i32::try_from(*self.process.wait()).ok().and_then(rustix::process::Pid::from_raw);
                let process = process.ok_or_else(|| Interrupted::Unexpected("no process".to_owned()))?;
                rustix::process::kill_process(process, rustix::process::Signal::TERM).map_err(io::Error::from)?;
            }
        }
        Ok(())
    }

    /// Waits for the next request, and makes its connection the current one.
    fn select(&mut self) -> Result<(), Interrupted> {
        self.others.extend(self.current.take());
        loop {
            if self.stopped.load(Ordering::SeqCst) {
                return Err(Interrupted::Connection);
            }
            if let Some(at) = self.others.iter_mut().position(Connection::has_request) {
                self.current = Some(self.others.remove(at));
                return Ok(());
            }
            let sockets = iter::once(self.listener.as_fd());
            let sockets = sockets.chain(self.others.iter().map(|connection| connection.socket.as_fd()));
            let mut sockets: Vec<_> = sockets.map(|socket| PollFd::from_borrowed_fd(socket, PollFlags::IN)).collect();
            if poll_within(TIMEOUT, &mut sockets)? == 0 {
                return Err(Interrupted::Unexpected("nothing was sent in time".to_owned()));
            }
            let ready: Vec<bool> = sockets.iter().map(|socket| !socket.revents().is_empty()).collect();
            for at in (0..self.others.len()).rev().filter(|at| ready[at + 1]) {
                if !matches!(self.others[at].receive(&mut self.recording.wire), Ok(1..)) {
                    self.others.remove(at);
                }
            }
            if ready[0] {
                let socket = self.accept().ok_or(Interrupted::Connection)?;
                self.recording.connections += 1;
                self.others.push(Connection::new(socket, self.recording.connections));
            }
        }
    }

    /// After the script of a function that should end: reports a request that it sends instead.
    fn watch(&mut self) {
        while let Ok(()) = self.select() {
            let Some(connection) = &mut self.current else { return };
            let read = connection.read(&mut self.recording, Wanted::Any, usize::MAX, Keep::All);
            let endpoint = self.recording.requests.last().map(|request| request.endpoint);
            if read.is_ok() && matches!(endpoint, Some(Endpoint::InitError | Endpoint::RestoreError)) {
                // It may report why it ends.
                let _ = connection.send(&mut self.recording, &messages::accepted());
                continue;
            }
            if let Err(Interrupted::Unexpected(why)) = read {
                self.recording.unexpected = Some(why);
            } else {
                let request = self.recording.requests.pop().map_or_else(String::new, |it| it.to_string());
                self.recording.unexpected = Some(format!("instead of ending, the function sent {request}"));
            }
            let _ = self.happenings.send(Happening::Violated);
            return;
        }
    }
}

/// The source of the next request.
enum Source {
    /// The current connection.
    Current,
    /// Any connection.
    Any,
}

/// The request that a step reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// A new one for this endpoint.
    For(Endpoint),
    /// A new one for /response or /error.
    Outcome,
    /// Any new one.
    Any,
    /// The rest of the current one.
    Rest,
}

impl Wanted {
    fn is(self, endpoint: Endpoint) -> bool {
        match self {
            Self::For(wanted) => wanted == endpoint,
            Self::Outcome => matches!(endpoint, Endpoint::Response | Endpoint::Error),
            Self::Any => true,
            Self::Rest => false,
        }
    }
}

struct Connection {
    socket: TcpStream,
    server: Server,
    number: usize,
    /// Whether a request has started and is not complete.
    receiving: bool,
    /// The head of a request that has arrived and was not read yet.
    head: Option<Request>,
}

/// Why a step was not completed.
enum Interrupted {
    /// The connection broke: an expectation decides whether it may.
    Connection,
    /// The request differs from the script.
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

impl Connection {
    fn new(socket: TcpStream, number: usize) -> Self {
        socket.set_nodelay(true).unwrap();
        socket.set_read_timeout(Some(TIMEOUT)).unwrap();
        socket.set_write_timeout(Some(TIMEOUT)).unwrap();
        let limits = Limits::default().body(u64::MAX);
        Self { socket, server: Server::new(limits), number, receiving: false, head: None }
    }

    fn send(&mut self, recording: &mut Recording, bytes: &[u8]) -> io::Result<()> {
        recording.wire.record(self.number, Direction::Sent, bytes);
        self.socket.write_all(bytes)
    }

    /// Whether the head of a request has arrived.
    fn has_request(&mut self) -> bool {
        if self.head.is_none()
            && !self.receiving
            && let Output::Event(Event::Request(request)) = self.server.poll_output()
        {
            self.head = Some(request);
        }
        self.head.is_some()
    }

    /// Receives what has arrived, and returns its length.
    fn receive(&mut self, wire: &mut Wire) -> io::Result<usize> {
        let space = self.server.space();
        let n = self.socket.read(space)?;
        wire.record(self.number, Direction::Received, &space[..n]);
        if n > 0 {
            self.server.filled(n);
        }
        Ok(n)
    }

    /// Reads a new request, or the rest of the current one, up to this length.
    fn read(
        &mut self,
        recording: &mut Recording,
        wanted: Wanted,
        enough: usize,
        keep: Keep,
    ) -> Result<(), Interrupted> {
        loop {
            let output = match self.head.take() {
                Some(request) => Output::Event(Event::Request(request)),
                None => self.server.poll_output(),
            };
            match output {
                Output::Event(Event::Request(request)) => {
                    let request = RecordedRequest::new(&request).map_err(Interrupted::Unexpected)?;
                    if !wanted.is(request.endpoint) {
                        return Err(Interrupted::Unexpected(format!("the function sent {request}")));
                    }
                    recording.requests.push(request);
                    self.receiving = true;
                }
                Output::Event(Event::Data(data)) => match (recording.requests.last_mut(), &keep) {
                    (Some(request), Keep::All) => request.data(&data),
                    (Some(request), Keep::Length) => request.received += data.len(),
                    (None, _) => {}
                },
                Output::Event(Event::End(trailers)) => {
                    if let Some(request) = recording.requests.last_mut() {
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
                    let received = recording.requests.last().map_or(0, |request| request.received);
                    if self.receiving && received >= enough {
                        return Ok(());
                    }
                    if self.receive(&mut recording.wire)? == 0 {
                        self.server.end_of_input();
                    }
                }
            }
        }
    }

    /// Makes the machine ready for the next request. The script sends the actual reply.
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

/// The peak memory of a process, in KiB.
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
        let api =
            Api::start(Ipv4Addr::LOCALHOST.into(), Vec::new(), Playback::Once { waiting: 0, then: Then::Stop }, sender);
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
