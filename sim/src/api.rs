//! Lambda's side: a queue of events, one `Server` for each connection, and faults.

use std::collections::VecDeque;

use http::{HeaderName, HeaderValue};
use lambda_runtime_proto::server::{Event, Reply, Request, Route, Server, Trailers};
use lambda_runtime_proto::{CloseReason, Endpoint, Limits, Output, PeerError};

use crate::connection::{Cut, End, ReplyHead, Side, Wakers};
use crate::executor::Sim;
use crate::ids::{number_of, request_id};
use crate::invocation::{Invocation, Kinds, LARGEST_EVENT, Received};
use crate::kernel::{Happening, Kernel, MICROSECOND, MILLISECOND, SECOND};
use crate::layers::{Around, DEADLINE_MARGIN};
use crate::log::Line;
use crate::plan::{Ending, Plan};
use crate::trace::Nanos;

/// A violation of HTTP by the API. Five in a row end `run`.
/// With the length of its head if that is valid.
const GARBAGE: [(&[u8], Option<u64>); 6] = [
    (b"SSH-2.0-OpenSSH\r\n", None),
    (b"HTTP/1.1 200 OK\nContent-Length: 0\n\n", None),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 1\r\n\r\n", None),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n", None),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", Some(47)),
    (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", None),
];

const INTERIM: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";

/// Timeout of an invocation that completes.
const LONG: Nanos = 900 * SECOND;

/// Timeout of an invocation that is stuck.
const SHORT: Nanos = 3 * SECOND;

/// Lambda, as one sandbox sees it.
pub struct Api {
    plan: Plan,
    peers: Vec<Option<Box<Peer>>>,
    records: Vec<Record>,
    /// Events to be delivered again.
    queue: VecDeque<u64>,
    /// Consecutive violations of HTTP, which end `run` when there are five.
    garbage: u32,
    /// The sandbox is frozen: no task runs.
    pub frozen: bool,
    /// The end of the sandbox has begun.
    pub ending: bool,
    /// Invocations that are over.
    pub over: u64,
    killed: bool,
    /// The last invocation is over, so requests that were left waiting have a reply now.
    rouse: bool,
    /// Bytes of the largest event or outcome.
    pub largest: usize,
    /// When the API disappeared for good.
    pub gone_since: Option<Nanos>,
    /// Invocations that were over when the sandbox was frozen last.
    rested: u64,
}

/// The API's side of a connection.
struct Peer {
    server: Server,
    /// The outcome that is being received.
    receiving: Option<Received>,
    /// The request that is being received.
    endpoint: Option<Endpoint>,
    /// The outcome of an invocation that has one.
    again: Option<u64>,
    /// A request for an event has no reply.
    waiting: bool,
    /// The invocation that was delivered on this connection.
    holding: Option<u64>,
    /// A request has no reply yet.
    owes: Option<Owed>,
    /// A reply was sent before its request was complete.
    replied_early: bool,
    /// The next request may not arrive earlier.
    not_before: Nanos,
}

/// The reply that the API will send.
#[derive(Debug, Clone, Copy)]
enum Owed {
    /// To a complete outcome.
    Outcome(u64),
    /// To an outcome of an invocation that is over.
    Late(u64),
}

/// The API's record of an invocation.
struct Record {
    /// While it is in hand.
    invocation: Option<Box<Invocation>>,
    is_stream: bool,
    fails: bool,
    is_readable: bool,
    deliveries: u32,
    /// Replies to its outcome are lost again and again.
    unlucky: bool,
    /// Streams whose head arrived.
    streams: u32,
    deadline: Nanos,
    end: Option<How>,
}

/// How an invocation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    Accepted,
    Refused,
    /// The connection was lost in a stream, or an outcome was interrupted too often.
    Interrupted,
}

impl Api {
    pub fn new(plan: Plan) -> Self {
        Self {
            plan,
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
            k.note(&format!("{happening:?}"), &[]);
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
    }

    fn record(&mut self, number: u64) -> Option<&mut Record> {
        let index = usize::try_from(number.checked_sub(self.plan.first)?).ok()?;
        self.records.get_mut(index)
    }

    fn peer(&mut self, id: usize) -> Option<&mut Peer> {
        self.peers.get_mut(id)?.as_deref_mut()
    }

    /// Reads what has arrived.
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
            _ => {}
        }
        let Some(number) = line.request_id.as_deref().and_then(number_of) else { return };
        let Some(record) = self.record(number) else { return };
        k.ledger.account(number).logged += 1;
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

