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
//! use lambda_runtime_tokio::layers::TracingLayer;
//! use lambda_runtime_tokio::{Error, LambdaEvent, Runtime, service_fn};
//!
//! async fn shout(event: LambdaEvent<String>) -> Result<String, Error> {
//!     Ok(event.payload.to_uppercase())
//! }
//!
//! #[tokio::main(flavor = "current_thread")]
//! async fn main() -> Result<(), Error> {
//!     let emulator = Emulator::start()?;
//!     let address = emulator.endpoint().parse()?;
//!     let runtime = Runtime::new(service_fn(shout)).layer(TracingLayer::new());
//!     tokio::spawn(runtime.address(address).run());
//!
//!     assert_eq!(emulator.invoke_async(r#""hello""#).await?.text(), r#""HELLO""#);
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
//! | `tokio-extras` (default) | the features of tokio that `lambda_runtime` enables: `macros`, `rt-multi-thread`, `sync`, `io-util` |
//! | `current` (default) | `current`, the invocation for which code runs |
//! | `wait-until` (default) | `Context::wait_until`, work after the response |
//! | `opentelemetry` | `layers::OpenTelemetryLayer` |
//! | `anyhow`, `eyre`, `miette` | [`Diagnostic`] from the errors of these crates |
//! | `graceful-shutdown` | `graceful_shutdown` and `spawn_graceful_shutdown_handler`, on Unix |
//! | `concurrency-tokio` | nothing, because `run_concurrent` is always available; accepted for compatibility with `lambda_runtime` |

#[cfg(all(unix, feature = "graceful-shutdown"))]
mod signals;

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

pub use lambda_runtime_base::*;
#[cfg(all(unix, feature = "graceful-shutdown"))]
#[cfg_attr(docsrs, doc(cfg(all(unix, feature = "graceful-shutdown"))))]
pub use signals::{graceful_shutdown, graceful_shutdown_at, spawn_graceful_shutdown_handler};

/// A [`lambda_runtime_base::Runtime`] on tokio.
pub type Runtime<S> = lambda_runtime_base::Runtime<S, Tokio>;

/// Serves invocations with `handler`, one at a time, each in a span of `tracing`.
///
/// Call it from within a tokio runtime, of either flavor, with I/O and time enabled. Neither the handler nor its future
/// needs to be `Send`. See [`Handler`] for what can be passed.
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

/// Serves up to `AWS_LAMBDA_MAX_CONCURRENCY` invocations at a time, each worker a tokio task: for Lambda Managed
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
/// use lambda_runtime_tokio::{Error, LambdaEvent, initialize, run, service_fn};
///
/// #[tokio::main]
/// async fn main() -> Result<(), Error> {
///     let greeting = initialize(initialization()).await?;
///     let greet = async |event: LambdaEvent<String>| Ok::<_, Error>(format!("{greeting}, {}!", event.payload));
///     run(service_fn(greet)).await
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
    lambda_runtime_base::init::initialize(Tokio, None, initialization).await
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
    lambda_runtime_base::init::initialize(Tokio, Some(address), initialization).await
}

/// Returns the metadata of the execution environment: its availability zone. It is requested once, and again after a
/// SnapStart restore. Outside of Lambda, without `AWS_LAMBDA_METADATA_API` and `AWS_LAMBDA_METADATA_TOKEN`, it is empty.
///
/// # Errors
///
/// The endpoint did not reply within a second, or refused the request. A later call requests the metadata again.
pub async fn metadata() -> Result<Metadata, Error> {
    lambda_runtime_base::metadata::metadata(Tokio).await
}

/// Tower layers for invocations.
pub mod layers {
    pub use lambda_runtime_base::layers::*;

    /// A [`lambda_runtime_base::layers::DeadlineLayer`] on tokio.
    pub type DeadlineLayer = lambda_runtime_base::layers::DeadlineLayer<super::Tokio>;
}

/// tokio, as an [`Executor`].
#[derive(Debug, Clone, Copy, Default)]
pub struct Tokio;

impl Executor for Tokio {
    type Transport = Tcp;
    type Connect = BoxFuture<'static, io::Result<Tcp>>;
    type Sleep = tokio::time::Sleep;

    fn connect(&self, host: &str, port: u16) -> Self::Connect {
        let host = host.to_owned();
        Box::pin(async move {
            let stream = TcpStream::connect((host, port)).await?;
            stream.set_nodelay(true)?;
            Ok(Tcp(stream))
        })
    }

    fn sleep(&self, duration: Duration) -> Self::Sleep {
        tokio::time::sleep(duration)
    }
}

impl Spawn for Tokio {
    type Task<T: Send + 'static> = Task<T>;

    fn spawn<T: Send + 'static>(&self, task: impl Future<Output = T> + Send + 'static) -> Task<T> {
        Task(tokio::spawn(catch_panic(task)))
    }
}

/// A tokio task, as a [`Spawn::Task`].
#[derive(Debug)]
pub struct Task<T>(tokio::task::JoinHandle<Result<T, String>>);

impl<T> Future for Task<T> {
    type Output = Result<T, String>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map(|joined| joined.unwrap_or_else(|error| Err(error.to_string())))
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A tokio TCP stream, as a [`Transport`].
#[derive(Debug)]
pub struct Tcp(TcpStream);

impl Transport for Tcp {
    fn poll_read(&mut self, cx: &mut TaskContext<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buf = ReadBuf::new(buf);
        ready!(Pin::new(&mut self.0).poll_read(cx, &mut buf))?;
        Poll::Ready(Ok(buf.filled().len()))
    }

    fn poll_write_vectored(&mut self, cx: &mut TaskContext<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, bufs)
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn connections_have_nodelay_set() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let Tcp(stream) = tokio.block_on(Tokio.connect("127.0.0.1", port)).unwrap();
        assert!(stream.nodelay().unwrap());
    }
}
