#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]
//!
//! # Layers and tests
//!
//! [`Runtime`] adds layers, and accepts the address of another Runtime API, such as that of
//! [`lambda-runtime-emulator`](https://docs.rs/lambda-runtime-emulator) in a test:
//!
//! ```
//! use lambda_runtime_blocking::layers::TracingLayer;
//! use lambda_runtime_blocking::{Error, LambdaEvent, Runtime, block_on, sync_fn};
//! use lambda_runtime_emulator::Emulator;
//!
//! fn shout(event: LambdaEvent<String>) -> Result<String, Error> {
//!     Ok(event.payload.to_uppercase())
//! }
//!
//! fn main() -> Result<(), Error> {
//!     let emulator = Emulator::start()?;
//!     let address = emulator.endpoint().parse()?;
//!     let runtime = Runtime::new(sync_fn(shout)).layer(TracingLayer::new());
//!     std::thread::spawn(|| block_on(runtime.address(address).run()));
//!
//!     assert_eq!(emulator.invoke(r#""hello""#)?.text(), r#""HELLO""#);
//!     Ok(())
//! }
//! ```
//!
//! # Where to look
//!
//! | for | see |
//! |---|---|
//! | the event and its context | [`LambdaEvent`], [`Context`]; [`RawEvent`] for bytes, or to borrow from the event |
//! | responses | any `Serialize`; [`RawResponse`] for bytes; [`StreamResponse`] and [`streaming`] for streams |
//! | errors, as callers and alarms receive them | [`Error`], [`Diagnostic`] |
//! | layers around the handler | [`Runtime::layer`](lambda_runtime_base::Runtime::layer), [`layers`] |
//! | several invocations at a time | [`run_concurrent`], with a thread for each |
//! | initialisation, SnapStart, shutdown | [`initialize`], [`snapstart`], `graceful_shutdown` |
//! | work after the response, the current invocation | `Context::wait_until`, `current` |
//! | the log | the module `tracing` |
//!
//! # Limitations
//!
//! - A plain function cannot be interrupted: [`DeadlineLayer`](layers::DeadlineLayer) ends only an `async fn` that waits, and
//!   streams between two chunks. A connection that is lost while the function runs is replaced afterwards, to send the
//!   response.
//! - Handlers cannot use the reactors of tokio or async-io. Channels, and futures that other threads wake, work.
//! - The futures of this crate must be polled within [`block_on`].
//! - Only Unix is supported.
//!
//! # Features
//!
//! | feature | adds |
//! |---|---|
//! | `tracing` (default) | the module `tracing`, with a subscriber that follows Lambda's settings |
//! | `current` (default) | `current`, the invocation for which code runs |
//! | `wait-until` (default) | `Context::wait_until`, work after the response |
//! | `opentelemetry` | `layers::OpenTelemetryLayer` |
//! | `anyhow`, `eyre`, `miette` | [`Diagnostic`] from the errors of these crates |
//! | `graceful-shutdown` | `graceful_shutdown` and `spawn_graceful_shutdown_handler` |
//! | `concurrency-tokio` | nothing, because `run_concurrent` is always available; accepted for compatibility with `lambda_runtime` |

#![cfg(unix)]

mod block_on;
mod reactor;
#[cfg(feature = "graceful-shutdown")]
mod signals;
mod task;
mod tcp;

use std::future::Future;
use std::io;
use std::net::ToSocketAddrs as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

pub use block_on::block_on;
pub use lambda_runtime_base::*;
#[cfg(feature = "graceful-shutdown")]
#[cfg_attr(docsrs, doc(cfg(feature = "graceful-shutdown")))]
pub use signals::{graceful_shutdown, graceful_shutdown_at, spawn_graceful_shutdown_handler};
pub use task::Task;
pub use tcp::Tcp;

use reactor::Reactor;

/// A [`lambda_runtime_base::Runtime`] on blocking sockets. Its `run` is a future: pass it to [`block_on`].
pub type Runtime<S> = lambda_runtime_base::Runtime<S, Blocking>;

/// Serves invocations with `handler` on the calling thread, one at a time, each in a span of `tracing`.
///
/// [`sync_fn`] makes a handler of a plain function, [`service_fn`] of an `async fn`. See [`Handler`] for what can be passed.
///
/// # Errors
///
/// Returns only if it cannot continue, with a [`RunError`]. An invocation that fails is reported to Lambda and does not
/// end `run`.
pub fn run<H, T, Fut>(handler: H) -> Result<(), Error>
where
    H: Handler<T, Future = Fut>,
    // Always true. With it, the compiler reports most mistakes in a handler once or twice instead of three times.
    H::Payload: Sized,
{
    block_on(Runtime::new(handler).traced().run())
}

/// Serves up to `AWS_LAMBDA_MAX_CONCURRENCY` invocations at a time, each on its own thread: for Lambda Managed Instances.
/// Without the variable it is equivalent to [`run`]. See
/// [`Runtime::run_concurrent`](lambda_runtime_base::Runtime::run_concurrent).
///
/// # Errors
///
/// Returns only if no worker can continue, with a [`RunError`] that contains the error of each.
pub fn run_concurrent<H, T, Fut>(handler: H) -> Result<(), Error>
where
    H: Handler<T, Future = Fut> + Clone + Send + 'static,
    H::Payload: Sized,
    Fut: Send + 'static,
{
    block_on(Runtime::new(handler).traced().run_concurrent())
}

