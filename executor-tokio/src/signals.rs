//! Graceful shutdown: the signals of tokio.

use std::future::{Future, poll_fn};
use std::task::Poll;

use lambda_runtime_base::shutdown;
use tokio::signal::unix::{SignalKind, signal};

use crate::{Error, Signal, Tokio};

/// Registers what makes Lambda announce the end of the process, and returns a future that completes when it does so,
/// by SIGTERM, or by SIGINT in a terminal. The process does not end by itself: that is up to the caller, who has some
/// 300 ms.
///
/// It must be called before the first invocation is asked for, and it is to be polled all the time, on a task of its
/// own or beside `run`: it drives an internal extension that subscribes to no events, named
/// `_lambda-rust-runtime-no-op-graceful-shutdown-helper`, without which Lambda ends the process unannounced.
///
/// # Errors
///
/// The extension cannot be registered (Lambda allows ten, and none after the first invocation), or the signals cannot
/// be listened to.
pub async fn graceful_shutdown() -> Result<impl Future<Output = Signal> + Send, Error> {
    let listen = || {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        Ok(poll_fn(move |cx| {
            if terminate.poll_recv(cx).is_ready() {
                return Poll::Ready(Signal::Terminate);
            }
            interrupt.poll_recv(cx).map(|_| Signal::Interrupt)
        }))
    };
    shutdown::prepare(Tokio, None, listen).await
}

/// Runs `shutdown_hook` on a task when Lambda announces the end of the process, and then ends it. See
/// [`graceful_shutdown`], which does not end the process.
///
/// It is called, and awaited, before `run`. It is called from within a tokio runtime with I/O enabled.
/// Where the extension cannot be registered, that is told in the log, and signals are not waited for.
///
/// ```no_run
/// use lambda_runtime_tokio::{Error, LambdaEvent, run, service_fn, spawn_graceful_shutdown_handler};
///
/// #[tokio::main]
/// async fn main() -> Result<(), Error> {
///     spawn_graceful_shutdown_handler(|| async { println!("flushed") }).await;
///     run(service_fn(handler)).await
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
        tokio::spawn(task);
    }
}
