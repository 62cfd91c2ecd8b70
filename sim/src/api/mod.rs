//! Lambda's side: a queue of events, one `Server` for each connection, and faults.

mod lifecycle;
mod replies;
mod requests;

use std::collections::VecDeque;

use lambda_runtime_proto::server::{Event, Reply, Server};
use lambda_runtime_proto::{CloseReason, Endpoint, Limits, Output, PeerError};
use workload::{Invocation, Received, number_of, refusal_body};

use self::lifecycle::{Replied, Report};
use crate::connection::{End, Side, Wakers};
use crate::kernel::{Happening, Kernel, MICROSECOND, MILLISECOND, SECOND};
use crate::layers::DEADLINE_MARGIN;
use crate::log::Line;
use crate::plan::{BadStart, Plan};
use crate::trace::Nanos;

/// Lambda, as one sandbox sees it.
pub struct Api {
    plan: Plan,
    /// The invocation whose event differs in one byte.
    altered: Option<u64>,
    peers: Vec<Option<Box<Peer>>>,
    records: Vec<Record>,
    /// Events to be delivered again.
    queue: VecDeque<u64>,
    /// Consecutive violations of HTTP, which end `run` when there are five.
    garbage: u32,
    /// Whether the sandbox is frozen: no task runs.
    pub frozen: bool,
    /// Whether the sandbox has begun to end.
    pub ending: bool,
    /// Number of invocations that are over.
    pub over: u64,
    killed: bool,
    /// Whether requests that were left waiting must have a reply now, because the last invocation is over.
    rouse: bool,
    /// Bytes of the largest event or outcome.
    pub largest: usize,
    /// The time at which the API disappeared permanently.
    pub gone_since: Option<Nanos>,
    /// The value of `over` when the sandbox was frozen last.
    rested: u64,
    /// How the start in progress fails, if it does.
    bad_start: Option<BadStart>,
    /// Whether its failure was logged.
    start_logged: bool,
    /// Reports of its failure that have a reply.
    reported: Vec<Replied>,
    /// Messages that must be logged once a reply was read.
    must_log: Vec<(Replied, &'static str)>,
    /// Those that were.
    logged: Vec<&'static str>,
    /// Whether SIGTERM is scheduled.
    terminates: bool,
}

/// The API's side of a connection.
struct Peer {
    server: Server,
    /// The outcome that is being received.
    receiving: Option<Received>,
    /// The report of a failed start that is being received.
    report: Option<Report>,
    /// The request that is being received.
    endpoint: Option<Endpoint>,
    /// The invocation whose outcome is being received although it has one.
    again: Option<u64>,
    /// Whether a request for an event has no reply.
    waiting: bool,
    /// The invocation that was delivered on this connection.
    holding: Option<u64>,
    /// The reply that a complete outcome will have.
    owes: Option<Owed>,
    /// Whether a reply was sent before its request was complete.
    replied_early: bool,
    /// The earliest time of the next request.
    not_before: Nanos,
}

/// The reply that the API will send.
#[derive(Debug, Clone, Copy)]
enum Owed {
    /// The reply to the outcome of this invocation.
    Outcome(u64),
    /// The reply to another outcome of this invocation, which is over.
    Late(u64),
}

/// The API's record of an invocation.
struct Record {
    /// `Some` until the invocation is over.
    invocation: Option<Box<Invocation>>,
    is_stream: bool,
    fails: bool,
    is_readable: bool,
    deliveries: u32,
    /// Whether replies to its outcome are lost again and again.
    unlucky: bool,
    /// Number of streams whose head arrived.
    streams: u32,
    deadline: Nanos,
    end: Option<How>,
}

/// How an invocation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    Accepted,
    Refused,
    /// The connection was lost during a stream, or too many connections were lost during an outcome.
    Interrupted,
}

impl Api {
    pub fn new(plan: Plan, altered: Option<u64>) -> Self {
        Self {
            plan,
            altered,
            peers: Vec::new(),
            records: Vec::new(),
            queue: VecDeque::new(),
            garbage: 0,
            frozen: false,
            ending: false,
            over: 0,
            killed: false,
            rouse: false,
            rested: 0,
            bad_start: None,
            start_logged: false,
            reported: Vec::new(),
            must_log: Vec::new(),
            logged: Vec::new(),
            terminates: false,
            gone_since: None,
            largest: 0,
        }
    }