/// Runs the function's own initialisation, before `run`. If it fails or panics, the error is posted to /init/error with
/// its type, message and causes, logged, and returned, so that `main` ends with code 1. Lambda would otherwise report
/// `Runtime.ExitError` without a reason.
///
/// ```no_run
/// use lambda_runtime_blocking::{Error, LambdaEvent, initialize, run, sync_fn};
///
/// fn main() -> Result<(), Error> {
///     let greeting = initialize(|| -> Result<String, Error> { Ok(std::env::var("GREETING")?) })?;
///     run(sync_fn(|event: LambdaEvent<String>| -> Result<String, Error> { Ok(format!("{greeting}, {}!", event.payload)) }))
/// }
/// ```
///
/// # Errors
///
/// The initialisation failed.
pub fn initialize<T, E: Into<Diagnostic>>(initialization: impl FnOnce() -> Result<T, E>) -> Result<T, Error> {
    block_on(init::initialize(Blocking, None, async { initialization() }))
}

/// Like [`initialize`], with the Runtime API at this address: the counterpart of
/// [`Runtime::address`](crate::Runtime::address).
///
/// # Errors
///
/// As for `initialize`.
pub fn initialize_at<T, E: Into<Diagnostic>>(
    address: Address,
    initialization: impl FnOnce() -> Result<T, E>,
) -> Result<T, Error> {
    block_on(init::initialize(Blocking, Some(address), async { initialization() }))
}

/// Returns the metadata of the execution environment: its availability zone. It is requested once, and again after a
/// SnapStart restore. Outside of Lambda, without `AWS_LAMBDA_METADATA_API` and `AWS_LAMBDA_METADATA_TOKEN`, it is empty.
///
/// # Errors
///
/// The endpoint did not reply within a second, or refused the request. A later call requests the metadata again.
pub fn metadata() -> Result<Metadata, Error> {
    block_on(lambda_runtime_base::metadata::metadata(Blocking))
}

/// Tower layers for invocations.
pub mod layers {
    pub use lambda_runtime_base::layers::*;

    /// A [`lambda_runtime_base::layers::DeadlineLayer`] on blocking sockets. It ends a handler that waits, and a stream
    /// between two chunks; a plain function is not interrupted.
    pub type DeadlineLayer = lambda_runtime_base::layers::DeadlineLayer<super::Blocking>;
}

/// Blocking sockets and threads, as an [`Executor`]. Its futures are polled within [`block_on`].
#[derive(Debug, Clone, Copy, Default)]
pub struct Blocking;

impl Executor for Blocking {
    type Transport = Tcp;
    type Connect = BoxFuture<'static, io::Result<Tcp>>;
    type Sleep = Sleep;

    /// Resolves a name immediately, on this thread.
    fn connect(&self, host: &str, port: u16) -> Self::Connect {
        let addresses = (host, port).to_socket_addrs();
        Box::pin(async move {
            let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
            for address in addresses? {
                match Tcp::connect(address).await {
                    Ok(tcp) => return Ok(tcp),
                    Err(error) => last = error,
                }
            }
            Err(last)
        })
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        Sleep(Instant::now().checked_add(duration).map(Arc::new))
    }

    fn holds_waker(&self, waker: &Waker, is_held: impl FnOnce() -> bool) {
        if let Some(reactor) = Reactor::current() {
            reactor.set_holds_waker(waker, is_held);
        }
    }
}

/// Completes at an instant; never, if that is further away than the clock can represent.
#[derive(Debug)]
pub struct Sleep(Option<Arc<Instant>>);

impl Sleep {
    #[doc(hidden)]
    pub fn until(instant: Instant) -> Self {
        Self(Some(Arc::new(instant)))
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<()> {
        let Some(until) = &self.0 else { return Poll::Pending };
        let remaining = until.saturating_duration_since(Instant::now());
        if remaining.is_zero() {
            return Poll::Ready(());
        }
        match Reactor::current() {
            Some(reactor) => {
                reactor.add_sleep(until, cx.waker());
                Poll::Pending
            }
            // Outside of `block_on` nothing else could end the wait.
            None => {
                thread::sleep(remaining);
                Poll::Ready(())
            }
        }
    }
}

/// Whether the calling thread is in [`block_on`].
#[doc(hidden)]
pub fn is_blocking_on() -> bool {
    Reactor::is_current()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_connection_sends_what_is_written_at_once_and_blocks_only_on_request() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let tcp = block_on(Tcp::connect(address)).unwrap();
        let socket = std::net::TcpStream::from(tcp.try_clone().unwrap());
        assert!(socket.nodelay().unwrap());
        assert_eq!(socket.peer_addr().unwrap(), address);
    }

    #[test]
    fn outside_of_block_on_a_connection_is_an_error_instead_of_a_wait_without_end() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut tcp = block_on(Tcp::connect(listener.local_addr().unwrap())).unwrap();
        let mut cx = TaskContext::from_waker(Waker::noop());
        let Poll::Ready(Err(error)) = tcp.poll_read(&mut cx, &mut [0]) else { panic!("it read") };
        assert!(error.to_string().contains("block_on"), "{error}");
    }
}
