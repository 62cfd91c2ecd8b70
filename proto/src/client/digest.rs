//! The state of a client in a canonical form, for model checking.

use super::Client;

impl Client {
    /// Returns everything that decides what the machine does next, without serial numbers and spare storage: machines with
    /// equal digests behave in the same way.
    #[doc(hidden)]
    pub fn digest(&self) -> String {
        format!(
            "{:?}",
            (
                self.phase,
                &self.outstanding,
                &self.reading,
                &self.ready,
                self.has_holder(),
                &self.request_id,
                &self.invocation_id,
                self.output_ended,
                &self.closed,
                &self.pending,
                self.reader.digest(),
            )
        )
    }

    /// Returns the state as `docs/protocol.md` names it.
    #[doc(hidden)]
    pub fn documented_state(&self) -> &'static str {
        use super::Phase;
        let posts = |request: &super::Request| request.endpoint.posts_outcome();
        match (self.phase, self.outstanding.first()) {
            (Phase::InHand, _) => "In hand",
            (Phase::Streaming, _) => "Streaming",
            (Phase::Init, None) => "Init",
            (Phase::Init, Some(_)) => "Init, with an outstanding request",
            (Phase::Idle, None) => "Idle",
            (Phase::Idle, Some(request)) if !posts(request) => "Waiting",
            (Phase::Idle, Some(request)) => match (self.outstanding.len(), request.outgoing.is_started()) {
                (1, false) => "AwaitingAck, nothing written",
                (1, true) => "AwaitingAck",
                (_, false) => "AwaitingAck and /next, nothing written",
                (_, true) => "AwaitingAck and /next",
            },
        }
    }
}
