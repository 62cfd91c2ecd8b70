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

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use fastrand::Rng;
use lambda_runtime_proto::Endpoint;

use crate::book::Book;
use crate::connection::{Break, Connection, Taken};
use crate::gauge::{Gauge, open_fds, resident_kib};
use crate::invocation::Invocation;
use crate::messages::{self, CLOSE, Framing, Style};
use crate::options::Options;

/// Between two looks at what the process takes of the machine.
const GAUGE_EVERY: u64 = 500;

pub struct Api {
    listener: TcpListener,
    connection: Option<Connection>,
    /// A /next was read on the connection, and is to be answered.
    asked: bool,
    rng: Rng,
    options: Options,
    book: Arc<Book>,
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
        let Options { invocations, seed, .. } = options;
        let (memory, fds) = (Gauge::new(invocations), Gauge::new(invocations));
        Ok(Self {
            listener: TcpListener::bind("127.0.0.1:0").map_err(words)?,
            connection: None,
            asked: false,
            rng: Rng::with_seed(seed),
            options,
            book,
            tally: Tally { connections: 0, handed_out: 0, lost: 0, memory, fds },
        })
    }

    pub fn address(&self) -> String {
        self.listener.local_addr().as_ref().map(SocketAddr::to_string).unwrap_or_default()
    }

    /// Serves until every invocation is over, and then has the function end.
    pub fn play(mut self) -> Result<Tally, String> {
        for number in 0..self.options.invocations {
            // From the number, so that what happened before does not change what is drawn now.
            self.rng = Rng::with_seed(self.options.seed.wrapping_add(number.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
            let invocation = Invocation::draw(number, &mut self.rng);
            while let Stage::Lost = self.serve(&invocation)? {}
            self.book.count_served();
            if number % GAUGE_EVERY == 0 {
                self.tally.memory.read(number, resident_kib());
                self.tally.fds.read(number, open_fds());
            }
        }
        if !self.asked {
            self.ask()?;
        }
        self.send_refusal(403, "")?;
        self.hang_up()?;
        self.expect_no_other_connection()?;
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
        loop {
            if !self.asked {
                if self.one_in(150) {
                    self.break_off("before a request", false)?;
                    continue;
                }
                self.ask()?;
            }
            match self.rng.u32(0..10_000) {
                0..100 => {
                    self.break_off("while the function waits for an event", false)?;
                }
                100..102 => {
                    self.book.fault("no event", "is the answer to /next");
                    let style = self.style("");
                    let no_event = messages::no_event(style, &mut self.rng);
                    self.write(&no_event)?;
                    self.asked = false;
                }
                102..120 => {
                    self.book.fault("no HTTP", "is the answer to /next");
                    self.write_no_http()?;
                }
                120..280 => {
                    let style = self.style("");
                    let event = messages::event(invocation, style, &mut self.rng);
                    let (cut, when) = match self.rng.bool() {
                        true => (self.rng.usize(1..event.body.start), "in the head of an event"),
                        false => (self.rng.usize(event.body), "in the body of an event"),
                    };
                    self.write(&event.bytes[..cut])?;
                    self.break_off(when, true)?;
                }
                280..360 => {
                    let style = self.style("");
                    let event = messages::event(invocation, style, &mut self.rng);
                    self.write(&event.bytes)?;
                    return self.break_off("behind an event", true).map(Some);
                }
                360..440 => {
                    self.book.fault("closed", "with an event, as announced");
                    let mut style = self.style(CLOSE);
                    if self.rng.bool() {
                        style.framing = Framing::UntilClose;
                    }
                    let event = messages::event(invocation, style, &mut self.rng);
                    self.write(&event.bytes)?;
                    self.asked = false;
                    self.connection = None;
                    return Ok(None);
                }
                _ => {
                    self.book.usual("an event", "is handed out");
                    let style = self.style("");
                    let event = messages::event(invocation, style, &mut self.rng);
                    self.write(&event.bytes)?;
                    self.asked = false;
                    return Ok(None);
                }
            }
        }
    }

    /// Reads and acknowledges the answer, as often as it comes.
    fn take_answer(&mut self, invocation: &Invocation, mut owes: Owes) -> Result<Stage, String> {
        let mut seen = false;
        loop {
            if self.one_in(150) {
                self.break_off("before an answer", false)?;
                if invocation.streams() {
                    owes = Owes::AnswerOrNext;
                }
                continue;
            }
            let mut taken = self.begin()?;
            if taken.endpoint == Endpoint::Next {
                if owes == Owes::Answer {
                    return Err(format!("/next came instead of the answer to {}", invocation.id));
                }
                self.read(&mut taken, usize::MAX)?;
                self.asked = true;
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
    fn acknowledge(&mut self, invocation: &Invocation, mut taken: Taken) -> Result<Option<Owes>, String> {
        let again = Ok(Some(Owes::Answer));
        let fault = self.rng.u32(0..10_000);
        let early = matches!(fault, 0..240);
        let enough = if early { self.rng.usize(0..=invocation.answer_len()) } else { usize::MAX };
        self.read(&mut taken, enough)?;
        invocation.check(&taken)?;
        if !early && !taken.whole {
            return Err(format!("the function broke off its answer to {}", invocation.id));
        }
        match fault {
            0..100 => {
                self.break_off("in an answer", false)?;
                return again;
            }
            100..160 => {
                let fields = if self.rng.bool() { CLOSE } else { "" };
                self.refuse(fields, "is the answer before all was read")?;
                // It may have been written whole before the refusal came; else the connection is of no more use.
                self.read(&mut taken, usize::MAX)?;
                if fields == CLOSE || !taken.whole {
                    self.hang_up()?;
                }
                return invocation.check(&taken).map(|()| None);
            }
            160..200 => {
                self.book.fault("accepted", "is the answer before all was read");
                self.accept("")?;
                self.read(&mut taken, usize::MAX)?;
                if !taken.whole {
                    return Err(format!("an answer that was accepted early broke off: {}", invocation.id));
                }
                return invocation.check(&taken).map(|()| None);
            }
            200..240 => {
                self.accept("")?;
                self.break_off("behind an acceptance before all was read", true)?;
                return Ok(Some(Owes::AnswerOrNext));
            }
            240..340 => {
                self.break_off("before an acknowledgement", false)?;
                return again;
            }
            340..420 => {
                let style = self.style("");
                let accepted = messages::accepted(style, &mut self.rng).bytes;
                let cut = self.rng.usize(1..accepted.len());
                self.write(&accepted[..cut])?;
                self.break_off("in an acknowledgement", true)?;
                return again;
            }
            420..440 => {
                self.book.fault("no HTTP", "is the acknowledgement");
                self.write_no_http()?;
                return again;
            }
            440..520 => {
                self.accept("")?;
                let how = self.break_off("behind an acknowledgement", true)?;
                return Ok((how == Break::Reset).then_some(Owes::AnswerOrNext));
            }
            520..600 => {
                self.accept(CLOSE)?;
                self.book.fault("closed", "with an acknowledgement, as announced");
                self.connection = None;
            }
            600..800 => self.refuse("", "is the answer")?,
            800..860 => {
                self.refuse(CLOSE, "is the answer, and the connection closes")?;
                self.connection = None;
            }
            _ => {
                self.book.usual("accepted", "is the answer");
                self.accept("")?;
            }
        }
        Ok(None)
    }

    fn accept(&mut self, fields: &'static str) -> Result<(), String> {
        let style = self.style(fields);
        let accepted = messages::accepted(style, &mut self.rng);
        self.write(&accepted.bytes)
    }

    fn refuse(&mut self, fields: &'static str, when: &'static str) -> Result<(), String> {
        let (status, what) =
            [(400, "400"), (403, "403"), (404, "404"), (410, "410"), (413, "413")][self.rng.usize(..5)];
        self.book.fault(what, when);
        self.send_refusal(status, fields)
    }

    fn send_refusal(&mut self, status: u16, fields: &'static str) -> Result<(), String> {
        let style = self.style(fields);
        let refusal = messages::refusal(status, style, &mut self.rng);
        self.write(&refusal.bytes)
    }

    /// The usual one as a rule.
    fn style(&mut self, fields: &'static str) -> Style {
        let (chunked, interim) = (self.one_in(20), self.one_in(40));
        if chunked {
            self.book.fault("chunked", "is what the API sends");
        }
        if interim {
            self.book.fault("interim responses", "are what the API sends first");
        }
        Style { framing: if chunked { Framing::Chunked } else { Framing::Length }, interim, fields }
    }

    /// The function gives such a connection up.
    fn write_no_http(&mut self) -> Result<(), String> {
        let bytes = messages::not_http(&mut self.rng);
        self.connection()?.offend(bytes);
        self.hang_up()
    }

    /// Reads /next.
    fn ask(&mut self) -> Result<(), String> {
        let mut taken = self.begin()?;
        if taken.endpoint != Endpoint::Next {
            return Err(format!("{} of {} came instead of /next", taken.endpoint, taken.id));
        }
        self.read(&mut taken, usize::MAX)?;
        self.asked = true;
        Ok(())
    }

    fn begin(&mut self) -> Result<Taken, String> {
        self.connection()?.begin()
    }

    fn read(&mut self, taken: &mut Taken, enough: usize) -> Result<(), String> {
        let at_once = if self.one_in(30) { self.rng.usize(1..1000) } else { usize::MAX };
        self.connection()?.read(taken, enough, at_once)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), String> {
        let at_once = match self.rng.u32(0..100) {
            0 => 1 + bytes.len() / 1000,
            1 => 1 + bytes.len() / 10,
            _ => bytes.len(),
        };
        if at_once < bytes.len() {
            self.book.fault("dribbled", "is what the API sends");
        }
        self.connection()?.write(bytes, at_once)
    }

    /// Breaks the connection in one of the ways there are.
    fn break_off(&mut self, when: &'static str, at_once: bool) -> Result<Break, String> {
        let mut how = Break::draw(&mut self.rng);
        let wrote = self.connection()?.wrote;
        if self.options.pipelining && wrote {
            // A function that has asked already does not show that it has read the acknowledgement before; and that may
            // be lost with any end of the connection but this.
            how = Break::HalfClose;
        }
        self.book.fault(how.name(), when);
        self.asked = false;
        self.connection.take().map_or(Ok(()), |connection| connection.end(how, at_once))?;
        Ok(how)
    }

    /// Waits until the function has closed the connection.
    fn hang_up(&mut self) -> Result<(), String> {
        self.asked = false;
        self.connection.take().map_or(Ok(()), Connection::drain)
    }

    fn connection(&mut self) -> Result<&mut Connection, String> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                let (socket, _) = self.listener.accept().map_err(words)?;
                self.tally.connections += 1;
                self.expect_no_other_connection()?;
                self.book.usual("connected", "by the function");
                Connection::new(socket).map_err(words)?
            }
        };
        Ok(self.connection.insert(connection))
    }

    /// The function has one connection at a time.
    fn expect_no_other_connection(&self) -> Result<(), String> {
        self.listener.set_nonblocking(true).map_err(words)?;
        let other = self.listener.accept();
        self.listener.set_nonblocking(false).map_err(words)?;
        match other {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            _ => Err("the function made another connection beside a good one".to_owned()),
        }
    }

    fn one_in(&mut self, n: u32) -> bool {
        self.rng.u32(0..n) == 0
    }
}

fn words(error: io::Error) -> String {
    format!("the API's socket: {error}")
}
