//! The memory that the function has used.

use std::fs;

use rustix::process::Pid;

/// The sum of the peak resident memory of the processes of a group, in MB. `None` where the system has no `/proc` like
/// Linux's.
pub(crate) fn peak(group: Pid) -> Option<u64> {
    let processes = fs::read_dir("/proc").ok()?.flatten().map(|entry| entry.path());
    let group = group.as_raw_nonzero().to_string();
    let kilobytes = processes.filter_map(|process| {
        let stat = fs::read_to_string(process.join("stat")).ok()?;
        // The name in parentheses may contain anything; the state, the parent and the group follow it.
        let (_, fields) = stat.rsplit_once(')')?;
        if fields.split_whitespace().nth(2)? != group {
            return None;
        }
        let status = fs::read_to_string(process.join("status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    });
    match kilobytes.sum::<u64>() {
        0 => None,
        sum => Some(sum.div_ceil(1024)),
    }
}
