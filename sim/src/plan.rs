//! The plan of a sandbox, drawn from its seed.

use fastrand::Rng;

use crate::kernel::{MICROSECOND, Weather};
use crate::layers::{ALL, Around};

/// How the runtime is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Run,
    Concurrent,
    ConcurrentLocal,
}

/// How a sandbox ends, once its invocations are over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The next request for an event is refused.
    Refuse,
    /// The API disappears.
    Outage,
    /// The API violates HTTP until `run` ends.
    Garbage,
    /// The sandbox is retired: it is killed.
    Retire,
    /// SIGTERM arrives, after the last invocation or shortly before.
    Shutdown,
    /// The last invocation may be stuck; then it times out and the sandbox is killed.
    TimeOut,
}

/// A start of the process that fails; then Lambda starts the process again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadStart {
    InitError,
    InitPanic,
    BeforeSnapshot,
    AfterRestore,
    RestoreRefused,
}

/// A graceful shutdown.
#[derive(Debug, Clone, Copy)]
pub struct Hook {
    /// SIGTERM arrives when at most this many invocations are not over.
    pub early: u64,
    /// The hook takes this many microseconds.
    pub micros: u64,
    pub panics: bool,
    /// It runs in its own task, and not in that of `run`.
    pub has_task: bool,
}

#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// The number of the first invocation.
    pub first: u64,
    /// The number of invocations.
    pub count: u64,
    pub mode: Mode,
    pub workers: u16,
    pub pipelining: bool,
    pub around: Around,
    /// The initialisation takes this many microseconds.
    pub initialization: u64,
    /// The first start fails.
    pub bad_start: Option<BadStart>,
    pub snapstart: bool,
    /// Whether an extension for graceful shutdown is registered.
    pub extension: bool,
    pub freezes: bool,
    /// Whether tasks are sometimes polled without having been woken.
    pub spurious: bool,
    pub weather: Weather,
    pub ending: Ending,
    pub hook: Hook,
}

impl Plan {
    pub fn draw(rng: &mut Rng, first: u64, count: u64) -> Self {
        let mode = match rng.u32(0..10) {
            0 | 1 => Mode::Concurrent,
            2 => Mode::ConcurrentLocal,
            _ => Mode::Run,
        };
        let workers = if mode == Mode::Run { 1 } else { [1, 2, 3, 8][rng.usize(..4)] };
        let around = if rng.u32(0..3) == 0 { Around::Nothing } else { ALL[rng.usize(..ALL.len())] };
        let ending = match rng.u32(0..10) {
            0 => Ending::Outage,
            1 => Ending::Garbage,
            2 | 3 => Ending::Retire,
            4 if workers == 1 && around != Around::Deadline => Ending::TimeOut,
            5 => Ending::Shutdown,
            _ => Ending::Refuse,
        };
        let snapstart = rng.u32(0..8) == 0;
        let bad_start = match rng.u32(0..32) {
            0 => Some(BadStart::InitError),
            1 => Some(BadStart::InitPanic),
            2..6 if snapstart => Some(BadStart::BeforeSnapshot),
            6..10 if snapstart => Some(BadStart::AfterRestore),
            10..20 if snapstart => Some(BadStart::RestoreRefused),
            _ => None,
        };
        let hook = Hook {
            early: rng.u64(0..3),
            micros: if rng.bool() { 0 } else { 1 << rng.u32(0..21) },
            panics: rng.u32(0..8) == 0,
            has_task: rng.bool(),
        };
        let roughness = [0, 1, 1, 1, 3, 8][rng.usize(..6)];
        let calm = rng.u32(0..5) > 0;
        let weather = Weather {
            roughness,
            capacity: if calm { 256 * 1024 } else { 1 << rng.u32(6..18) },
            segment: if calm { usize::MAX } else { 1 << rng.u32(6..14) },
            latency: [5, 20, 200, 5000][rng.usize(..4)] * MICROSECOND,
        };
        Self {
            first,
            count,
            mode,
            workers,
            pipelining: rng.bool(),
            around,
            initialization: if rng.u32(0..4) == 0 { 1 << rng.u32(0..20) } else { 0 },
            bad_start,
            snapstart,
            extension: ending == Ending::Shutdown || rng.u32(0..8) == 0,
            freezes: rng.bool(),
            spurious: rng.u32(0..8) == 0,
            weather,
            ending,
            hook,
        }
    }
}