    /// The sandbox is killed now.
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

    /// The head of a request has arrived.
    fn request(&mut self, k: &mut Kernel, id: usize, request: &Request) {
        let Route::Api(endpoint, request_id) = request.route() else {
            k.fail(format!("{} {} is not a request of the Runtime API", request.method(), request.path()));
            return;
        };
        if request.headers().get_str("host") != Some("sandbox:9001") {
            k.fail("the header Host is missing or wrong");
        }
        if k.connections[id].must_end && !self.plan.pipelining {
            k.fail(format!("connection {id} is used after it had to be closed"));
        }
        if let Some(peer) = self.peer(id) {
            peer.endpoint = Some(endpoint);
            peer.again = None;
            peer.replied_early = false;
        }
        if !endpoint.posts_outcome() {
            return;
        }
        let number = number_of(request_id);
        let now = k.now;
        let Some(record) = number.and_then(|number| self.record(number)) else {
            k.fail(format!("an outcome of {request_id:?}, which does not exist"));
            return;
        };
        let number = number.unwrap_or_default();
        record.streams += u32::from(request.is_streaming());
        let account = k.ledger.account(number).clone();
        k.note("the head of an outcome of invocation # has arrived", &[number]);
        if account.reads == 0 {
            k.fail(format!("invocation {number} has an outcome and its event was not read"));
        }
        if record.fails && !record.is_stream && account.logged == 0 {
            k.fail(format!("the failure of invocation {number} is reported and not logged"));
        }
        if record.streams > 1 {
            k.fail(format!("the stream of invocation {number} is sent again"));
        }
        let Some(invocation) = &record.invocation else {
            if let Some(peer) = self.peer(id) {
                peer.again = Some(number);
            }
            return;
        };
        let late = now + DEADLINE_MARGIN.as_nanos() as Nanos >= record.deadline;
        match invocation.begin(request, endpoint, account.lost_posts >= 5, late) {
            Err(violation) => k.fail(violation),
            Ok(received) => {
                if let Some(peer) = self.peer(id) {
                    peer.receiving = Some(received);
                }
            }
        }
        if k.chance(150) {
            self.reply_early(k, id, number);
        }
    }

    /// Replies to an outcome before it is complete.
    fn reply_early(&mut self, k: &mut Kernel, id: usize, number: u64) {
        let accept = k.rng.bool();
        let Some(peer) = self.peer(id) else { return };
        peer.receiving = None;
        peer.replied_early = true;
        k.connections[id].excused = true;
        let reply = if accept { Reply::accepted() } else { refusal(413) };
        let _ = peer.server.reply(reply);
        k.fault(if accept { "an outcome is accepted early" } else { "an outcome is refused early" });
        let end = self.flush(k, id);
        k.connections[id].reply = Some(ReplyHead { number, end, refuses: !accept });
        self.end(number, if accept { How::Accepted } else { How::Refused });
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
        // Once: afterwards there may be an event, of a request that was pipelined.
        let Output::Transmit(slices) = peer.server.poll_output() else { return Vec::new() };
        let bytes = slices.concat_bytes();
        peer.server.sent(bytes.len());
        bytes
    }

    fn data(&mut self, k: &mut Kernel, id: usize, data: &[u8]) {
        let Some(mut received) = self.peer(id).and_then(|peer| peer.receiving.take()) else { return };
        let number = received.number;
        if let Some(invocation) = self.record(number).and_then(|record| record.invocation.as_deref()) {
            if let Err(violation) = invocation.data(&mut received, data) {
                k.fail(violation);
            }
            if let Some(peer) = self.peer(id) {
                peer.receiving = Some(received);
            }
        } else if let Some(peer) = self.peer(id) {
            // An outcome has arrived on another connection meanwhile.
            peer.again = Some(number);
        }
    }

