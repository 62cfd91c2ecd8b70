//! State that the function shares with the rest of the simulation: clock, agenda, network, and ledger of invocations.

use std::collections::BTreeMap;
use std::task::Waker;

use fastrand::Rng;

use crate::connection::{Connection, Cut, Side};
use crate::ledger::{Ledger, Process};
use crate::tasks::NewTask;
use crate::trace::{Nanos, Trace};

pub const MICROSECOND: Nanos = 1000;
pub const MILLISECOND: Nanos = 1000 * MICROSECOND;
pub const SECOND: Nanos = 1000 * MILLISECOND;

/// Identifies an entry of the agenda. Entries of the same time happen in the order in which they were made.
pub type Key = (Nanos, u64);

/// Something that happens at a certain time.
#[derive(Debug)]
pub enum Happening {
    /// A sleep is over.
    Timer(Waker),
    /// An attempt to connect succeeds or fails.
    Connected(usize),
    /// Bytes, or the end of them, arrive at this side of a connection.
    Arrival(usize, Side),
    /// The API reads again.
    Resume(usize),
    /// The API replies to a request for an event.
    Deliver(usize),
    /// The API replies to a request on this connection.
    Acknowledge(usize),
    /// The API closes an idle connection.
    CloseIdle(usize),
    /// The sandbox is thawed.
    Thaw,
    /// The API accepts connections again.
    Recover,
    /// SIGTERM announces the end of the process.
    Terminate,
    /// The sandbox is killed.
    Kill,
}

/// How connections behave in this sandbox.
#[derive(Debug, Clone, Copy)]
pub struct Weather {
    /// Factor of the probability of faults. Without faults, 0.
    pub roughness: u32,
    /// Bytes that fit into each direction of a connection.
    pub capacity: usize,
    /// The largest number of bytes that arrive at once.
    pub segment: usize,
    /// Typical time until bytes arrive.
    pub latency: Nanos,
}

pub struct Kernel {
    pub rng: Rng,
    pub now: Nanos,
    pub trace: Trace,
    pub agenda: BTreeMap<Key, Happening>,
    serial: u64,
    pub connections: Vec<Connection>,
    pub spawned: Vec<NewTask>,
    pub cancelled: Vec<usize>,
    /// Connections that the function has closed since the API checked last.
    pub closed_by_function: Vec<usize>,
    /// Connections that have ended on the API's side since the API checked last.
    pub ended: Vec<usize>,
    pub tasks: usize,
    pub weather: Weather,
    /// Number of attempts to connect that may still time out. More would be a reason for `run` to give up.
    pub unanswered_left: u32,
    /// Connections that were closed since the function read an event or the reply to an outcome. After many of them an attempt
    /// that times out would be a reason for `run` to give up, too.
    pub lost_in_a_row: u32,
    /// Whether connections are refused.
    pub outage: bool,
    /// Number of polls that recent events justify. A busy loop exhausts it.
    pub credit: i64,
    pub ledger: Ledger,
    pub faults: crate::faults::Faults,
    /// Times of the attempts to connect since the last success.
    pub attempts: Vec<Nanos>,
    /// Whether the sandbox is ending, so that connections may be dropped.
    pub ending: bool,
    pub process: Process,
    /// Whether there is only one worker.
    pub is_single: bool,
    /// Whether the documented backoff is checked, as it can be for one worker.
    pub checks_backoff: bool,
    pub failure: Option<String>,
}

impl Kernel {
    pub fn new(rng: Rng, weather: Weather, first: u64, trace: Trace) -> Self {
        Self {
            rng,
            now: 0,
            trace,
            agenda: BTreeMap::new(),
            serial: 0,
            connections: Vec::new(),
            spawned: Vec::new(),
            cancelled: Vec::new(),
            closed_by_function: Vec::new(),
            ended: Vec::new(),
            unanswered_left: 1,
            tasks: 0,
            weather,
            lost_in_a_row: 0,
            outage: false,
            credit: 1000,
            ledger: Ledger::new(first),
            faults: crate::faults::Faults::default(),
            attempts: Vec::new(),
            ending: false,
            process: Process::default(),
            is_single: false,
            checks_backoff: false,
            failure: None,
        }
    }

    pub fn note(&mut self, text: &str, numbers: &[u64]) {
        self.trace.note(self.now, text, numbers);
    }

    /// Records that an invariant is violated. The first violation counts.
    pub fn fail(&mut self, message: impl Into<String>) {
        self.failure.get_or_insert_with(|| message.into());
    }

    pub fn schedule(&mut self, after: Nanos, happening: Happening) -> Key {
        self.serial += 1;
        let key = (self.now.saturating_add(after), self.serial);
        self.agenda.insert(key, happening);
        key
    }

    /// Takes the next entry of the agenda that is due at `until`.
    pub fn next_happening(&mut self, until: Nanos) -> Option<Happening> {
        let entry = self.agenda.first_entry().filter(|entry| entry.key().0 <= until)?;
        let time = entry.key().0;
        let happening = entry.remove();
        self.now = self.now.max(time);
        self.credit = (self.credit + 8).min(5000);
        Some(happening)
    }

    /// Records that the runtime has pulled a chunk from a stream. It may buffer 64 KiB and one chunk.
    pub fn pulled(&mut self, number: u64, len: usize) {
        let account = self.ledger.account(number);
        account.pulled += len as u64;
        if account.pulled > account.written + 64 * 1024 + len as u64 {
            self.fail(format!("the runtime buffers more than 64 KiB of the stream of invocation {number}"));
        }
    }

    /// Draws whether a fault happens, with a probability of `n` in ten thousand, times the roughness.
    pub fn chance(&mut self, n: u32) -> bool {
        let roughness = self.weather.roughness;
        roughness > 0 && self.rng.u32(0..10_000) < n.saturating_mul(roughness)
    }

    /// Counts a fault.
    pub fn fault(&mut self, kind: &'static str) {
        self.faults.count(kind);
        self.note(kind, &[]);
    }

    /// The start of the process fails, so it closes its connections soon.
    pub fn start_fails(&mut self, how: &'static str) {
        self.fault(how);
        self.process.failed = Some(self.now);
        self.ending = true;
    }

    /// Draws the time until bytes arrive.
    pub fn latency(&mut self) -> Nanos {
        if self.chance(10) {
            self.fault("bytes stall");
            return self.rng.u64(SECOND / 10..5 * SECOND);
        }
        let typical = self.weather.latency;
        self.rng.u64(typical / 4..=typical * 2)
    }

    pub fn cut(&mut self, connection: usize, side: Side, at: u64, cut: Cut) {
        self.connections[connection].toward_mut(side).cut = Some((at, cut));
    }
}