    /// The number of invocations that were delivered or are over.
    pub fn begun(&self) -> u64 {
        self.records.len() as u64
    }

    pub fn happens(&mut self, k: &mut Kernel, happening: Happening, wakers: &mut Wakers) {
        if k.trace.is_written() && !matches!(happening, Happening::Timer(_)) {
            k.trace.text(k.now, &format!("{happening:?}"));
        }
        match happening {
            Happening::Timer(waker) => wakers.push(waker),
            Happening::Connected(id) => {
                if k.connected(id, wakers) {
                    self.peers.resize_with(self.peers.len().max(id + 1), || None);
                    self.peers[id] = Some(Box::new(Peer::new()));
                }
            }
            Happening::Arrival(id, side) => {
                k.arrive(id, side, wakers);
                if side == Side::Api {
                    self.read(k, id, wakers);
                }
                self.check_ended(k, id, wakers);
            }
            Happening::Resume(id) => {
                k.connections[id].paused = false;
                self.read(k, id, wakers);
                self.check_ended(k, id, wakers);
            }
            Happening::Deliver(id) => self.deliver(k, id, wakers),
            Happening::Acknowledge(id) => {
                self.acknowledge(k, id, wakers);
                self.drive(k, id, wakers);
            }
            Happening::CloseIdle(id) => {
                k.connections[id].closes = true;
                k.connections[id].outbox.clear();
                k.connections[id].api_closed = true;
                k.connections[id].to_api.ended.get_or_insert(End::Reset);
                self.check_ended(k, id, wakers);
            }
            Happening::Thaw => {
                self.frozen = false;
                k.note("the sandbox is thawed", &[]);
                self.wake_waiting(k);
            }
            Happening::Recover => {
                k.outage = false;
                k.note("the API accepts connections again", &[]);
            }
            Happening::Terminate => self.terminate(k, wakers),
            Happening::Kill => {
                k.note("the sandbox is killed", &[]);
                self.killed = true;
            }
        }
        while let Some(id) = k.ended.pop() {
            self.check_ended(k, id, wakers);
        }
        if self.over == self.begun() && std::mem::take(&mut self.rouse) {
            self.wake_waiting(k);
        }
        self.check_drained(k, wakers);
    }

    fn record(&mut self, number: u64) -> Option<&mut Record> {
        let index = usize::try_from(number.checked_sub(self.plan.first)?).ok()?;
        self.records.get_mut(index)
    }

    fn peer(&mut self, id: usize) -> Option<&mut Peer> {
        self.peers.get_mut(id)?.as_deref_mut()
    }

    /// Reads the bytes that have arrived.
    fn read(&mut self, k: &mut Kernel, id: usize, wakers: &mut Wakers) {
        if k.connections[id].api_closed {
            return;
        }
        if k.chance(10) {
            k.fault("the API stops reading for a while");
            k.connections[id].paused = true;
            k.connections[id].excused = true;
            let pause = k.rng.u64(MILLISECOND..3 * SECOND);
            k.schedule(pause, Happening::Resume(id));
            return;
        }
        let bytes = k.api_reads(id, wakers);
        if let Some(peer) = self.peer(id)
            && !bytes.is_empty()
        {
            peer.server.receive(&bytes);
            self.drive(k, id, wakers);
        }
    }

    /// Notices that a connection has ended.
    fn check_ended(&mut self, k: &mut Kernel, id: usize, wakers: &mut Wakers) {
        let Some(connection) = k.connections.get(id) else { return };
        if connection.api_closed {
            self.lose(id);
            return;
        }
        let ended = connection.to_api.ended.filter(|_| connection.to_api.read == connection.to_api.delivered);
        let Some(peer) = self.peer(id) else { return };
        match ended {
            Some(End::Fin) => peer.server.end_of_input(),
            Some(End::Reset) => peer.server.disconnected(),
            None => return,
        }
        self.drive(k, id, wakers);
        self.lose(id);
    }