    /// A request is complete.
    fn request_complete(&mut self, k: &mut Kernel, id: usize, trailers: &Trailers, wakers: &mut Wakers) {
        let Some(peer) = self.peer(id) else { return };
        if peer.replied_early {
            return;
        }
        match peer.endpoint {
            Some(Endpoint::Next) => {
                peer.waiting = true;
                peer.holding = None;
                self.next_requested(k, id);
            }
            Some(endpoint) if endpoint.posts_outcome() => {
                let owed = match (peer.receiving.take(), peer.again) {
                    (Some(received), _) => {
                        let number = received.number;
                        let now = k.now;
                        let logged = k.ledger.account(number).logged;
                        if let Some(record) = self.record(number)
                            && let Some(invocation) = &record.invocation
                        {
                            if record.fails && logged == 0 {
                                k.fail(format!("the failure of invocation {number} is reported and not logged"));
                            }
                            let late = now + DEADLINE_MARGIN.as_nanos() as Nanos >= record.deadline;
                            if let Err(violation) = invocation.end(&received, trailers, late) {
                                k.fail(violation);
                            }
                        }
                        // Another one may have arrived on another connection meanwhile.
                        if self.record(number).is_some_and(|record| record.end.is_some()) {
                            Owed::Late(number)
                        } else {
                            Owed::Outcome(number)
                        }
                    }
                    (None, Some(number)) => Owed::Late(number),
                    (None, None) => return,
                };
                if let Some(peer) = self.peer(id) {
                    peer.owes = Some(owed);
                }
                if k.rng.bool() {
                    let think = k.rng.u64(0..MILLISECOND);
                    k.schedule(think, Happening::Acknowledge(id));
                } else {
                    self.acknowledge(k, id, wakers);
                }
            }
            Some(Endpoint::RestoreNext) => {
                k.note("the sandbox is restored", &[]);
                k.connections[id].excused = true;
                k.connections[id].must_end = true;
                self.simple_reply(k, id, Reply::new(200));
            }
            Some(Endpoint::RegisterExtension) => {
                let identifier = HeaderName::from_static("lambda-extension-identifier");
                let reply = Reply::new(200).header(identifier, HeaderValue::from_static("1")).json("{}");
                self.simple_reply(k, id, reply);
            }
            Some(Endpoint::NextExtensionEvent) => {}
            Some(endpoint) => k.fail(format!("{endpoint} was requested for no reason")),
            None => {}
        }
    }

    fn simple_reply(&mut self, k: &mut Kernel, id: usize, reply: Reply) {
        if let Some(peer) = self.peer(id) {
            let _ = peer.server.reply(reply);
            self.flush(k, id);
        }
    }

    /// The function requests an event.
    fn next_requested(&mut self, k: &mut Kernel, id: usize) {
        if self.peer(id).is_some_and(|peer| k.now < peer.not_before) {
            k.fail("a request for an event is repeated without a delay");
        }
        // A request on a connection that the function has left may arrive late.
        let is_current = self.plan.workers == 1 && !k.connections[id].function_closed;
        if is_current {
            self.settle_lost(k);
        }
        let idle = is_current && self.over == self.begun() && !self.ending && self.rested < self.over;
        if idle && k.chance(if self.plan.freezes { 3000 } else { 0 }) {
            self.rested = self.over;
            k.fault("the sandbox is frozen");
            self.frozen = true;
            let duration = MILLISECOND << k.rng.u32(0..22);
            k.schedule(duration, Happening::Thaw);
            if k.chance(1500) {
                k.fault("a connection is lost while the sandbox is frozen");
                let cut = k.draw_cut();
                let at = k.connections[id].to_function.delivered;
                k.cut(id, Side::Function, at, cut);
                k.schedule(duration / 2, Happening::Arrival(id, Side::Function));
            }
            return;
        }
        if idle && k.chance(10) {
            self.rested = self.over;
            k.fault("the API is down for a while");
            k.outage = true;
            k.unanswered_left = 0;
            let at = k.connections[id].to_function.delivered;
            k.cut(id, Side::Function, at, Cut::Reset(false));
            k.schedule(0, Happening::Arrival(id, Side::Function));
            let duration = k.rng.u64(MILLISECOND..5 * SECOND);
            k.schedule(duration, Happening::Recover);
            return;
        }
        let think = if k.rng.u32(0..4) == 0 { k.rng.u64(0..20 * MILLISECOND) } else { 0 };
        k.schedule(think, Happening::Deliver(id));
    }

