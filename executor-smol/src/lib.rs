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
//! use lambda_runtime_emulator::Emulator;
//! use lambda_runtime_smol::layers::TracingLayer;
//! use lambda_runtime_smol::{Error, LambdaEvent, Runtime, service_fn};
//!
//! async fn shout(event: LambdaEvent<String>) -> Result<String, Error> {
//!     Ok(event.payload.to_uppercase())
//! }
//!
//! fn main() -> Result<(), Error> {
//!     let emulator = Emulator::start()?;
//!     let address = emulator.endpoint().parse()?;
//!     let runtime = Runtime::new(service_fn(shout)).layer(TracingLayer::new());
//!     let _function = smol::spawn(runtime.address(address).run());
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
//! | several invocations at a time | [`run_concurrent`] |
//! | initialisation, SnapStart, shutdown | [`initialize`], [`snapstart`], `graceful_shutdown` |
//! | work after the response, the current invocation | `Context::wait_until`, `current` |
//! | the log | the module `tracing` |
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
//! | `graceful-shutdown` | `graceful_shutdown` and `spawn_graceful_shutdown_handler`, on Unix |
//! | `concurrency-tokio` | nothing, because `run_concurrent` is always available; accepted for compatibility with `lambda_runtime` |

#[cfg(all(unix, feature = "graceful-shutdown"))]
mod signals;
mod sleep;
mod tcp;

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::pin::Pin;
use std::sync::OnceLock;
#[cfg(unix)]
use std::task::Waker;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use futures_channel::oneshot;
#[cfg(unix)]
use lambda_runtime_blocking::Blocking;

pub use lambda_runtime_base::*;
#[cfg(all(unix, feature = "graceful-shutdown"))]
#[cfg_attr(docsrs, doc(cfg(all(unix, feature = "graceful-shutdown"))))]
pub use signals::{graceful_shutdown, graceful_shutdown_at, spawn_graceful_shutdown_handler};

pub use sleep::Sleep;
pub use tcp::Tcp;

/// A [`lambda_runtime_base::Runtime`] on smol.
pub type Runtime<S> = lambda_runtime_base::Runtime<S, Smol>;

/// Serves invocations with `handler`, one at a time, each in a span of `tracing`.
///
/// Any executor can poll it: [`block_on`], `smol::block_on`, or a thread that runs a `smol::Executor`. Neither the handler nor its
/// future needs to be `Send`. See [`Handler`] for what can be passed.
///
/// # Errors
///
/// Returns only if it cannot continue, with a [`RunError`]. An invocation that fails is reported to Lambda and does not
/// end `run`.
pub async fn run<H, T, Fut>(handler: H) -> Result<(), Error>
where
    H: Handler<T, Future = Fut>,
    // Always satisfied. Reduces the compiler's errors for most mistakes in a handler from three to one or two.
    H::Payload: Sized,
{
    Runtime::new(handler).traced().run().await
}

/// Serves up to `AWS_LAMBDA_MAX_CONCURRENCY` invocations at a time, on one thread per core: for Lambda Managed
/// Instances. Without the variable it is equivalent to [`run`]. See
/// [`Runtime::run_concurrent`](lambda_runtime_base::Runtime::run_concurrent).
///
/// # Errors
///
/// Returns only if no worker can continue, with a [`RunError`] that contains the error of each.
pub async fn run_concurrent<H, T, Fut>(handler: H) -> Result<(), Error>
where
    H: Handler<T, Future = Fut> + Clone + Send + 'static,
    H::Payload: Sized,
    Fut: Send + 'static,
{
    Runtime::new(handler).traced().run_concurrent().await
}

/// Runs the function's own initialisation, before `run`. If it fails or panics, the error is posted to /init/error with
/// its type, message and causes, logged, and returned, so that `main` ends with code 1. Lambda would otherwise report
/// `Runtime.ExitError` without a reason.
///
/// ```no_run
/// use lambda_runtime_smol::{Error, LambdaEvent, block_on, initialize, run, service_fn};
///
/// fn main() -> Result<(), Error> {
///     block_on(async {
///         let greeting = initialize(initialization()).await?;
///         let greet = async |event: LambdaEvent<String>| Ok::<_, Error>(format!("{greeting}, {}!", event.payload));
///         run(service_fn(greet)).await
///     })
/// }
///
/// async fn initialization() -> Result<String, Error> {
///     Ok(std::env::var("GREETING")?)
/// }
/// ```
///
/// # Errors
///
/// The initialisation failed.
pub async fn initialize<T, E: Into<Diagnostic>>(
    initialization: impl Future<Output = Result<T, E>>,
) -> Result<T, Error> {
    lambda_runtime_base::init::initialize(Smol, None, initialization).await
}

/// Like [`initialize`], with the Runtime API at this address: the counterpart of
/// [`Runtime::address`](crate::Runtime::address).
///
/// # Errors
///
/// As for `initialize`.
pub async fn initialize_at<T, E: Into<Diagnostic>>(
    address: Address,
    initialization: impl Future<Output = Result<T, E>>,
) -> Result<T, Error> {
    lambda_runtime_base::init::initialize(Smol, Some(address), initialization).await
}

