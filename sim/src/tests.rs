//! The simulation is deterministic, and its trace shows everything.

use std::fs::{self, File};

use workload::seed_of;

use crate::sandbox::{Inputs, Lifetime};
use crate::trace::Trace;
use crate::{log, sandbox};

const COUNT: u64 = 20;

/// The sandbox with this number.
fn inputs(sandbox: u64) -> Inputs {
    Inputs { seed: seed_of(7, sandbox), first: 0, count: COUNT, altered: None }
}

/// Runs a sandbox. Returns its trace as text as well.
fn traced(inputs: Inputs) -> (Lifetime, String) {
    log::install();
    let name = format!("sim-{}-{:?}.trace", std::process::id(), std::thread::current().id());
    let path = std::env::temp_dir().join(name);
    let lifetime = sandbox::run(inputs, Some(File::create(&path).unwrap()));
    let trace = fs::read_to_string(&path).unwrap();
    fs::remove_file(&path).unwrap();
    assert_eq!(lifetime.failure, None);
    (lifetime, trace)
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for sandbox in 0..20 {
        let ((one, trace), (two, same_trace)) = (traced(inputs(sandbox)), traced(inputs(sandbox)));
        assert_eq!((one.hash, one.time, one.polls), (two.hash, two.time, two.polls), "sandbox {sandbox}");
        assert_eq!(
            one.hash,
            sandbox::run(inputs(sandbox), None).hash,
            "the hash depends on whether a trace is written"
        );
        for event in ["task 0 is woken", "task 0 is polled", "the function writes to connection 0:", "Arrival(0, Api)"]
        {
            assert!(trace.contains(event), "{event} is not in {trace}");
        }
        let difference = trace.lines().zip(same_trace.lines()).find(|(line, same)| line != same);
        assert_eq!((difference, trace.len()), (None, same_trace.len()), "sandbox {sandbox}");
    }
}

#[test]
fn another_seed_gives_another_trace() {
    let ((one, trace), (two, other_trace)) = (traced(inputs(1)), traced(inputs(2)));
    assert_ne!(one.hash, two.hash);
    assert_ne!(trace, other_trace);
}

#[test]
fn an_event_that_differs_in_one_byte_gives_another_trace() {
    let (lifetime, trace) = traced(inputs(1));
    let mut altered = 0;
    for number in 0..COUNT {
        let (other, other_trace) = traced(Inputs { altered: Some(number), ..inputs(1) });
        let difference = trace.lines().zip(other_trace.lines()).find(|(line, other)| line != other);
        let Some((line, other_line)) = difference else {
            // Nothing fills the event.
            assert_eq!((lifetime.hash, trace.len()), (other.hash, other_trace.len()));
            continue;
        };
        altered += 1;
        assert_ne!(lifetime.hash, other.hash, "event {number}");
        // The first difference is the event itself, and it is one byte.
        assert!(line.contains(&format!(r#"{{\"number\":{number},"#)), "{line}");
        let bytes: Vec<_> = line.bytes().zip(other_line.bytes()).filter(|(byte, other)| byte != other).collect();
        assert_eq!((bytes, line.len()), (vec![(b'f', b'g')], other_line.len()));
    }
    assert!(altered > COUNT / 2, "only {altered} events could be altered");
}

#[test]
fn a_trace_that_differs_in_one_byte_or_one_number_has_another_hash() {
    let hash = |text: &str, number, bytes: &[u8]| {
        let mut trace = Trace::new();
        trace.note(1, text, &[number]);
        trace.bytes(2, "the function writes to connection #:", 3, bytes);
        trace.hash()
    };
    let one = hash("a", 1, b"0123456789");
    assert_eq!(one, hash("a", 1, b"0123456789"));
    for other in [hash("b", 1, b"0123456789"), hash("a", 2, b"0123456789"), hash("a", 1, b"0123456788")] {
        assert_ne!(one, other);
    }
}
