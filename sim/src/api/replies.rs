//! Replies to the runtime: events, acknowledgements, refusals, and faults of all of them.

use http::{HeaderName, HeaderValue};
use lambda_runtime_proto::Limits;
use lambda_runtime_proto::server::Reply;
use workload::{Defect, INTERIM, INVALID_REPLIES, InvalidReply, LARGEST_EVENT, request_id};

use super::{Api, How, Owed, Record, head_len, refusal};
use crate::connection::{Cut, ReplyHead, Side, Wakers};
use crate::draw;
use crate::executor::Sim;
use crate::kernel::{Happening, Kernel, MILLISECOND, SECOND};
use crate::layers::Around;
use crate::plan::Ending;
use crate::trace::Nanos;

/// Timeout of an invocation that completes.
const LONG: Nanos = 900 * SECOND;

/// Timeout of an invocation that is stuck.
const SHORT: Nanos = 3 * SECOND;

impl Api {
    /// Replies to a request for an event.
    pub(super) fn deliver(&mut self, k: &mut Kernel, id: usize, wakers: &mut Wakers) {
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
        let has_deadline_layer = self.plan.around == Around::Deadline;
        let is_last = self.begun() + 1 == self.plan.count;
        let times_out = is_last && self.plan.ending == Ending::TimeOut;
        let invocation =
            draw::invocation(number, &mut k.rng, has_deadline_layer || times_out, self.altered == Some(number));
        self.largest = self.largest.max(invocation.event.len()).max(invocation.body_len());
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

    fn reply_to_next(&mut self, k: &mut Kernel, id: usize, reply: Reply, not_before: Nanos, wakers: &mut Wakers) {
        if let Some(peer) = self.peer(id) {
            peer.waiting = false;
            peer.not_before = k.now + not_before;
        }
        self.simple_reply(k, id, reply);
        self.drive(k, id, wakers);
    }

    fn write_event(&mut self, k: &mut Kernel, id: usize, number: u64, wakers: &mut Wakers) {
        let now = k.now;
        let Some(record) = self.record(number) else { return };
        record.deliveries += 1;
        let Some(invocation) = &record.invocation else { return };
        let is_stuck = invocation.is_stuck;
        let deadline = now + if is_stuck { SHORT } else { LONG };
        let is_too_large = invocation.defect == Some(Defect::TooLarge);
        let body = if is_too_large { bytes::Bytes::from_static(b"[0") } else { invocation.event.clone() };
        let name = HeaderName::from_static;
        let trace_id = HeaderValue::from_static("Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=1");
        let mut reply = Reply::event(&request_id(number), Sim::since_unix_epoch(deadline), body)
            .header(name("lambda-runtime-invoked-function-arn"), HeaderValue::from_static("arn:aws:lambda:f"))
            .header(name("lambda-runtime-trace-id"), trace_id);
        if let Some(invocation_id) = &invocation.invocation_id {
            let value = HeaderValue::from_str(invocation_id).expect("a header value");
            reply = reply.header(name("lambda-runtime-invocation-id"), value);
        }
        if invocation.defect == Some(Defect::BadHeader) {
            reply = reply.header(name("lambda-runtime-client-context"), HeaderValue::from_static("not JSON"));
        }
        record.deadline = deadline;
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
            k.api_writes(id, INTERIM.as_bytes());
        }
        let start = k.connections[id].sent_by_api();
        let len = bytes.len() as u64;
        // The function need not read more than the head of an event that is too large.
        let end = if is_too_large { start + len - 2 } else { start + len };
        k.connections[id].event = Some((number, end));
        if k.chance(150) {
            let at = start + if k.rng.u32(0..3) == 0 { len } else { k.rng.u64(0..=len) };
            let cut = k.draw_cut();
            k.cut(id, Side::Function, at, cut);
        }
        if k.chance(100) {
            let expected =
                self.record(number).and_then(|record| record.invocation.as_ref()).map_or(0, |i| 300 + i.body_len());
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
    pub(super) fn acknowledge(&mut self, k: &mut Kernel, id: usize, wakers: &mut Wakers) {
        if k.connections[id].api_closed {
            return;
        }
        let Some(owed) = self.peer(id).and_then(|peer| peer.owes.take()) else { return };
        let number = match owed {
            Owed::Outcome(number) | Owed::Late(number) => number,
        };
        if self.record(number).is_some_and(|record| record.unlucky) && matches!(owed, Owed::Outcome(_)) {
            // Until the outcome has been sent for the last time.
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
        if self.garbage < 2 && matches!(owed, Owed::Outcome(_)) && k.chance(12) {
            return self.acknowledge_at_limit(k, id, number);
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
            k.api_writes(id, INTERIM.as_bytes());
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
            // The function gives up on the connection after a timeout.
            self.lose(id);
        }
    }

    /// Acknowledges an outcome with a head that is as large as it may be, or larger, which is a violation of HTTP.
    fn acknowledge_at_limit(&mut self, k: &mut Kernel, id: usize, number: u64) {
        let limits = Limits::default();
        let is_over = k.rng.bool();
        let Some(peer) = self.peer(id) else { return };
        let _ = peer.server.reply(Reply::accepted());
        let bytes = self.take_output(id);
        let head = &bytes[..head_len(&bytes)];
        // The status line and the empty line are not fields.
        let fields = head.windows(2).filter(|window| window == b"\r\n").count() - 2;
        // A few bytes at a time, the largest head would take most of the time of the simulation.
        let padding = if k.rng.u32(0..8) == 0 && !k.connections[id].dribbles {
            self.largest = self.largest.max(limits.head);
            format!("\r\nP: {}", "x".repeat(limits.head + usize::from(is_over) - head.len() - "\r\nP: ".len()))
        } else {
            "\r\nP: x".repeat(limits.headers + usize::from(is_over) - fields)
        };
        let bytes = replace(&bytes, b"\r\n", format!("{padding}\r\n").as_bytes());
        let end = k.connections[id].sent_by_api() + head_len(&bytes) as u64;
        if is_over {
            k.fault("a head is too large");
            self.garbage += 1;
            k.connections[id].excused = true;
        } else {
            k.fault("a head is as large as it may be");
            self.garbage = 0;
            k.connections[id].reply = Some(ReplyHead { number, end, refuses: false });
            self.end(number, How::Accepted);
        }
        k.api_writes(id, &bytes);
        if is_over {
            k.api_closes(id);
            self.lose(id);
        }
    }

    /// Writes a violation of HTTP. Returns the length of its head, if that is valid.
    fn write_garbage(&mut self, k: &mut Kernel, id: usize) -> Option<u64> {
        k.fault("the API violates HTTP");
        let InvalidReply { valid_head, rest } = INVALID_REPLIES[k.rng.usize(..INVALID_REPLIES.len())];
        k.connections[id].excused = true;
        k.api_writes(id, &[valid_head, rest].concat().into_bytes());
        k.api_closes(id);
        self.lose(id);
        (!valid_head.is_empty()).then_some(valid_head.len() as u64)
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
            Ending::Shutdown => {}
            Ending::Retire | Ending::TimeOut => {
                k.schedule(0, Happening::Kill);
            }
        }
    }
}

fn replace(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let at = bytes.windows(from.len()).position(|window| window == from).expect("it is there");
    [&bytes[..at], to, &bytes[at + from.len()..]].concat()
}
