//! Requests of the runtime: outcomes, and requests for events.

use lambda_runtime_proto::Endpoint;
use lambda_runtime_proto::server::{Reply, Request, Route, Trailers};
use workload::{Excuses, number_of};

use super::{Api, How, Owed, refusal};
use crate::connection::{Cut, ReplyHead, Side, Wakers};
use crate::kernel::{Happening, Kernel, MILLISECOND, SECOND};
use crate::layers::DEADLINE_MARGIN;
use crate::trace::Nanos;

impl Api {
    /// The head of a request has arrived.
    pub(super) fn request(&mut self, k: &mut Kernel, id: usize, request: &Request) {
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
        match endpoint {
            Endpoint::InitError | Endpoint::RestoreError => return self.begin_report(k, id, endpoint, request),
            _ if !endpoint.posts_outcome() => return,
            _ => {}
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
        let is_late = now + DEADLINE_MARGIN.as_nanos() as Nanos >= record.deadline;
        match invocation.begin(request, Excuses { is_undelivered: account.lost_posts >= 5, is_late }) {
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

    pub(super) fn data(&mut self, k: &mut Kernel, id: usize, data: &[u8]) {
        let Some(peer) = self.peer(id) else { return };
        if let Some(report) = &mut peer.report {
            return report.body.extend_from_slice(data);
        }
        let Some(mut received) = peer.receiving.take() else { return };
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
    pub(super) fn request_complete(&mut self, k: &mut Kernel, id: usize, trailers: &Trailers, wakers: &mut Wakers) {
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
                    (Some(mut received), _) => {
                        let number = received.number;
                        let now = k.now;
                        let logged = k.ledger.account(number).logged;
                        if let Some(record) = self.record(number)
                            && let Some(invocation) = &record.invocation
                        {
                            if record.fails && logged == 0 {
                                k.fail(format!("the failure of invocation {number} is reported and not logged"));
                            }
                            let is_late = now + DEADLINE_MARGIN.as_nanos() as Nanos >= record.deadline;
                            let excuses = Excuses { is_late, ..Excuses::default() };
                            if let Err(violation) = invocation.end(&mut received, trailers, excuses) {
                                k.fail(violation);
                            }
                        }
                        // Another outcome may have arrived on another connection meanwhile.
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
            Some(Endpoint::RestoreNext) => self.restore_requested(k, id),
            Some(Endpoint::InitError | Endpoint::RestoreError) => self.report_complete(k, id),
            Some(Endpoint::RegisterExtension) => self.extension_registers(k, id),
            Some(Endpoint::NextExtensionEvent) => self.extension_waits(k, id),
            Some(endpoint) => k.fail(format!("{endpoint} was requested for no reason")),
            None => {}
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
        let idle = is_current
            && self.over == self.begun()
            && !self.ending
            && k.process.terminated.is_none()
            && self.rested < self.over;
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
}
