//! Observations of the runtime.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use lambda_runtime_proto::Endpoint;

use crate::text::shortened;
use crate::{End, Fault, FunctionError};

/// Observations of the runtime, apart from the outcomes of invocations.
///
/// It is limited: lists to 1000 entries and those of errors to 100, text to 1 KiB and the bodies of errors
/// to 64 KiB. Further entries are not recorded, and longer texts are truncated.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Observed {
    /// Connections to the Runtime API that were accepted.
    pub connections: u64,
    /// Connections to the Runtime API that are open.
    pub open_connections: usize,
    /// Requests for the next event that are waiting for one.
    pub waiting: usize,
    /// Events that wait to be requested.
    pub queued: usize,
    /// Invocations that were delivered and have not ended.
    pub in_flight: usize,
    /// Extensions of the current process that have registered.
    pub registered_extensions: usize,
    /// Extensions that were notified of an invocation and have not requested the next event since.
    pub busy_extensions: usize,
    /// Whether the runtime has requested an event, which ends its initialization.
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
    /// Faults of [`Builder::faults`](crate::Builder::faults) that happened, in order.
    pub faults: Vec<Fault>,
    requests: HashMap<Endpoint, u64>,
}

/// An extension that registered.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Extension {
    /// `Lambda-Extension-Name`.
    pub name: String,
    /// The events that it registered for: `INVOKE`, and, if it is external, `SHUTDOWN`.
    pub events: Vec<String>,
}

/// A request that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// The path of the request, without its query.
    pub path: String,
    /// The status of the reply.
    pub status: u16,
    /// `errorType` in the body of the reply.
    pub error_type: &'static str,
    /// `errorMessage` in the body of the reply.
    pub message: String,
}

impl Observed {
    const MAX: usize = 1000;
    const MAX_ERRORS: usize = 100;

    /// The number of requests to this endpoint that have begun.
    pub fn requests(&self, endpoint: Endpoint) -> u64 {
        self.requests.get(&endpoint).copied().unwrap_or_default()
    }

    /// Counts a request to this endpoint, and returns its number.
    pub(crate) fn request(&mut self, endpoint: Endpoint, user_agent: Option<&str>) -> u64 {
        if let Some(user_agent) = user_agent
            && self.user_agents.len() < Self::MAX
        {
            self.user_agents.insert(shortened(user_agent));
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

    pub(crate) fn push_error(list: &mut Vec<FunctionError>, error: &FunctionError) {
        if list.len() < Self::MAX_ERRORS {
            list.push(error.shortened());
        }
    }
}

/// An event in the life of the function that Lambda would log. [`Builder::observer`](crate::Builder::observer)
/// is called with it as it happens.
#[derive(Debug)]
#[non_exhaustive]
pub enum Notice<'a> {
    /// An event waits to be requested: the function should be running.
    Queued {
        /// The invocation.
        request_id: &'a str,
    },
    /// The runtime requests its first event: its initialization is over.
    Ready,
    /// The event is about to be written to the runtime: `START`.
    Delivered {
        /// The invocation.
        request_id: &'a str,
    },
    /// An invocation that was delivered has ended: `END` and `REPORT`. The caller gets the outcome once the observer has
    /// returned, and a runtime that handles one event at a time gets the next event.
    Finished {
        /// The invocation.
        request_id: &'a str,
        /// From the delivery to the end.
        duration: Duration,
        /// How it ended.
        end: &'a End,
    },
    /// With a concurrency of 1: the function responded, and the timeout passed before it requested the next event. Lambda
    /// ends such a process.
    Overdue {
        /// The invocation.
        request_id: &'a str,
        /// The timeout of this invocation.
        timeout: Duration,
        /// The runtime or the extensions that have not requested the next event.
        unfinished: &'a str,
    },
    /// A fault of [`Builder::faults`](crate::Builder::faults) happens.
    Fault {
        /// The fault.
        fault: &'a Fault,
    },
}
