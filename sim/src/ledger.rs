//! The history of each invocation and of the process on the function's side, which only the simulation can observe.

use std::task::Waker;

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
    /// Number of times that the function read its event completely.
    pub reads: u32,
    /// Number of calls of the handler.
    pub handled: u32,
    /// Time of the last call.
    pub handled_at: Nanos,
    /// Whether a part of an outcome was written.
    pub posted: bool,
    /// Number of connections that were lost after a part of an outcome was written and before its reply was read.
    pub lost_posts: u32,
    /// Number of log lines that contain its request id.
    pub logged: u32,
    /// Number of bytes that the runtime has pulled from the response stream.
    pub pulled: u64,
    /// Number of written bytes of its outcome, heads and framing included.
    pub written: u64,
    /// Whether the reply to its outcome was read.
    pub settled: bool,
    /// Whether a refusal of its outcome was read.
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

/// The state of the process that the simulation observes besides its connections.
#[derive(Debug, Default)]
pub struct Process {
    /// When the initialisation or a hook failed, or the API refused the restore.
    pub failed: Option<Nanos>,
    /// Whether the process handles SIGTERM.
    pub listens: bool,
    /// When SIGTERM was sent.
    pub terminated: Option<Nanos>,
    /// Whether all invocations are over.
    pub drained: bool,
    /// Calls of the shutdown hook, and when the last one ended.
    pub hooks: u32,
    pub hook_ended: Nanos,
    /// Futures for work after a response that exist, and when the last one ended.
    pub working: u32,
    pub work_ended: Nanos,
    /// The futures that wait for SIGTERM, or for the end of the last invocation.
    pub waiting: Vec<Waker>,
}
