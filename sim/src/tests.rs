//! The simulation itself is deterministic, and notices what it should.

use crate::{log, sandbox, seed_of};

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
