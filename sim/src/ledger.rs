//! The history of each invocation on the function's side, which only the simulation can observe.

use crate::trace::Nanos;

/// Accounts of the invocations of a sandbox, by their number.
#[derive(Debug)]
pub struct Ledger {
    first: u64,
    accounts: Vec<Account>,
}

/// The history of one invocation.
#[derive(Debug, Default, Clone)]
pub struct Account {
    /// Times that the function read its event completely.
    pub reads: u32,
    /// Times that the handler was called.
    pub handled: u32,
    /// When it was called last.
    pub handled_at: Nanos,
    /// A part of an outcome was written.
    pub posted: bool,
    /// Connections that were lost while a part of an outcome was written and its reply not read.
    pub lost_posts: u32,
    /// Log lines that contain its request id.
    pub logged: u32,
    /// Bytes that the runtime has pulled from the response stream.
    pub pulled: u64,
    /// Bytes of its outcome that were written, heads and framing included.
    pub written: u64,
    /// The reply to its outcome was read.
    pub settled: bool,
    /// A refusal of its outcome was read.
    pub refused: bool,
}

impl Ledger {
    pub fn new(first: u64) -> Self {
        Self { first, accounts: Vec::new() }
    }

    pub fn account(&mut self, number: u64) -> &mut Account {
        let index = usize::try_from(number - self.first).expect("an index");
        if index >= self.accounts.len() {
            self.accounts.resize(index + 1, Account::default());
        }
        &mut self.accounts[index]
    }

    pub fn contains(&self, number: u64) -> bool {
        number >= self.first && number - self.first < 1_000_000
    }
}
