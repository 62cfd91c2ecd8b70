//! What the process takes of the machine, and whether that grows.

use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::{fmt, io};

/// The largest value while the process warms up, and the largest in the last half.
#[derive(Debug)]
pub struct Gauge {
    total: u64,
    warm: u64,
    end: u64,
}

impl Gauge {
    /// For a run of so many invocations.
    pub fn new(total: u64) -> Self {
        Self { total, warm: 0, end: 0 }
    }

    /// It is so much after so many invocations.
    pub fn read(&mut self, done: u64, value: u64) {
        // Buffers that are kept have their size when a quarter of the run has passed.
        if done <= self.total / 4 {
            self.warm = self.warm.max(value);
        }
        if done >= self.total / 2 {
            self.end = self.end.max(value);
        }
    }

    /// The end is no more than that over what it was when warm.
    pub fn expect_flat(&self, what: &str, slack: u64) -> Result<(), String> {
        if self.end <= self.warm + slack { Ok(()) } else { Err(format!("{self} {what}: that grows")) }
    }
}

impl fmt::Display for Gauge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} warm and {} at the end", self.warm, self.end)
    }
}

/// Has freed memory go back to the system, so that what is resident is what is in use.
///
/// glibc keeps large blocks for itself once it has seen them come and go: then resident memory swings by the size of a
/// few events. Where the limit of what it keeps is fixed, it does not; but it asks for that only at its start, so the
/// program starts itself again.
pub fn return_freed_memory() -> io::Result<()> {
    const LIMIT: &str = "MALLOC_MMAP_THRESHOLD_";
    if std::env::var_os(LIMIT).is_some() {
        return Ok(());
    }
    let program = std::env::current_exe()?;
    Err(Command::new(program).args(std::env::args_os().skip(1)).env(LIMIT, "131072").exec())
}

/// `VmRSS` of this process.
pub fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc tells about this process");
    let value = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it tells VmRSS");
    value.trim().trim_end_matches(" kB").parse().expect("VmRSS is a number")
}

/// How many files and sockets this process has open; the one that counts them is always among them.
pub fn open_fds() -> u64 {
    let fds = std::fs::read_dir("/proc/self/fd").expect("/proc tells about this process");
    fds.count().try_into().expect("a small number")
}
