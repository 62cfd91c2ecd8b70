//! What executors share of a graceful shutdown.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::task::Poll;

use crate::extension::Extension;
use crate::log::warn;
use crate::{Error, Executor};

/// The signal by which the process was told to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Lambda, or another supervisor, is about to end the process.
    Terminate,
    /// Ctrl-C.
    Interrupt,
}

impl Signal {
    /// `SIGTERM` or `SIGINT`.
    pub fn name(self) -> &'static str {
        match self {
            Signal::Terminate => "SIGTERM",
            Signal::Interrupt => "SIGINT",
        }
    }
}

/// Registers the extension without which Lambda sends no signal, and returns a future that waits for what `listen` gives
/// while it keeps the extension going.
///
/// `listen` comes last: it takes the signals away from the process for good, which would then not end by them.
#[doc(hidden)]
pub async fn prepare<X: Executor + Default, S: Future<Output = Signal>>(
    listen: impl FnOnce() -> io::Result<S>,
) -> Result<impl Future<Output = Signal>, Error> {
    let extension = Extension::<X>::register().await?;
    let signal = listen()?;
    Ok(async move {
        let mut signal = pin!(signal);
        let mut extension = pin!(extension.run());
        let mut running = true;
        poll_fn(|cx| {
            if running && let Poll::Ready(error) = extension.as_mut().poll(cx) {
                running = false;
                warn!("the extension for graceful shutdown has ended, so Lambda may send no SIGTERM: {error}");
            }
            signal.as_mut().poll(cx)
        })
        .await
    })
}

/// What the task of `spawn_graceful_shutdown_handler` does: at the signal it runs the hook, says so on stderr, and ends
/// the process with code 0. `None`, and a word about it, where there will be no signal.
#[doc(hidden)]
pub fn handler<Fut: Future<Output = ()>>(
    signal: Result<impl Future<Output = Signal>, Error>,
    hook: impl FnOnce() -> Fut,
) -> Option<impl Future<Output = ()>> {
    let signal = match signal {
        Ok(signal) => signal,
        Err(error) => {
            eprintln!("[runtime] there will be no graceful shutdown: {error}");
            return None;
        }
    };
    Some(async move {
        eprintln!("[runtime] {} received", signal.await.name());
        eprintln!("[runtime] Graceful shutdown in progress ...");
        hook().await;
        eprintln!("[runtime] Graceful shutdown completed");
        std::process::exit(0);
    })
}
