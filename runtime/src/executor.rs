//! The traits of an executor. [`Executor`] explains how to implement them.

use std::collections::hash_map::RandomState;
use std::future::{Future, poll_fn};
use std::hash::BuildHasher as _;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant, SystemTime};

/// A boxed future that is `Send`.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A byte stream to the Runtime API, polled in both directions from one task.
///
/// Each method registers the task to be woken when its direction is ready. Both may be polled in one turn, so that an
/// early reply is noticed while a long response is still being written.
pub trait Transport {
    /// Reads into `buf`, which is never empty. `Ok(0)` means that the peer has closed its sending half.
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>>;

    /// Writes some of `bufs`, in order, and returns the number of bytes. It must flush them: there is no other method for
    /// that.
    fn poll_write_vectored(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>>;
}

/// The parts of an asynchronous executor that [`Runtime`](crate::Runtime) needs.
///
/// The futures are associated types, so that generic code can require `Send`; this crate does not.
///
/// Time and randomness are inputs: the runtime reads them only through [`now`](Self::now),
/// [`system_time`](Self::system_time) and [`random`](Self::random), so a simulator can supply its own.
///
/// # How to write one
///
/// A [`Transport`] tries to read or write. If that would block, it registers the waker to be woken when the socket is
/// ready. The executor connects such sockets, and sleeps:
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
/// The repository has two small executors: `executor-blocking`, with a reactor for one thread, and
/// `examples/executor-futures-io`, for any stream of `futures-io`. The scenarios of `conformance` test executors.
pub trait Executor: Clone {
    /// A connected socket.
    type Transport: Transport;

    /// The future of [`connect`](Self::connect). It may be boxed: connections are rare.
    type Connect: Future<Output = io::Result<Self::Transport>>;

    /// The future of [`sleep`](Self::sleep).
    type Sleep: Future<Output = ()>;

    /// Connects to a host (a name or an IP address, IPv6 without brackets) and sets `TCP_NODELAY`: without it, a short
    /// streamed response waits for the peer's delayed acknowledgement.
    fn connect(&self, host: &str, port: u16) -> Self::Connect;

    /// Sleeps.
    fn sleep(&self, duration: Duration) -> Self::Sleep;

    /// The monotonic clock.
    fn now(&self) -> Instant {
        Instant::now()
    }

    /// The wall clock, against which deadlines are measured.
    fn system_time(&self) -> SystemTime {
        SystemTime::now()
    }

    /// A random number that spreads retries; it does not have to be unpredictable.
    fn random(&self) -> u64 {
        RandomState::new().hash_one(())
    }

    /// Called with the task's waker before the runtime waits for a reply, and afterwards: `is_held` returns whether the
    /// runtime itself holds a clone of it, which it will not wake before the reply arrives. An executor that counts the
    /// clones of its waker thereby knows whether anything else can wake the task.
    #[doc(hidden)]
    fn holds_waker(&self, _waker: &Waker, _is_held: impl FnOnce() -> bool) {}
}

/// An executor that runs tasks concurrently, as [`run_concurrent`](crate::Runtime::run_concurrent) requires.
pub trait Spawn: Executor<Transport: Send, Connect: Send, Sleep: Send> + Send + Sync + 'static {
    /// A task that returns a `T`, or the message of its panic. Dropping it cancels the task, if the executor supports that.
    type Task<T: Send + 'static>: Future<Output = Result<T, String>> + Send;

    /// Starts a task.
    fn spawn<T: Send + 'static>(&self, task: impl Future<Output = T> + Send + 'static) -> Self::Task<T>;
}

/// Returns the output of `future`, or `None` if `sleep` completes first.
pub(crate) async fn timeout<T>(sleep: impl Future<Output = ()>, future: impl Future<Output = T>) -> Option<T> {
    let mut sleep = pin!(sleep);
    let mut future = pin!(future);
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => sleep.as_mut().poll(cx).map(|()| None),
    })
    .await
}
