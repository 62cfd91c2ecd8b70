//! A Runtime API that breaks connections, refuses outcomes and sends unusual HTTP, and tracks which request the function must
//! send next.
//!
//! ```text
//!              ┌──── the event is lost with its connection ────┐
//!              ▼                                               │
//!  /next ──► delivered ──► outcome ──► acknowledged or refused ──► over
//!    ▲         │             ▲   │
//!    │         │             └───┘ the connection broke before the acknowledgement: buffered outcomes are resent
//!    └─────────┘ it broke before the event was complete: /next is resent
//! ```

use std::sync::Arc;

use fastrand::Rng;
use lambda_runtime_proto::server::Request;
use workload::{Excuses, Invocation, request_id, seed_of};

use crate::connection::Break;
use crate::draw;
use crate::gauge::{Gauge, open_fds, resident_kib};
use crate::journal::Journal;
use crate::messages::CLOSE;
use crate::options::Options;
use crate::peer::{Peer, is_next};

/// The largest invocation that is measured: bytes of the event and the outcome.
const SMALL: usize = 128 * 1024;

/// Invocations between two measurements of memory and files.
const GAUGE_EVERY: u64 = 100;

pub struct Api {
    peer: Peer,
    options: Options,
    tally: Tally,
}

/// The API's results.
pub struct Tally {
    pub connections: u64,
    /// Events that were written completely and can be decoded.
    pub delivered: u64,
    /// Those that a reset may have destroyed before the function read them.
    pub lost: u64,
    pub memory: Gauge,
    pub fds: Gauge,
}

/// The request that the function must send next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expects {
    /// The outcome.
    Outcome,
    /// The outcome or /next, depending on what arrived before the connection broke.
    OutcomeOrNext,
}

/// The state of an invocation.
enum Stage {
    /// No further request is expected for it.
    Over,
    /// The function has not received the event.
    Lost,
}

impl Api {
    pub fn bind(options: Options, journal: Arc<Journal>) -> Result<Self, String> {
        let Options { invocations, pipelining, .. } = options;
        let (memory, fds) = (Gauge::new(invocations), Gauge::new(invocations));
        let peer = Peer::bind(pipelining, journal)?;
        Ok(Self { peer, options, tally: Tally { connections: 0, delivered: 0, lost: 0, memory, fds } })
    }

    pub fn address(&self) -> String {
        self.peer.address()
    }

    /// Serves all invocations, and then refuses /next.
    pub fn play(mut self) -> Result<Tally, String> {
        for number in 0..self.options.invocations {
            // Seeded by the number, so that earlier invocations have no influence.
            self.peer.rng = Rng::with_seed(seed_of(self.options.seed, number));
            let invocation = draw::invocation(number, &mut self.peer.rng);
            while let Stage::Lost = self.serve(&invocation)? {}
            self.peer.journal.count_served();
            // Only after a small invocation, because the function may not have freed its memory yet.
            if number % GAUGE_EVERY == 0 && invocation.event.len() + invocation.body_len() < SMALL {
                self.tally.memory.read(number, resident_kib());
                self.tally.fds.read(number, open_fds());
            }
        }
        if !self.peer.next_pending {
            self.peer.read_next()?;
        }
        self.peer.send_refusal(403, "")?;
        self.peer.wait_for_close()?;
        self.peer.expect_no_other_connection()?;
        self.tally.connections = self.peer.connections;
        Ok(self.tally)
    }

    fn serve(&mut self, invocation: &Invocation) -> Result<Stage, String> {
        let broken = self.deliver(invocation)?;
        let expects = match broken {
            Some(Break::Reset) => Expects::OutcomeOrNext,
            // A stream of which a part was written is not resent.
            Some(_) if invocation.is_stream() => Expects::OutcomeOrNext,
            _ => Expects::Outcome,
        };
        let stage = self.read_outcome(invocation, expects)?;
        if invocation.is_readable() {
            self.tally.delivered += 1;
            if matches!(stage, Stage::Lost) && broken == Some(Break::Reset) {
                self.tally.lost += 1;
            }
        }
        Ok(stage)
    }