    /// Ends invocations whose outcome will never come, and finds those whose outcome should have come.
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

    /// The number of the invocation that is delivered next.
    fn next_number(&mut self, k: &mut Kernel) -> Option<u64> {
        while let Some(number) = self.queue.pop_front() {
            if self.record(number).is_some_and(|record| record.end.is_none()) {
                return Some(number);
            }
        }
        let busy = self.plan.workers == 1 && self.over < self.begun();
        if busy || self.begun() == self.plan.count || self.ending {
            return None;
        }
        let number = self.plan.first + self.begun();
        let kinds = Kinds { has_deadline_layer: self.plan.around == Around::Deadline };
        let is_last = self.begun() + 1 == self.plan.count;
        let times_out = is_last && self.plan.ending == Ending::TimeOut;
        let invocation = Invocation::draw(number, &mut k.rng, kinds, kinds.has_deadline_layer || times_out);
        self.largest = self.largest.max(invocation.event.len()).max(invocation.outcome_len());
        self.records.push(Record {
            is_stream: invocation.is_stream(),
            fails: invocation.fails() && !(invocation.is_stuck && times_out),
            is_readable: invocation.is_readable(),
            invocation: Some(Box::new(invocation)),
            deliveries: 0,
            unlucky: k.chance(15),
            streams: 0,
            deadline: 0,
            end: None,
        });
        k.unanswered_left = 1;
        Some(number)
    }

    /// Replies to a request for an event.
    fn deliver(&mut self, k: &mut Kernel, id: usize, wakers: &mut Wakers) {
        if self.frozen || k.connections[id].api_closed || !self.peer(id).is_some_and(|peer| peer.waiting) {
            return;
        }
        if self.garbage < 2 && k.chance(20) {
            self.garbage += 1;
            let _ = self.write_garbage(k, id);
            return;
        }
        if k.chance(20) {
            k.fault("a request for an event has no event");
            let reply = if k.rng.bool() { Reply::new(204) } else { Reply::new(200).json("{}") };
            return self.reply_to_next(k, id, reply, 100 * MILLISECOND, wakers);
        }
        if k.chance(20) {
            k.fault("408 Request Timeout");
            k.connections[id].excused = true;
            return self.reply_to_next(k, id, Reply::new(408).close(), 0, wakers);
        }
        let Some(number) = self.next_number(k) else {
            if self.over == self.begun() {
                self.finish(k, id, wakers);
            }
            return;
        };
        self.write_event(k, id, number, wakers);
    }

    fn reply_to_next(&mut self, k: &mut Kernel, id: usize, reply: Reply, not_before: Nanos, wakers: &mut Wakers) {
        if let Some(peer) = self.peer(id) {
            peer.waiting = false;
            peer.not_before = k.now + not_before;
        }
        self.simple_reply(k, id, reply);
        self.drive(k, id, wakers);
    }

    /// Returns the length of a valid head, if the garbage starts with one.
    fn write_garbage(&mut self, k: &mut Kernel, id: usize) -> Option<u64> {
        k.fault("the API violates HTTP");
        let (garbage, head) = GARBAGE[k.rng.usize(..GARBAGE.len())];
        k.connections[id].excused = true;
        k.api_writes(id, garbage);
        k.api_closes(id);
        self.lose(id);
        head
    }