    /// The API closes its side of the connection.
    fn lose(&mut self, id: usize) {
        let Some(peer) = self.peers.get_mut(id).and_then(Option::take) else { return };
        if let Some(received) = peer.receiving
            && let Some(record) = self.record(received.number)
            && record.is_stream
        {
            // The caller sees that the response is incomplete.
            self.end(received.number, How::Interrupted);
        }
    }

    /// The runtime has logged something.
    pub fn logged(&mut self, k: &mut Kernel, line: &Line) {
        match (line.message.as_str(), line.attempt) {
            ("worker restarted", attempt) if !matches!(attempt, Some(1..=4)) => {
                k.fail(format!("a worker is restarted after {attempt:?} failures"));
            }
            ("worker stopped", attempt) if attempt != Some(5) => {
                k.fail(format!("a worker is stopped after {attempt:?} failures"));
            }
            ("initialization failed" | "SnapStart failed", _) => self.start_logged = true,
            ("graceful shutdown unavailable", _) => self.logged.push("graceful shutdown unavailable"),
            ("extension ended", _) => self.logged.push("extension ended"),
            ("connection lost", _) if line.all.ends_with("error_message=closed by the peer") => {
                k.fail("a connection that the API closed between two messages is reported as lost");
            }
            _ => {}
        }
        let Some(number) = line.request_id.as_deref().and_then(number_of) else { return };
        let Some(record) = self.record(number) else { return };
        let account = k.ledger.account(number);
        account.logged += 1;
        let lost_posts = account.lost_posts;
        // A large response is refused whether it is repeated or not.
        if matches!((line.message.as_str(), lost_posts), ("response refused", 1..) | ("repeated response refused", 0))
            && !line.all.contains("status=413")
        {
            k.fail(format!("invocation {number}: {:?} after {lost_posts} lost connections", line.message));
        }
        let is_over = record.end.is_some();
        if !is_over && line.error_type.as_deref().is_some_and(|error_type| error_type.ends_with("DeadlineNear")) {
            let margin = DEADLINE_MARGIN.as_nanos() as Nanos;
            let deadline = record.deadline;
            // An event may arrive after its time.
            let expected = (deadline - margin).max(k.ledger.account(number).handled_at);
            // Busy tasks delay it a little.
            if k.now < expected - MILLISECOND || k.now > expected + margin / 2 {
                k.fail(format!("invocation {number} was ended {} ns after its time", k.now as i64 - expected as i64));
            }
        }
    }

    /// The function has closed its end.
    pub fn closed_by_function(&mut self, k: &mut Kernel, id: usize) {
        // An event that was not read completely is delivered again.
        if let Some((number, _)) = k.connections[id].event.take() {
            k.note("the event of invocation # was lost", &[number]);
            self.queue.push_front(number);
            self.wake_waiting(k);
        }
    }

    /// Retries waiting requests.
    pub fn wake_waiting(&mut self, k: &mut Kernel) {
        for id in 0..self.peers.len() {
            if self.peer(id).is_some_and(|peer| peer.waiting) {
                let think = k.rng.u64(0..50 * MICROSECOND);
                k.schedule(think, Happening::Deliver(id));
            }
        }
    }

    /// Whether the sandbox has been killed.
    pub fn is_killed(&self) -> bool {
        self.killed
    }

    fn end(&mut self, number: u64, how: How) {
        if let Some(record) = self.record(number)
            && record.end.is_none()
        {
            record.end = Some(how);
            record.invocation = None;
            self.over += 1;
            self.rouse = true;
        }
    }

    /// Drives the server until it needs input.
    fn drive(&mut self, k: &mut Kernel, id: usize, wakers: &mut Wakers) {
        loop {
            let Some(peer) = self.peer(id) else { return };
            match peer.server.poll_output() {
                Output::Transmit(slices) => {
                    let bytes = slices.concat_bytes();
                    peer.server.sent(bytes.len());
                    k.api_writes(id, &bytes);
                }
                Output::Event(Event::Request(request)) => self.request(k, id, &request),
                Output::Event(Event::Data(data)) => self.data(k, id, &data),
                Output::Event(Event::End(trailers)) => self.request_complete(k, id, &trailers, wakers),
                Output::Receive | Output::Idle => return,
                Output::Closed(reason) => {
                    match reason {
                        CloseReason::Peer(PeerError::UnexpectedEnd(_)) | CloseReason::ClosedByPeer => {}
                        CloseReason::Peer(error) => k.fail(format!("the runtime violates HTTP: {error}")),
                        _ => {}
                    }
                    k.api_closes(id);
                    self.lose(id);
                    return;
                }
            }
        }
    }

