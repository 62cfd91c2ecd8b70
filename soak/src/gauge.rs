//! Memory and open files of the process, and whether they grow.

use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::{fmt, io};

/// The maximum while the process warms up, and the maximum in the second half.
#[derive(Debug)]
pub struct Gauge {
    total: u64,
    warm: u64,
    end: u64,
}

impl Gauge {
    /// Creates a gauge for a run of this many invocations.
    pub fn new(total: u64) -> Self {
        Self { total, warm: 0, end: 0 }
    }

    /// Records a value after this many invocations.
    pub fn read(&mut self, done: u64, value: u64) {
        // Buffers have reached their final size after a quarter of the run.
        if done <= self.total / 4 {
            self.warm = self.warm.max(value);
        }
        if done >= self.total / 2 {
            self.end = self.end.max(value);
        }
    }

    /// Checks that the second maximum exceeds the first by at most `slack`.
    pub fn expect_flat(&self, what: &str, slack: u64) -> Result<(), String> {
        if self.end <= self.warm + slack { Ok(()) } else { Err(format!("{what} grow: {self}")) }
    }
}

impl fmt::Display for Gauge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at first and {} at the end", self.warm, self.end)
    }
}

/// Makes glibc return freed memory to the system, so that resident memory is memory in use.
///
/// By default glibc raises its threshold for keeping blocks, so that resident memory varies by the size of a few events. It
/// reads a fixed threshold from the environment only at startup, so the program re-executes itself.
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
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc has this process");
    let value = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("the status has VmRSS");
    value.trim().trim_end_matches(" kB").parse().expect("VmRSS is a number")
}

/// The number of open files and sockets of this process, including the one used for counting.
pub fn open_fds() -> u64 {
    let fds = std::fs::read_dir("/proc/self/fd").expect("/proc has this process");
    fds.count().try_into().expect("a small number")
}
