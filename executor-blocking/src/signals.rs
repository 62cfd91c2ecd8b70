//! Graceful shutdown: signals as bytes in a socket.

use std::future::{Future, poll_fn};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};
use std::thread;

use lambda_runtime_base::shutdown;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::low_level::pipe;

use crate::reactor::Source;
use crate::{Address, Blocking, Error, Signal, block_on};

/// Registers an internal extension, so that Lambda announces shutdown, and returns a future that completes on that
/// announcement: on SIGTERM, or on SIGINT in a terminal. The process does not exit by itself: the caller has about 300 ms
/// to finish and exit.
///
/// Call it within [`block_on`], before the first invocation is requested, and poll the future continuously, on another
/// thread or together with [`Runtime::run`](crate::Runtime::run): it drives the extension, which is named
/// `_lambda-rust-runtime-no-op-graceful-shutdown-helper` and subscribes to no events. Together with `run`, it is polled
/// between two invocations and while a handler waits, so a plain function delays it. Without a registered extension,
/// Lambda ends the process with SIGKILL. See
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
        let terminate = listen_for(SIGTERM)?;
        let interrupt = listen_for(SIGINT)?;
        Ok(poll_fn(move |cx| {
            if poll_received(&terminate, cx).is_ready() {
                return Poll::Ready(Signal::Terminate);
            }
            poll_received(&interrupt, cx).map(|()| Signal::Interrupt)
        }))
    };
    shutdown::prepare(Blocking, address, listen).await
}

/// A socket that receives a byte for each signal.
fn listen_for(signal: i32) -> io::Result<Arc<Source>> {
    let (reader, writer) = UnixStream::pair()?;
    pipe::register(signal, writer)?;
    Ok(Source::new(OwnedFd::from(reader)))
}

fn poll_received(source: &Arc<Source>, cx: &TaskContext<'_>) -> Poll<()> {
    match ready!(source.poll_recv(cx, &mut [0])) {
        Ok(_) => Poll::Ready(()),
        // Polled outside of `block_on`, where nothing would wake it.
        Err(_) => Poll::Pending,
    }
}

/// Runs `shutdown_hook` on a thread when Lambda announces shutdown, and then exits the process. [`graceful_shutdown`]
/// leaves exiting to the caller.
///
/// Await it before `run`. If the extension cannot be registered, an error is logged and the hook never runs.
///
/// ```no_run
/// use lambda_runtime_blocking::{Error, LambdaEvent, block_on, run, spawn_graceful_shutdown_handler, sync_fn};
///
/// fn main() -> Result<(), Error> {
///     block_on(spawn_graceful_shutdown_handler(|| async { println!("flushed") }));
///     run(sync_fn(handler))
/// }
///
/// fn handler(event: LambdaEvent<String>) -> Result<String, Error> {
///     Ok(event.payload)
/// }
/// ```
pub async fn spawn_graceful_shutdown_handler<Fut>(shutdown_hook: impl FnOnce() -> Fut + Send + 'static)
where
    Fut: Future<Output = ()> + Send + 'static,
{
    if let Some(task) = shutdown::handler(graceful_shutdown().await, shutdown_hook) {
        let thread = thread::Builder::new().name("shutdown".to_owned()).spawn(move || block_on(task));
        if let Err(error) = thread {
            shutdown::unavailable(format!("the hook's thread cannot be started: {error}"));
        }
    }
}
