//! What the API did: how often, and last.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// So many entries tell how a failure came about.
const RECENT: usize = 30;

/// Written by the API, read by whoever reports.
#[derive(Debug, Default)]
pub struct Book {
    served: AtomicU64,
    pages: Mutex<Pages>,
}

#[derive(Debug, Default)]
struct Pages {
    counts: BTreeMap<(&'static str, &'static str), u64>,
    recent: VecDeque<(u64, &'static str, &'static str)>,
}

impl Book {
    /// One more invocation is over.
    pub fn count_served(&self) {
        self.served.fetch_add(1, Ordering::Relaxed);
    }

    /// So many invocations are over.
    pub fn served(&self) -> u64 {
        self.served.load(Ordering::Relaxed)
    }

    /// A fault: what happened to what, or when.
    pub fn fault(&self, what: &'static str, when: &'static str) {
        *self.pages.lock().unwrap().counts.entry((what, when)).or_default() += 1;
        self.usual(what, when);
    }

    /// Something that is no fault, but explains what comes later.
    pub fn usual(&self, what: &'static str, when: &'static str) {
        let recent = &mut self.pages.lock().unwrap().recent;
        if recent.len() == RECENT {
            recent.pop_front();
        }
        recent.push_back((self.served(), what, when));
    }

    /// How many faults there were.
    pub fn count(&self) -> u64 {
        self.pages.lock().unwrap().counts.values().sum()
    }

    /// The faults, a line for each kind.
    pub fn faults(&self) -> String {
        let mut lines = String::new();
        for ((what, when), count) in &self.pages.lock().unwrap().counts {
            writeln!(lines, "{count:>8} {what} {when}").unwrap();
        }
        lines
    }

    /// What was done last, a line for each.
    pub fn recent(&self) -> String {
        let mut lines = String::new();
        for (served, what, when) in &self.pages.lock().unwrap().recent {
            writeln!(lines, "     invocation {served}: {what} {when}").unwrap();
        }
        lines
    }
}