    fn write_event(&mut self, k: &mut Kernel, id: usize, number: u64, wakers: &mut Wakers) {
        let now = k.now;
        let Some(record) = self.record(number) else { return };
        record.deliveries += 1;
        let Some(invocation) = &record.invocation else { return };
        let is_stuck = invocation.is_stuck;
        let deadline = now + if is_stuck { SHORT } else { LONG };
        let is_too_large = invocation.is_too_large;
        let header = |name: &'static str, value: &str| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).expect("a header value"))
        };
        let body = if is_too_large { bytes::Bytes::from_static(b"[0") } else { invocation.event.clone() };
        let mut reply = Reply::event(&request_id(number), Sim::since_unix_epoch(deadline), body);
        let mut headers = vec![
            header("lambda-runtime-invoked-function-arn", "arn:aws:lambda:f"),
            header("lambda-runtime-trace-id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=1"),
        ];
        if let Some(invocation_id) = &invocation.invocation_id {
            headers.push(header("lambda-runtime-invocation-id", invocation_id));
        }
        if invocation.has_bad_header {
            headers.push(header("lambda-runtime-client-context", "not JSON"));
        }
        record.deadline = deadline;
        for (name, value) in headers {
            reply = reply.header(name, value);
        }
        k.note("invocation # is delivered", &[number]);
        let style = k.rng.u32(0..20);
        let closes = k.chance(100);
        if closes {
            k.fault("a reply closes the connection");
            k.connections[id].excused = true;
            reply = reply.close();
        }
        let Some(peer) = self.peer(id) else { return };
        peer.waiting = false;
        peer.holding = Some(number);
        if style == 0 && !is_too_large {
            let _ = peer.server.stream(reply);
            let _ = peer.server.finish([]);
        } else {
            let _ = peer.server.reply(reply);
        }
        let mut bytes = self.take_output(id);
        if is_too_large {
            k.fault("an event is too large");
            k.connections[id].excused = true;
            let announced = format!("Content-Length: {}", LARGEST_EVENT + 1);
            bytes = replace(&bytes, b"Content-Length: 2", announced.as_bytes());
        }
        if style == 1 {
            k.api_writes(id, INTERIM);
        }
        let start = k.connections[id].sent_by_api();
        let len = bytes.len() as u64;
        // Of an event that is too large, the function need not read more than the head.
        let end = if is_too_large { start + len - 2 } else { start + len };
        k.connections[id].event = Some((number, end));
        if k.chance(150) {
            let at = start + if k.rng.u32(0..3) == 0 { len } else { k.rng.u64(0..=len) };
            let cut = k.draw_cut();
            k.cut(id, Side::Function, at, cut);
        }
        if k.chance(100) {
            let expected =
                self.record(number).and_then(|record| record.invocation.as_ref()).map_or(0, |i| i.outcome_len());
            let at = k.connections[id].to_api.delivered + k.rng.u64(0..=expected as u64);
            let cut = k.draw_cut();
            k.cut(id, Side::Api, at, cut);
        }
        k.api_writes(id, &bytes);
        if is_too_large {
            k.api_closes(id);
        }
        self.drive(k, id, wakers);
        if k.connections[id].function_closed {
            self.closed_by_function(k, id);
        }
        if is_stuck && self.plan.ending == Ending::TimeOut {
            k.schedule(SHORT, Happening::Kill);
        }
    }

    /// Replies to an outcome.
    fn acknowledge(&mut self, k: &mut Kernel, id: usize, wakers: &mut Wakers) {
        if k.connections[id].api_closed {
            return;
        }
        let Some(owed) = self.peer(id).and_then(|peer| peer.owes.take()) else { return };
        let number = match owed {
            Owed::Outcome(number) | Owed::Late(number) => number,
        };
        if self.record(number).is_some_and(|record| record.unlucky) && matches!(owed, Owed::Outcome(_)) {
            // As often as it takes.
            k.fault("a reply to an outcome is lost again");
            let cut = k.draw_cut();
            k.apply(id, cut, wakers);
            return;
        }
        if self.garbage < 2 && k.chance(20) {
            self.garbage += 1;
            let start = k.connections[id].sent_by_api();
            if let Some(head) = self.write_garbage(k, id) {
                // Whatever follows it, a valid head is an acknowledgement.
                let refuses = false;
                k.connections[id].reply = Some(ReplyHead { number, end: start + head, refuses });
                self.end(number, How::Accepted);
            }
            return;
        }
        if k.chance(20) {
            k.fault("408 Request Timeout");
            k.connections[id].excused = true;
            return self.simple_reply(k, id, Reply::new(408).close());
        }
        let mut how = How::Accepted;
        let mut reply = match owed {
            Owed::Late(_) => refusal(403),
            Owed::Outcome(_) if k.chance(200) => {
                k.fault("an outcome is refused");
                how = How::Refused;
                refusal([400, 403, 410, 413][k.rng.usize(..4)])
            }
            Owed::Outcome(_) => Reply::accepted(),
        };
        if k.chance(100) {
            k.fault("a reply closes the connection");
            k.connections[id].excused = true;
            reply = reply.close();
        }
        let long = matches!(owed, Owed::Outcome(_)) && k.chance(12);
        if long {
            let is_too_long = k.rng.bool();
            if is_too_long {
                k.fault("a reply is too long");
                k.connections[id].excused = true;
                k.connections[id].must_end = true;
            } else {
                k.fault("a reply is as long as it may be");
            }
            reply = reply.body("x".repeat(64 * 1024 + usize::from(is_too_long)));
        }
        let unfinished = !long && k.chance(30);
        if k.chance(60) {
            k.api_writes(id, INTERIM);
        }
        let Some(peer) = self.peer(id) else { return };
        if unfinished {
            let _ = peer.server.stream(reply);
            k.fault("a reply is incomplete");
            k.connections[id].excused = true;
        } else {
            let _ = peer.server.reply(reply);
        }
        let start = k.connections[id].sent_by_api();
        let bytes = self.take_output(id);
        let head = head_len(&bytes) as u64;
        let refuses = how == How::Refused || matches!(owed, Owed::Late(_));
        k.connections[id].reply = Some(ReplyHead { number, end: start + head, refuses });
        if k.chance(150) {
            let at = start + k.rng.u64(0..=bytes.len() as u64);
            let cut = k.draw_cut();
            k.cut(id, Side::Function, at, cut);
        }
        k.api_writes(id, &bytes);
        let garbage = !unfinished && self.garbage < 2 && k.chance(30);
        if let Owed::Outcome(_) = owed {
            self.end(number, how);
            self.garbage = 0;
        }
        if garbage {
            k.fault("bytes follow a reply");
            k.connections[id].excused = true;
            k.api_writes(id, b"unsolicited\r\n");
            k.api_closes(id);
        }
        if unfinished || garbage {
            // The function does not wait forever.
            self.lose(id);
        }
    }

    /// Everything was delivered and is over: ends the sandbox.
    fn finish(&mut self, k: &mut Kernel, id: usize, wakers: &mut Wakers) {
        if !std::mem::replace(&mut self.ending, true) {
            self.rouse = true;
            k.ending = true;
        }
        match self.plan.ending {
            Ending::Refuse => {
                k.note("the API refuses /next", &[]);
                self.reply_to_next(k, id, refusal(403), 0, wakers);
            }
            Ending::Outage => {
                k.fault("the API has disappeared");
                self.gone_since = Some(k.now);
                k.outage = true;
                k.apply(id, Cut::Reset(false), wakers);
                self.lose(id);
            }
            Ending::Garbage => {
                let _ = self.write_garbage(k, id);
            }
            Ending::Retire | Ending::TimeOut => {
                k.schedule(0, Happening::Kill);
            }
        }
    }

    /// Checks the final state, once nothing else can happen.
    pub fn check_at_the_end(&mut self, k: &mut Kernel, killed: bool) {
        if !killed {
            self.settle_lost(k);
        }
        for index in 0..self.records.len() {
            let number = self.plan.first + index as u64;
            let record = &self.records[index];
            let account = k.ledger.account(number).clone();
            if account.refused && account.logged == 0 && !killed {
                k.fail(format!("the outcome of invocation {number} was refused, and that was not logged"));
            }
            if record.is_readable && account.handled < account.reads && !killed {
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
    let error_type = match status {
        400 => "InvalidRequestID",
        403 => "InvalidStateTransition",
        410 => "InvocationTimedOut",
        _ => "RequestEntityTooLarge",
    };
    Reply::new(status).json(format!(r#"{{"errorMessage":"refused","errorType":"{error_type}"}}"#))
}

fn head_len(bytes: &[u8]) -> usize {
    bytes.windows(4).position(|window| window == b"\r\n\r\n").map_or(bytes.len(), |at| at + 4)
}

fn replace(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let at = bytes.windows(from.len()).position(|window| window == from).expect("it is there");
    [&bytes[..at], to, &bytes[at + from.len()..]].concat()
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
