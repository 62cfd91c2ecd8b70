//! Draws invocations.

use fastrand::Rng;
use workload::{Chunks, Defect, End, Invocation, Job, Task};

/// Draws the invocation with this number.
pub fn invocation(number: u64, rng: &mut Rng) -> Invocation {
    let task = match rng.u32(0..100) {
        0..62 => Task::Echo,
        62..68 => Task::Fail,
        68..70 => Task::Panic,
        _ => Task::Stream(chunks(rng)),
    };
    let job = Job { number, turns: few(rng), task, work: None, fill: "f".repeat(size(rng)) };
    let defect = (rng.u32(0..100) == 0).then_some(Defect::Incomplete);
    Invocation::new(&job, defect, rng.bool())
}

fn chunks(rng: &mut Rng) -> Chunks {
    let end = match rng.u32(0..10) {
        0 => End::Fail,
        1 => End::Panic,
        _ => End::Finish,
    };
    // A long one fills the sockets' buffers, so that the function has to wait for the API.
    let (count, size) = if rng.u32(0..500) == 0 { (64, 65536) } else { (rng.u32(0..12), small(rng)) };
    Chunks { count, size, turns: few(rng), pause: 0, end }
}

/// Usually zero.
fn few(rng: &mut Rng) -> u32 {
    rng.u32(0..8).saturating_sub(5)
}

/// Usually small, rarely up to the largest event.
fn size(rng: &mut Rng) -> usize {
    if rng.u32(0..1000) == 0 { rng.usize(0..6 << 20) } else { small(rng) }
}

/// A size with a random number of bits.
fn small(rng: &mut Rng) -> usize {
    let bits = rng.u32(0..15);
    rng.usize(0..1 << bits)
}
