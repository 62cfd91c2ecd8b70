//! A Runtime API that breaks connections, refuses answers and sends odd HTTP, and knows what the function owes it.
//!
//! ```text
//!              ┌───── the event is lost with its connection ─────┐
//!              ▼                                                 │
//!  /next ──► handed out ──► answered ──► acknowledged or refused ──► over
//!    ▲         │              ▲   │
//!    │         │              └───┘ the connection broke before the acknowledgement: whole responses come again
//!    └─────────┘ it broke before the event was whole: /next comes again
//! ```

use std::sync::Arc;

use conformance::RecordedRequest;
use fastrand::Rng;
use lambda_runtime_proto::Endpoint;

use crate::book::Book;
use crate::connection::Break;
use crate::gauge::{Gauge, open_fds, resident_kib};
use crate::invocation::Invocation;
use crate::line::Line;
use crate::messages::CLOSE;
use crate::options::Options;

/// Between two looks at what the process takes of the machine.
const GAUGE_EVERY: u64 = 100;

pub struct Api {
    line: Line,
    options: Options,
    tally: Tally,
}

/// What only the API knows when it has ended.
pub struct Tally {
    pub connections: u64,
    /// Events that were written whole and can be decoded.
    pub handed_out: u64,
    /// Of these, events that a reset may have destroyed before the function read them.
    pub lost: u64,
    pub memory: Gauge,
    pub fds: Gauge,
}

/// What the function must send next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owes {
    /// The answer.
    Answer,
    /// The answer, or /next: it depends on what came through before the connection broke.
    AnswerOrNext,
}

/// How far an invocation has come.
enum Stage {
    /// It is answered, or never will be.
    Over,
    /// The function has not seen the event.
    Lost,
}

impl Api {
    pub fn bind(options: Options, book: Arc<Book>) -> Result<Self, String> {
        let Options { invocations, pipelining, .. } = options;
        let (memory, fds) = (Gauge::new(invocations), Gauge::new(invocations));
        let line = Line::bind(pipelining, book)?;
        Ok(Self { line, options, tally: Tally { connections: 0, handed_out: 0, lost: 0, memory, fds } })
    }

    pub fn address(&self) -> String {
        self.line.address()
    }

