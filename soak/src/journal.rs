//! The API's actions: counts of faults, and the last ones.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// The number of actions that a failure prints.
const RECENT: usize = 30;

/// Shared by the API, which writes it, and the main thread, which reports it.
#[derive(Debug, Default)]
pub struct Journal {
    served: AtomicU64,
    entries: Mutex<Entries>,
}

#[derive(Debug, Default)]
struct Entries {
    counts: BTreeMap<(&'static str, &'static str), u64>,
    recent: VecDeque<(u64, &'static str, &'static str)>,
}

impl Journal {
    /// Counts an invocation as served.
    pub fn count_served(&self) {
        self.served.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns the number of invocations served.
    pub fn served(&self) -> u64 {
        self.served.load(Ordering::Relaxed)
    }

    /// Records a fault and its occasion.
    pub fn fault(&self, what: &'static str, when: &'static str) {
        *self.entries.lock().unwrap().counts.entry((what, when)).or_default() += 1;
        self.note(what, when);
    }

    /// Records an ordinary action.
    pub fn note(&self, what: &'static str, when: &'static str) {
        let recent = &mut self.entries.lock().unwrap().recent;
        if recent.len() == RECENT {
            recent.pop_front();
        }
        recent.push_back((self.served(), what, when));
    }

    /// Returns the number of faults.
    pub fn count(&self) -> u64 {
        self.entries.lock().unwrap().counts.values().sum()
    }

    /// Returns the counts of faults, one line per kind.
    pub fn faults(&self) -> String {
        let mut lines = String::new();
        for ((what, when), count) in &self.entries.lock().unwrap().counts {
            writeln!(lines, "{count:>8} {what} {when}").unwrap();
        }
        lines
    }

    /// Returns the last actions, one line each.
    pub fn recent(&self) -> String {
        let mut lines = String::new();
        for (served, what, when) in &self.entries.lock().unwrap().recent {
            writeln!(lines, "     invocation {served}: {what} {when}").unwrap();
        }
        lines
    }
}
