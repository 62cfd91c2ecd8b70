//! The faults that apply to a connection or a request, and their replies.

use lambda_runtime_proto::server::{Reply, Request, Route};

use super::Api;
use crate::fault::{CannedReply, Fault, Target};
use crate::traffic::{Sender, Traffic};
use crate::{Notice, Observed};

/// The replies that faults prescribe for the current request.
pub(super) struct Script<'a> {
    api: &'a Api,
    /// Those of the request, followed by those of its connection.
    faults: Vec<&'a Fault>,
    received: u64,
}

impl<'a> Script<'a> {
    pub(super) fn new(api: &'a Api, of_request: &[&'a Fault], of_connection: &[&'a Fault]) -> Self {
        Self { api, faults: [of_request, of_connection].concat(), received: 0 }
    }

    /// The reply to a request that is complete.
    pub(super) fn reply(&mut self) -> Option<Reply> {
        self.first(Fault::canned_reply)
    }

    /// The reply to send at once after this many more bytes of the body have arrived.
    pub(super) fn early_reply(&mut self, more: usize) -> Option<Reply> {
        let received = self.received.saturating_add(u64::try_from(more).unwrap_or(u64::MAX));
        self.received = received;
        self.first(|fault| fault.early_reply(received))
    }

    fn first(&mut self, canned: impl Fn(&'a Fault) -> Option<&'a CannedReply>) -> Option<Reply> {
        let (fault, canned) = self.faults.iter().find_map(|fault| Some((fault, canned(fault)?)))?;
        self.api.fault_happens(fault);
        // A request has one reply.
        self.faults.clear();
        Some(canned.reply())
    }
}

impl Api {
    /// Counts a connection; returns the current generation of processes, its number, and the faults of the connection.
    pub(super) fn connected(&self) -> (u64, u64, Vec<&Fault>) {
        let (generation, number) = {
            let mut state = self.state();
            state.observed.connections += 1;
            state.observed.open_connections += 1;
            (state.generation, state.observed.connections)
        };
        self.changed.notify_all();
        (generation, number, self.faults(|target| target.is_connection(number)))
    }

    pub(super) fn disconnected(&self, connection: u64) {
        self.record(&Traffic { connection, sender: Sender::Api, bytes: &[] });
        self.state().observed.open_connections -= 1;
        self.changed.notify_all();
    }

    /// Counts a request; returns its faults.
    pub(super) fn requested(&self, request: &Request) -> Vec<&Fault> {
        let Route::Api(endpoint, _) = request.route() else { return Vec::new() };
        let number = self.state().observed.request(endpoint, request.headers().get_str("user-agent"));
        self.changed.notify_all();
        self.faults(|target| target.is_request(endpoint, number))
    }

    /// Calls the recorder.
    pub(crate) fn record(&self, traffic: &Traffic<'_>) {
        if let Some(recorder) = &self.config.recorder {
            recorder(traffic);
        }
    }

    fn faults(&self, applies: impl Fn(&Target) -> bool) -> Vec<&Fault> {
        self.config.faults.iter().filter(|fault| applies(&fault.target)).collect()
    }

    /// Records that a fault happens, and notifies the observer.
    pub(crate) fn fault_happens(&self, fault: &Fault) {
        Observed::push(&mut self.state().observed.faults, fault.clone());
        self.changed.notify_all();
        self.notify(&Notice::Fault { fault });
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.state().stopped
    }
}
