//! What the emulator saw of the runtime.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use lambda_runtime_proto::Endpoint;

use crate::{End, Fault, FunctionError};

/// What the emulator saw of the runtime so far, besides the outcomes of invocations.
///
/// Lists end growing at 1000 entries.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Observed {
    /// Connections to the Runtime API that were accepted.
    pub connections: u64,
    /// Those of them that are open.
    pub open_connections: usize,
    /// Requests for the next event that are waiting for one.
    pub waiting: usize,
    /// Events that wait to be asked for.
    pub queued: usize,
    /// Events that were delivered and not answered.
    pub in_flight: usize,
    /// The runtime has asked for an event: start-up is over.
    pub ready: bool,
    /// Values of `User-Agent`.
    pub user_agents: BTreeSet<String>,
    /// Reports to /init/error.
    pub init_errors: Vec<FunctionError>,
    /// Reports to /restore/error.
    pub restore_errors: Vec<FunctionError>,
    /// Extensions that registered.
    pub extensions: Vec<Extension>,
    /// Requests that were refused.
    pub refusals: Vec<Refusal>,
    /// Faults of [`Builder::faults`](crate::Builder::faults) that have happened, each time.
    pub faults: Vec<Fault>,
    requests: HashMap<Endpoint, u64>,
}

/// An extension that registered.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Extension {
    /// `Lambda-Extension-Name`.
    pub name: String,
    /// The events that it wants: `INVOKE`, or none.
    pub events: Vec<String>,
}

/// A request that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// The request, without its query.
    pub path: String,
    /// The status.
    pub status: u16,
    /// `errorType` in the body of the answer.
    pub error_type: &'static str,
    /// `errorMessage` in the body of the answer.
    pub message: String,
}

impl Observed {
    const MAX: usize = 1000;

    /// How many requests to this endpoint have begun.
    pub fn requests(&self, endpoint: Endpoint) -> u64 {
        self.requests.get(&endpoint).copied().unwrap_or_default()
    }

    /// Returns how many requests to this endpoint there were with this one.
    pub(crate) fn request(&mut self, endpoint: Endpoint, user_agent: Option<&str>) -> u64 {
        if let Some(user_agent) = user_agent
            && self.user_agents.len() < Self::MAX
            && !self.user_agents.contains(user_agent)
        {
            self.user_agents.insert(user_agent.to_owned());
        }
        let requests = self.requests.entry(endpoint).or_default();
        *requests += 1;
        *requests
    }

    pub(crate) fn push<T>(list: &mut Vec<T>, item: T) {
        if list.len() < Self::MAX {
            list.push(item);
        }
    }
}

/// Something that Lambda would write a line about, told to [`Builder::observer`](crate::Builder::observer) as it
/// happens.
#[derive(Debug)]
#[non_exhaustive]
pub enum Notice<'a> {
    /// An event waits to be asked for: the function should be running.
    Queued {
        /// The invocation.
        request_id: &'a str,
    },
    /// The runtime asks for its first event: start-up is over.
    Ready,
    /// The runtime is about to get the event: `START`.
    Delivered {
        /// The invocation.
        request_id: &'a str,
    },
    /// An invocation that was delivered has ended: `END` and `REPORT`. The caller and the runtime learn of it after
    /// this, and no other event is delivered before it to a runtime that handles one at a time.
    Finished {
        /// The invocation.
        request_id: &'a str,
        /// From the delivery to the end.
        duration: Duration,
        /// How it ended.
        end: &'a End,
    },
    /// A fault of the script happens.
    Fault {
        /// This one.
        fault: &'a Fault,
    },
}
