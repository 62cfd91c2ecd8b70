//! What an executor gives: a socket, a connection, a clock. How one is written is told at [`Executor`].

use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::panics;

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
/// The futures have names so that generic code can ask for `Send` where it needs it; nothing here does.
///
/// # How to write one
///
/// A [`Transport`] tries to read or write, and where that would block it has the waker woken when the socket is ready.
/// The executor connects such a socket, and sleeps:
///
/// ```
/// # use std::future::{Ready, ready};
/// # use std::io::{self, IoSlice, Read, Write};
/// # use std::net::TcpStream;
/// # use std::task::{Context, Poll};
/// # use std::time::Duration;
/// # use lambda_runtime_base::{Error, Executor, LambdaEvent, Runtime, Transport, service_fn};
/// # mod reactor {
/// #     pub fn when_readable(_: &std::net::TcpStream, _: &std::task::Waker) {}
/// #     pub fn when_writable(_: &std::net::TcpStream, _: &std::task::Waker) {}
/// #     pub type Sleep = std::future::Pending<()>;
/// #     pub fn sleep(_: std::time::Duration) -> Sleep { std::future::pending() }
/// # }
/// struct Tcp(TcpStream);
///
/// impl Transport for Tcp {
///     fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
///         match self.0.read(buf) {
///             Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
///                 reactor::when_readable(&self.0, cx.waker());
///                 Poll::Pending
///             }
///             result => Poll::Ready(result),
///         }
///     }
///
///     fn poll_write_vectored(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
///         match self.0.write_vectored(bufs) {
///             Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
///                 reactor::when_writable(&self.0, cx.waker());
///                 Poll::Pending
///             }
///             result => Poll::Ready(result),
///         }
///     }
/// }
///
/// #[derive(Clone, Default)]
/// struct Own;
///
/// impl Executor for Own {
///     type Transport = Tcp;
///     type Connect = Ready<io::Result<Tcp>>;
///     type Sleep = reactor::Sleep;
///
///     fn connect(&self, host: &str, port: u16) -> Self::Connect {
///         let socket = TcpStream::connect((host, port)).and_then(|socket| {
///             socket.set_nodelay(true)?;
///             socket.set_nonblocking(true)?;
///             Ok(Tcp(socket))
///         });
///         ready(socket)
///     }
///
///     fn sleep(&self, duration: Duration) -> Self::Sleep {
///         reactor::sleep(duration)
///     }
/// }
///
/// async fn serve() -> Result<(), Error> {
///     Runtime::<_, Own>::new(service_fn(async |event: LambdaEvent<String>| Ok::<_, Error>(event.payload))).run().await
/// }
/// ```
///
/// Two of them are complete: `examples/executor-blocking` has all of it, the reactor included, on `std::net` and one
/// thread; `examples/executor-futures-io` is on any stream of `futures-io`. The scenarios of `conformance` show whether
/// an executor is correct: its test calls `conformance::main` with a function that runs each configuration.
pub trait Executor: Clone {
    /// Its connected socket.
    type Transport: Transport;

    /// The future of [`connect`](Self::connect). It may be boxed: connections are rare.
    type Connect: Future<Output = io::Result<Self::Transport>>;

    /// The future of [`sleep`](Self::sleep).
    type Sleep: Future<Output = ()>;

    /// Connects to a host (a name or an IP address, IPv6 without brackets) and sets `TCP_NODELAY`: a short streamed
    /// response waits for the peer's delayed acknowledgement otherwise.
    fn connect(&self, host: &str, port: u16) -> Self::Connect;

    /// Sleeps.
    fn sleep(&self, duration: Duration) -> Self::Sleep;
}

/// An executor that runs tasks side by side: what [`run_concurrent`](crate::Runtime::run_concurrent) needs besides.
pub trait Spawn: Executor<Transport: Send, Connect: Send, Sleep: Send> + Send + Sync + 'static {
    /// A task that returns a `T`. It ends with that, or with the words of its panic. Dropping it
    /// cancels it, where the executor can do that.
    type Task<T: Send + 'static>: Future<Output = Result<T, String>> + Send;

    /// Starts a task.
    fn spawn<T: Send + 'static>(&self, task: impl Future<Output = T> + Send + 'static) -> Self::Task<T>;
}

/// Runs `task`; a panic in it becomes an error of its words. For executors whose tasks would pass a panic on.
pub async fn panics_as_words<T>(task: impl Future<Output = T>) -> Result<T, String> {
    let mut task = pin!(task);
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| task.as_mut().poll(cx))) {
        Ok(poll) => poll.map(Ok),
        Err(panic) => Poll::Ready(Err(panics::message(&*panic).to_owned())),
    })
    .await
}
