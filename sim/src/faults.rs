//! How often each kind of fault happened.

use std::collections::BTreeMap;
use std::fmt;

/// All kinds.
pub const KINDS: [&str; 33] = [
    "408 Request Timeout",
    "a SnapStart hook fails",
    "a connection attempt times out",
    "a connection delivers a few bytes at a time",
    "a connection is closed",
    "a connection is half closed",
    "a connection is lost while the sandbox is frozen",
    "a connection is refused",
    "a connection is reset",
    "a connection is slow to open",
    "a head is as large as it may be",
    "a head is too large",
    "a reply closes the connection",
    "a reply is as long as it may be",
    "a reply is incomplete",
    "a reply is too long",
    "a reply to an outcome is lost again",
    "a request for an event has no event",
    "a request of the extension is refused",
    "a restore is refused",
    "an event is too large",
    "an extension receives an event",
    "an initialization fails",
    "an outcome is accepted early",
    "an outcome is refused early",
    "an outcome is refused",
    "bytes follow a reply",
    "bytes stall",
    "the API has disappeared",
    "the API is down for a while",
    "the API stops reading for a while",
    "the API violates HTTP",
    "the sandbox is frozen",
];

/// Faults by kind.
#[derive(Debug, Default, Clone)]
pub struct Faults(BTreeMap<&'static str, u64>);

impl Faults {
    pub fn count(&mut self, kind: &'static str) {
        debug_assert!(KINDS.contains(&kind), "{kind}");
        *self.0.entry(kind).or_default() += 1;
    }

    pub fn add(&mut self, other: &Faults) {
        for (kind, count) in &other.0 {
            *self.0.entry(kind).or_default() += count;
        }
    }

    /// How often this kind happened.
    pub fn of(&self, kind: &str) -> u64 {
        self.0.get(kind).copied().unwrap_or_default()
    }

    pub fn kinds(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.0.iter().map(|(kind, count)| (*kind, *count))
    }

    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }
}

/// A line for each kind.
impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kinds().try_for_each(|(kind, count)| writeln!(f, "{count:>9} {kind}"))
    }
}