    /// Serves until every invocation is over, and then has the function end.
    pub fn play(mut self) -> Result<Tally, String> {
        for number in 0..self.options.invocations {
            // From the number, so that what happened before does not change what is drawn now.
            self.line.rng = Rng::with_seed(self.options.seed.wrapping_add(number.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
            let invocation = Invocation::draw(number, &mut self.line.rng);
            while let Stage::Lost = self.serve(&invocation)? {}
            self.line.book.count_served();
            // The function may still have in hand what it has answered: so after a small one.
            if number % GAUGE_EVERY == 0 && invocation.is_small() {
                self.tally.memory.read(number, resident_kib());
                self.tally.fds.read(number, open_fds());
            }
        }
        if !self.line.asked {
            self.line.ask()?;
        }
        self.line.send_refusal(403, "")?;
        self.line.hang_up()?;
        self.line.expect_no_other_connection()?;
        self.tally.connections = self.line.connections;
        Ok(self.tally)
    }

    fn serve(&mut self, invocation: &Invocation) -> Result<Stage, String> {
        let broken = self.hand_out(invocation)?;
        let owes = match broken {
            Some(Break::Reset) => Owes::AnswerOrNext,
            // Parts of a stream may have been written: then it does not come again.
            Some(_) if invocation.streams() => Owes::AnswerOrNext,
            _ => Owes::Answer,
        };
        let stage = self.take_answer(invocation, owes)?;
        if invocation.is_readable() {
            self.tally.handed_out += 1;
            if matches!(stage, Stage::Lost) && broken == Some(Break::Reset) {
                self.tally.lost += 1;
            }
        }
        Ok(stage)
    }

    /// Answers /next until the event has been written whole; returns how the connection was broken right behind it.
    fn hand_out(&mut self, invocation: &Invocation) -> Result<Option<Break>, String> {
        let line = &mut self.line;
        loop {
            if !line.asked {
                if line.one_in(150) {
                    line.break_off("before a request", false)?;
                    continue;
                }
                line.ask()?;
            }
            match line.rng.u32(0..10_000) {
                0..100 => {
                    line.break_off("while the function waits for an event", false)?;
                }
                100..102 => line.write_no_event()?,
                102..120 => line.write_no_http("is the answer to /next")?,
                120..280 => {
                    let event = line.event(invocation);
                    let (cut, when) = match line.rng.bool() {
                        true => (line.rng.usize(1..event.body.start), "in the head of an event"),
                        false => (line.rng.usize(event.body), "in the body of an event"),
                    };
                    line.write(&event.bytes[..cut])?;
                    line.break_off(when, true)?;
                }
                280..360 => {
                    let event = line.event(invocation);
                    line.write(&event.bytes)?;
                    return line.break_off("behind an event", true).map(Some);
                }
                360..440 => {
                    let event = line.last_event(invocation);
                    line.write(&event.bytes)?;
                    return line.close_as_announced("with an event, as announced").map(|()| None);
                }
                _ => {
                    line.book.usual("an event", "is handed out");
                    let event = line.event(invocation);
                    line.write(&event.bytes)?;
                    line.asked = false;
                    return Ok(None);
                }
            }
        }
    }

    /// Reads and acknowledges the answer, as often as it comes.
    fn take_answer(&mut self, invocation: &Invocation, mut owes: Owes) -> Result<Stage, String> {
        let mut seen = false;
        loop {
            if self.line.one_in(150) {
                self.line.break_off("before an answer", false)?;
                if invocation.streams() {
                    owes = Owes::AnswerOrNext;
                }
                continue;
            }
            let mut taken = self.line.begin()?;
            if taken.endpoint == Endpoint::Next {
                if owes == Owes::Answer {
                    return Err(format!("/next came instead of the answer to {}", invocation.id));
                }
                self.line.read(&mut taken, usize::MAX)?;
                self.line.asked = true;
                return Ok(if seen { Stage::Over } else { Stage::Lost });
            }
            seen = true;
            match self.acknowledge(invocation, taken)? {
                Some(next) if !invocation.streams() => owes = next,
                _ => return Ok(Stage::Over),
            }
        }
    }

    /// Reads an answer and acknowledges it, unless something comes in between: then returns what is owed.
    fn acknowledge(&mut self, invocation: &Invocation, mut taken: RecordedRequest) -> Result<Option<Owes>, String> {
        let again = Ok(Some(Owes::Answer));
        let fault = self.line.rng.u32(0..10_000);
        let early = matches!(fault, 0..240);
        let enough = if early { self.line.rng.usize(0..=invocation.answer_len()) } else { usize::MAX };
        self.line.read(&mut taken, enough)?;
        invocation.check(&taken)?;
        if !early && !taken.complete {
            return Err(format!("the function broke off its answer to {}", invocation.id));
        }
        match fault {
            0..100 => {
                self.line.break_off("in an answer", false)?;
                return again;
            }
            100..160 => {
                let fields = if self.line.rng.bool() { CLOSE } else { "" };
                self.line.refuse(fields, "is the answer before all was read")?;
                // It may have been written whole before the refusal came; else the connection is of no more use.
                self.line.read(&mut taken, usize::MAX)?;
                if fields == CLOSE || !taken.complete {
                    self.line.hang_up()?;
                }
                return invocation.check(&taken).map(|()| None);
            }
            160..200 => {
                self.line.book.fault("accepted", "is the answer before all was read");
                self.line.accept("")?;
                self.line.read(&mut taken, usize::MAX)?;
                if !taken.complete {
                    return Err(format!("an answer that was accepted early broke off: {}", invocation.id));
                }
                return invocation.check(&taken).map(|()| None);
            }
            200..240 => {
                self.line.accept("")?;
                self.line.break_off("behind an acceptance before all was read", true)?;
                return Ok(Some(Owes::AnswerOrNext));
            }
            240..340 => {
                self.line.break_off("before an acknowledgement", false)?;
                return again;
            }
            340..420 => {
                self.line.accept_in_part()?;
                self.line.break_off("in an acknowledgement", true)?;
                // A complete head is an acknowledgement.
                return Ok(Some(Owes::AnswerOrNext));
            }
            420..440 => {
                self.line.write_no_http("is the acknowledgement")?;
                return again;
            }
            440..520 => {
                self.line.accept("")?;
                let how = self.line.break_off("behind an acknowledgement", true)?;
                return Ok((how == Break::Reset).then_some(Owes::AnswerOrNext));
            }
            520..600 => {
                self.line.accept(CLOSE)?;
                self.line.close_as_announced("with an acknowledgement, as announced")?;
            }
            600..800 => self.line.refuse("", "is the answer")?,
            800..860 => {
                self.line.refuse(CLOSE, "is the answer")?;
                self.line.close_as_announced("with a refusal, as announced")?;
            }
            _ => {
                self.line.book.usual("accepted", "is the answer");
                self.line.accept("")?;
            }
        }
        Ok(None)
    }
}
