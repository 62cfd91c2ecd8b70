//! The bytes of connections to the Runtime API.

/// Bytes that were read from a connection to the Runtime API or written to it, after faults.
/// [`Builder::recorder`](crate::Builder::recorder) is called with them.
#[derive(Debug)]
#[non_exhaustive]
pub struct Traffic<'a> {
    /// The number of the connection; the first is 1.
    pub connection: u64,
    /// The side that sent them.
    pub sender: Sender,
    /// The bytes; empty at the end of this direction of the connection.
    pub bytes: &'a [u8],
}

/// A side of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sender {
    /// The function's runtime, or an extension.
    Runtime,
    /// The emulator.
    Api,
}

pub(crate) type Recorder = dyn Fn(&Traffic<'_>) + Send + Sync;