/// Runs a future to completion on the calling thread. This is the cheapest way to run a function.
///
/// The runtime's connection is polled on this thread, without `async-io`. If only a reply can wake the future, the thread
/// blocks in `recv`: an invocation of a function that awaits nothing takes four system calls, instead of 16 under
/// `smol::block_on`. Timers and sockets of smol and `async-io` work as usual, on the thread `async-io`, which starts on
/// first use.
///
/// On systems other than Unix, this is `async_io::block_on`.
///
/// ```
/// use std::time::Duration;
///
/// lambda_runtime_smol::block_on(async {
///     smol::Timer::after(Duration::from_millis(1)).await;
/// });
/// ```
pub fn block_on<F: Future>(future: F) -> F::Output {
    #[cfg(unix)]
    return lambda_runtime_blocking::block_on(future);
    #[cfg(not(unix))]
    return async_io::block_on(future);
}

/// Returns the metadata of the execution environment: its availability zone. It is requested once, and again after a
/// SnapStart restore. Outside of Lambda, without `AWS_LAMBDA_METADATA_API` and `AWS_LAMBDA_METADATA_TOKEN`, it is empty.
///
/// # Errors
///
/// The endpoint did not reply within a second, or refused the request. A later call requests the metadata again.
pub async fn metadata() -> Result<Metadata, Error> {
    lambda_runtime_base::metadata::metadata(Smol).await
}

/// Tower layers for invocations.
pub mod layers {
    pub use lambda_runtime_base::layers::*;

    /// A [`lambda_runtime_base::layers::DeadlineLayer`] on smol.
    pub type DeadlineLayer = lambda_runtime_base::layers::DeadlineLayer<super::Smol>;
}

/// smol, as an [`Executor`].
#[derive(Debug, Clone, Copy, Default)]
pub struct Smol;

impl Executor for Smol {
    type Transport = Tcp;
    type Connect = BoxFuture<'static, io::Result<Tcp>>;
    type Sleep = Sleep;

    fn connect(&self, host: &str, port: u16) -> Self::Connect {
        let host = host.to_owned();
        Box::pin(async move {
            let mut last = io::Error::new(io::ErrorKind::NotFound, "the host name has no addresses");
            for address in resolve(host, port).await? {
                match Tcp::connect(address).await {
                    Ok(tcp) => return Ok(tcp),
                    Err(error) => last = error,
                }
            }
            Err(last)
        })
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        Sleep::new(duration)
    }

    #[cfg(unix)]
    fn holds_waker(&self, waker: &Waker, is_held: impl FnOnce() -> bool) {
        Blocking.holds_waker(waker, is_held);
    }
}

impl Spawn for Smol {
    type Task<T: Send + 'static> = Task<T>;

    fn spawn<T: Send + 'static>(&self, task: impl Future<Output = T> + Send + 'static) -> Self::Task<T> {
        Task(match threads() {
            Ok(executor) => Ok(executor.spawn(catch_panic(task))),
            Err(error) => Err(error.to_string()),
        })
    }
}

/// A task on smol's threads, as a [`Spawn::Task`].
#[derive(Debug)]
pub struct Task<T>(Result<async_executor::Task<Result<T, String>>, String>);

impl<T> Future for Task<T> {
    type Output = Result<T, String>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Ok(task) => Pin::new(task).poll(cx),
            Err(error) => Poll::Ready(Err(std::mem::take(error))),
        }
    }
}

#[cfg(all(unix, feature = "graceful-shutdown"))]
impl<T> Task<T> {
    /// Lets the task run until it completes. Fails if it could not be started.
    fn detach(self) -> Result<(), String> {
        self.0.map(async_executor::Task::detach)
    }
}

/// Returns an executor with one thread per core, started on first use, or the error if not even one thread can be
/// started.
fn threads() -> &'static io::Result<async_executor::Executor<'static>> {
    static EXECUTOR: OnceLock<io::Result<async_executor::Executor<'static>>> = OnceLock::new();
    fn run() {
        if let Ok(executor) = threads() {
            async_io::block_on(executor.run(std::future::pending::<()>()));
        }
    }
    EXECUTOR.get_or_init(|| {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let start = |n| std::thread::Builder::new().name(format!("smol-{n}")).spawn(run);
        start(0)?;
        // One thread suffices to run tasks.
        (1..cores).try_for_each(|n| start(n).map(drop)).ok();
        Ok(async_executor::Executor::new())
    })
}

/// Resolves a name on another thread, because the system's resolver blocks.
async fn resolve(host: String, port: u16) -> io::Result<Vec<SocketAddr>> {
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(ip, port)]);
    }
    let (sender, addresses) = oneshot::channel();
    std::thread::Builder::new()
        .name("resolver".to_owned())
        .spawn(move || sender.send((host.as_str(), port).to_socket_addrs().map(Iterator::collect)))?;
    addresses.await.map_err(io::Error::other)?
}