    /// Replies to /next until the event has been written completely; returns how the connection was broken after it.
    fn deliver(&mut self, invocation: &Invocation) -> Result<Option<Break>, String> {
        let peer = &mut self.peer;
        loop {
            if !peer.next_pending {
                if peer.one_in(150) {
                    peer.break_connection("before a request", false)?;
                    continue;
                }
                peer.read_next()?;
            }
            match peer.rng.u32(0..10_000) {
                0..100 => {
                    peer.break_connection("while the function waits for an event", false)?;
                }
                100..102 => peer.send_no_event()?,
                102..120 => peer.send_invalid_http("in reply to /next")?,
                120..280 => {
                    let event = peer.event(invocation);
                    let (cut, when) = match peer.rng.bool() {
                        true => (peer.rng.usize(1..event.body.start), "in the head of an event"),
                        false => (peer.rng.usize(event.body), "in the body of an event"),
                    };
                    peer.write(&event.bytes[..cut])?;
                    peer.break_connection(when, true)?;
                }
                280..360 => {
                    let event = peer.event(invocation);
                    peer.write(&event.bytes)?;
                    return peer.break_connection("after an event", true).map(Some);
                }
                360..440 => {
                    let event = peer.last_event(invocation);
                    peer.write(&event.bytes)?;
                    return peer.close_as_announced("with an event, as announced").map(|()| None);
                }
                _ => {
                    peer.journal.note("event", "delivered");
                    let event = peer.event(invocation);
                    peer.write(&event.bytes)?;
                    peer.next_pending = false;
                    return Ok(None);
                }
            }
        }
    }

    /// Reads and acknowledges the outcome, as often as it is sent.
    fn read_outcome(&mut self, invocation: &Invocation, mut expects: Expects) -> Result<Stage, String> {
        let mut seen = false;
        loop {
            if self.peer.one_in(150) {
                self.peer.break_connection("before an outcome", false)?;
                if invocation.is_stream() {
                    expects = Expects::OutcomeOrNext;
                }
                continue;
            }
            let request = self.peer.begin()?;
            if is_next(&request) {
                if expects == Expects::Outcome {
                    return Err(format!("expected the outcome of {}, received /next", request_id(invocation.number)));
                }
                self.peer.read_end_of_next()?;
                return Ok(if seen { Stage::Over } else { Stage::Lost });
            }
            seen = true;
            match self.acknowledge(invocation, &request)? {
                Some(next) if !invocation.is_stream() => expects = next,
                _ => return Ok(Stage::Over),
            }
        }
    }

    /// Reads an outcome and acknowledges it. If a fault intervenes, returns the request to expect next.
    fn acknowledge(&mut self, invocation: &Invocation, request: &Request) -> Result<Option<Expects>, String> {
        let again = Ok(Some(Expects::Outcome));
        let fault = self.peer.rng.u32(0..10_000);
        let early = matches!(fault, 0..240);
        let length = if early { self.peer.rng.usize(0..=invocation.body_len()) } else { usize::MAX };
        let mut received = invocation.begin(request, Excuses::default())?;
        self.peer.read(invocation, &mut received, length)?;
        if !early && !received.is_complete {
            return Err(format!("the outcome of {} is incomplete", request_id(invocation.number)));
        }
        match fault {
            0..100 => {
                self.peer.break_connection("in an outcome", false)?;
                return again;
            }
            100..160 => {
                let fields = if self.peer.rng.bool() { CLOSE } else { "" };
                self.peer.refuse(fields, "before the outcome was read")?;
                // It may have been written completely before the refusal arrived; otherwise the connection is unusable.
                self.peer.read(invocation, &mut received, usize::MAX)?;
                if fields == CLOSE || !received.is_complete {
                    self.peer.wait_for_close()?;
                }
                return Ok(None);
            }
            160..200 => {
                self.peer.journal.fault("accepted", "before the outcome was read");
                self.peer.accept("")?;
                self.peer.read(invocation, &mut received, usize::MAX)?;
                if !received.is_complete {
                    return Err(format!(
                        "an outcome that was accepted early is incomplete: {}",
                        request_id(invocation.number)
                    ));
                }
                return Ok(None);
            }
            200..240 => {
                self.peer.accept("")?;
                self.peer.break_connection("after an early acknowledgement", true)?;
                return Ok(Some(Expects::OutcomeOrNext));
            }
            240..340 => {
                self.peer.break_connection("before an acknowledgement", false)?;
                return again;
            }
            340..420 => {
                self.peer.accept_in_part()?;
                self.peer.break_connection("in an acknowledgement", true)?;
                // A complete head is an acknowledgement.
                return Ok(Some(Expects::OutcomeOrNext));
            }
            420..440 => {
                self.peer.send_invalid_http("as an acknowledgement")?;
                // With a valid head it is an acknowledgement anyway.
                return Ok(Some(Expects::OutcomeOrNext));
            }
            440..520 => {
                self.peer.accept("")?;
                let how = self.peer.break_connection("after an acknowledgement", true)?;
                return Ok((how == Break::Reset).then_some(Expects::OutcomeOrNext));
            }
            520..600 => {
                self.peer.accept(CLOSE)?;
                self.peer.close_as_announced("with an acknowledgement, as announced")?;
            }
            600..800 => self.peer.refuse("", "in reply to an outcome")?,
            800..860 => {
                self.peer.refuse(CLOSE, "in reply to an outcome")?;
                self.peer.close_as_announced("with a refusal, as announced")?;
            }
            _ => {
                self.peer.journal.note("accepted", "in reply to an outcome");
                self.peer.accept("")?;
            }
        }
        Ok(None)
    }
}
