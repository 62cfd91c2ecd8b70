//! State shared by the function and the rest of the simulation: the clock, the agenda, the network, and a ledger of invocations.

use std::collections::BTreeMap;
use std::task::Waker;

use fastrand::Rng;

use crate::connection::{Connection, Cut, Side};
use crate::ledger::Ledger;
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
    /// An attempt to connect comes to its end.
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
    /// The sandbox is killed.
    Kill,
}

/// How connections behave in this sandbox.
#[derive(Debug, Clone, Copy)]
pub struct Weather {
    /// Faults are this many times as likely as normally. 0: there are none.
    pub roughness: u32,
    /// Bytes that a direction can hold.
    pub capacity: usize,
    /// The most bytes that arrive at once.
    pub segment: usize,
    /// Typical time that bytes take.
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
    /// Connections that the function has closed since the API looked.
    pub closed_by_function: Vec<usize>,
    /// Connections that have ended on the API's side since it looked.
    pub ended: Vec<usize>,
    pub tasks: usize,
    pub weather: Weather,
    /// Attempts to connect that may still be left unanswered, so that `run` has no reason to give up.
    pub unanswered_left: u32,
    /// Connections are refused.
    pub outage: bool,
    /// Polls that are justified by something that happened, and not used yet.
    pub credit: i64,
    pub ledger: Ledger,
    pub faults: crate::faults::Faults,
    /// Times at which connections were attempted since the last success, and those of their failures.
    pub attempts: Vec<Nanos>,
    /// The sandbox ends, so connections may be dropped.
    pub ending: bool,
    /// Futures for work after a response that exist.
    pub working: u32,
    /// There is one worker.
    pub is_single: bool,
    /// The documented backoff of one worker is checked.
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
            outage: false,
            credit: 1000,
            ledger: Ledger::new(first),
            faults: crate::faults::Faults::default(),
            attempts: Vec::new(),
            ending: false,
            working: 0,
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

    /// The runtime has pulled a chunk from a stream. It may hold 64 KiB and one chunk.
    pub fn pulled(&mut self, number: u64, len: usize) {
        let account = self.ledger.account(number);
        account.pulled += len as u64;
        if account.pulled > account.written + 64 * 1024 + len as u64 {
            self.fail(format!("the runtime holds more than 64 KiB of the stream of invocation {number}"));
        }
    }

    /// Whether something happens that has `n` chances in ten thousand in normal weather.
    pub fn chance(&mut self, n: u32) -> bool {
        let roughness = self.weather.roughness;
        roughness > 0 && self.rng.u32(0..10_000) < n.saturating_mul(roughness)
    }

    /// Counts a fault.
    pub fn fault(&mut self, kind: &'static str) {
        self.faults.count(kind);
        self.note(kind, &[]);
    }

    /// Time that bytes take to the other side.
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
