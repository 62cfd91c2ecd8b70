//! The CPUs of functions and APIs.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::Result;

/// The CPUs of a function and of the API that drives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cpus {
    /// Both on the same one, so that CPU time does not depend on the kernel's placement.
    One,
    All,
}

/// The CPUs that this process was given.
pub struct Given(CpuSet);

impl Given {
    /// Reads them; call it before any restriction.
    pub fn find() -> Result<Self> {
        Ok(Self(sched_getaffinity(None)?))
    }

    /// Restricts this thread, and the threads and processes that it starts from now on.
    pub fn restrict_to(&self, cpus: Cpus) -> Result<()> {
        let mut set = self.0;
        if cpus == Cpus::One {
            // The first usually handles interrupts.
            let last = (0..CpuSet::MAX_CPU).rev().find(|&cpu| self.0.is_set(cpu)).ok_or("no CPU")?;
            set.clear();
            set.set(last);
        }
        Ok(sched_setaffinity(None, &set)?)
    }
}
