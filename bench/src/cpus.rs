//! On which CPUs things run.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::Result;

/// Where a function and the API that drives it may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cpus {
    /// Both on the same one: CPU time does not depend on where the kernel happens to put them.
    One,
    All,
}

/// The CPUs that this process was given.
pub struct Given(CpuSet);

impl Given {
    /// Asks before anything is restricted.
    pub fn find() -> Result<Self> {
        Ok(Self(sched_getaffinity(None)?))
    }

    /// Restricts this thread, and the threads and processes that it starts from now on.
    pub fn restrict_to(&self, cpus: Cpus) -> Result<()> {
        let mut set = self.0;
        if cpus == Cpus::One {
            // Interrupts tend to go to the first.
            let last = (0..CpuSet::MAX_CPU).rev().find(|&cpu| self.0.is_set(cpu)).ok_or("no CPU")?;
            set.clear();
            set.set(last);
        }
        Ok(sched_setaffinity(None, &set)?)
    }
}
