//! Draws invocations.

use fastrand::Rng;
use workload::{Chunks, Defect, End, Invocation, Job, LARGEST_EVENT, Task};

/// Draws the invocation with this number. `allow_stuck`: the sandbox can end a stuck one. `is_altered`: the last byte of what
/// fills its event is another one.
pub fn invocation(number: u64, rng: &mut Rng, allow_stuck: bool, is_altered: bool) -> Invocation {
    let task = match rng.u32(0..1000) {
        0..560 => Task::Echo,
        560..620 => Task::Sleep(1 << rng.u32(0..21)),
        620..680 => Task::Fail,
        680..700 => Task::Panic,
        700..720 if allow_stuck => Task::Stuck,
        _ => Task::Stream(chunks(rng, allow_stuck)),
    };
    let fill = match rng.u32(0..25_000) {
        0..6 => 60_000,
        // As much as Lambda delivers.
        6 => usize::MAX,
        _ => below_power(rng),
    };
    let turns = rng.u32(0..8).saturating_sub(5);
    let work = (rng.u32(0..8) == 0).then(|| (rng.u32(0..4), 1 << rng.u32(0..12)));
    let mut job = Job { number, turns, task, work, fill: String::new() };
    let fixed = if fill == usize::MAX { serde_json::to_vec(&job).expect("a job is JSON").len() } else { 0 };
    // One of this size fits exactly.
    job.fill = "f".repeat(if fill == usize::MAX { LARGEST_EVENT - fixed } else { fill });
    if is_altered && job.fill.pop().is_some() {
        job.fill.push('g');
    }
    let defect = match rng.u32(0..400) {
        _ if job.is_stuck() => None,
        0..4 => Some(Defect::Incomplete),
        4 => Some(Defect::BadHeader),
        5 => Some(Defect::TooLarge),
        _ => None,
    };
    Invocation::new(&job, defect, rng.bool())
}

/// A number of bytes, with any number of digits.
fn below_power(rng: &mut Rng) -> usize {
    let bits = rng.u32(0..11);
    rng.usize(0..1 << bits)
}

fn chunks(rng: &mut Rng, allow_stuck: bool) -> Chunks {
    let end = match rng.u32(0..20) {
        0 | 1 => End::Fail,
        2 | 3 => End::Panic,
        4 if allow_stuck => End::Stuck,
        _ => End::Finish,
    };
    let (count, size) = match rng.u32(0..2000) {
        // More than the runtime may hold.
        0 => (rng.u32(8..24), 32 * 1024),
        1 => (rng.u32(50..400), 1000),
        _ => (rng.u32(0..8), below_power(rng)),
    };
    let pause = if rng.u32(0..8) == 0 { 1 << rng.u32(0..19) } else { 0 };
    Chunks { count, size, turns: rng.u32(0..8).saturating_sub(5), pause, end }
}
