//! What an executor gives: a socket, a connection, a clock.

use std::future::Future;
use std::io::{self, IoSlice};
use std::task::{Context, Poll};
use std::time::Duration;

/// A byte stream to the Runtime API, polled in both directions from one task.
///
/// Both methods register the task to be woken when the direction is ready, and both may be polled in one turn: an early
/// answer is seen while a long response is still going out.
pub trait Transport {
    /// Reads into `buf`, which is not empty. `Ok(0)` means that the peer has closed its half.
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>>;

    /// Writes some of `bufs`, in order, and returns how many bytes. The bytes are on their way when it returns: there
    /// is no flush.
    fn poll_write_vectored(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>>;
}

/// An asynchronous executor: what [`Runtime`](crate::Runtime) needs of it and nothing more.
///
/// The futures are `Send` where the executor's own types are; nothing here asks for it.
pub trait Executor: Clone {
    /// Its connected socket.
    type Transport: Transport;

    /// Connects to a host (a name or an IP address, IPv6 without brackets) and sets `TCP_NODELAY`: a short streamed
    /// response waits for the peer's delayed acknowledgement otherwise.
    fn connect(&self, host: &str, port: u16) -> impl Future<Output = io::Result<Self::Transport>>;

    /// Sleeps.
    fn sleep(&self, duration: Duration) -> impl Future<Output = ()>;
}
