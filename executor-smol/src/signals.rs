//! Graceful shutdown, with smol's signals.

use std::future::Future;

use async_signal::{Signal as Unix, Signals};
use futures_util::StreamExt as _;
use lambda_runtime_base::shutdown;

use crate::{Address, Error, Signal, Smol, Spawn as _};

/// Registers an internal extension, so that Lambda announces shutdown, and returns a future that completes on that
/// announcement: on SIGTERM, or on SIGINT in a terminal. The process does not exit by itself: the caller has about 300 ms
/// to finish and exit.
///
/// Call it before the first invocation is requested, and poll the future continuously, in a task or together with `run`:
/// it drives the extension, which is named `_lambda-rust-runtime-no-op-graceful-shutdown-helper` and subscribes to no
/// events. Without a registered extension, Lambda ends the process with SIGKILL. See
/// [Shutdown phase](https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-shutdown).
///
/// # Errors
///
/// The extension cannot be registered (Lambda allows ten, and none after the first invocation), the API does not reply, or
/// the signals cannot be received.
pub async fn graceful_shutdown() -> Result<impl Future<Output = Signal> + Send, Error> {
    register(None).await
}

/// Like [`graceful_shutdown`], with the Runtime API at this address: the counterpart of
/// [`Runtime::address`](crate::Runtime::address).
///
/// # Errors
///
/// As for `graceful_shutdown`.
pub async fn graceful_shutdown_at(address: Address) -> Result<impl Future<Output = Signal> + Send, Error> {
    register(Some(address)).await
}

async fn register(address: Option<Address>) -> Result<impl Future<Output = Signal> + Send, Error> {
    let listen = || {
        let mut signals = Signals::new([Unix::Term, Unix::Int])?;
        Ok(async move {
            match signals.next().await {
                Some(Ok(Unix::Int)) => Signal::Interrupt,
                _ => Signal::Terminate,
            }
        })
    };
    shutdown::prepare(Smol, address, listen).await
}

/// Runs `shutdown_hook` in a task when Lambda announces shutdown, and then exits the process. [`graceful_shutdown`] leaves
/// exiting to the caller.
///
/// Await it before `run`. If the extension cannot be registered, an error is logged and the hook never runs.
///
/// ```no_run
/// use lambda_runtime_smol::{Error, LambdaEvent, block_on, run, service_fn, spawn_graceful_shutdown_handler};
///
/// fn main() -> Result<(), Error> {
///     block_on(async {
///         spawn_graceful_shutdown_handler(|| async { println!("flushed") }).await;
///         run(service_fn(handler)).await
///     })
/// }
///
/// async fn handler(event: LambdaEvent<String>) -> Result<String, Error> {
///     Ok(event.payload)
/// }
/// ```
pub async fn spawn_graceful_shutdown_handler<Fut>(shutdown_hook: impl FnOnce() -> Fut + Send + 'static)
where
    Fut: Future<Output = ()> + Send + 'static,
{
    if let Some(task) = shutdown::handler(graceful_shutdown().await, shutdown_hook) {
        Smol.spawn(task).detach().unwrap_or_else(shutdown::unavailable);
    }
}
