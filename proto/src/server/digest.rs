//! The state of a server in a canonical form, for model checking.

use super::Server;

impl Server {
    /// Returns everything that decides what the machine does next: machines with equal digests behave in the same way.
    #[doc(hidden)]
    pub fn digest(&self) -> String {
        format!(
            "{:?}",
            (
                &self.outbox,
                self.request,
                self.reply,
                self.keep_alive,
                self.head_only,
                &self.closing,
                &self.closed,
                self.reader.digest(),
            )
        )
    }
}