    /// Writes the server's output. Returns the offset at which its head ends.
    fn flush(&mut self, k: &mut Kernel, id: usize) -> u64 {
        let bytes = self.take_output(id);
        let head = head_len(&bytes);
        let end = k.connections[id].sent_by_api() + head as u64;
        k.api_writes(id, &bytes);
        end
    }

    /// Takes the server's output.
    fn take_output(&mut self, id: usize) -> Vec<u8> {
        let Some(peer) = self.peer(id) else { return Vec::new() };
        // Polled once: the next output may be the event of a pipelined request.
        let Output::Transmit(slices) = peer.server.poll_output() else { return Vec::new() };
        let bytes = slices.concat_bytes();
        peer.server.sent(bytes.len());
        bytes
    }

    fn simple_reply(&mut self, k: &mut Kernel, id: usize, reply: Reply) {
        if let Some(peer) = self.peer(id) {
            let _ = peer.server.reply(reply);
            self.flush(k, id);
        }
    }

    /// Ends invocations whose outcome cannot arrive any more. Fails if it should have arrived.
    pub fn settle_lost(&mut self, k: &mut Kernel) {
        for index in 0..self.records.len() {
            let number = self.plan.first + index as u64;
            let record = &self.records[index];
            if record.end.is_some() || self.queue.contains(&number) {
                continue;
            }
            let account = k.ledger.account(number).clone();
            if account.reads == 0 || account.reads < record.deliveries && !account.posted {
                continue;
            }
            let is_lost = if record.is_stream { account.lost_posts > 0 } else { account.lost_posts >= 6 };
            if !is_lost {
                k.fail(format!(
                    "an event was requested and invocation {number} has no outcome; it was read {} times, handled {}, \
                     and {} connections were lost with its outcome",
                    account.reads, account.handled, account.lost_posts
                ));
            } else if account.logged == 0 {
                k.fail(format!("the outcome of invocation {number} was lost, and that was not logged"));
            }
            self.end(number, How::Interrupted);
        }
    }

    /// Checks the final state, once nothing else can happen.
    pub fn check_at_the_end(&mut self, k: &mut Kernel, killed: bool) {
        if !killed {
            self.settle_lost(k);
            self.check_log(k);
        }
        // A process that exits may have read a part of a reply.
        let is_cut_short = killed || k.process.terminated.is_some();
        for index in 0..self.records.len() {
            let number = self.plan.first + index as u64;
            let record = &self.records[index];
            let account = k.ledger.account(number).clone();
            if account.refused && account.logged == 0 && !is_cut_short {
                k.fail(format!("the outcome of invocation {number} was refused, and that was not logged"));
            }
            if record.is_readable && account.handled < account.reads && !is_cut_short {
                k.fail(format!(
                    "the event of invocation {number} was read {} times and handled {} times",
                    account.reads, account.handled
                ));
            }
        }
        if !killed && self.over < self.plan.count {
            k.fail(format!("{} of {} invocations are over", self.over, self.plan.count));
        }
    }
}

impl Peer {
    fn new() -> Self {
        Self {
            server: Server::new(Limits::default()),
            receiving: None,
            report: None,
            endpoint: None,
            again: None,
            waiting: false,
            holding: None,
            owes: None,
            replied_early: false,
            not_before: 0,
        }
    }
}

/// A refusal with the API's message.
fn refusal(status: u16) -> Reply {
    Reply::new(status).json(refusal_body(status))
}

fn head_len(bytes: &[u8]) -> usize {
    bytes.windows(4).position(|window| window == b"\r\n\r\n").map_or(bytes.len(), |at| at + 4)
}

/// The bytes of slices.
trait ConcatBytes {
    fn concat_bytes(&self) -> Vec<u8>;
}

impl ConcatBytes for [std::io::IoSlice<'_>] {
    fn concat_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.iter().map(|slice| slice.len()).sum());
        self.iter().for_each(|slice| bytes.extend_from_slice(slice));
        bytes
    }
}
