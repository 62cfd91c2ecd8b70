//! The simulation is deterministic.

use workload::seed_of;

use crate::trace::Trace;
use crate::{log, sandbox};

#[test]
fn another_seed_gives_another_trace() {
    log::install();
    let hash = |seed| sandbox::run(seed, 0, 5, None).hash;
    assert_ne!(hash(1), hash(2));
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

#[test]
fn the_same_seed_gives_the_same_trace() {
    log::install();
    for sandbox in 0..20 {
        let run = || sandbox::run(seed_of(7, sandbox), 0, 20, None);
        let (one, two) = (run(), run());
        assert_eq!(one.failure, None);
        assert_eq!((one.hash, one.time, one.polls), (two.hash, two.time, two.polls), "sandbox {sandbox}");
    }
}
