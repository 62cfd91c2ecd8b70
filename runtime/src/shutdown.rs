//! What executors share of a graceful shutdown.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::task::Poll;

use crate::extension::Extension;
use crate::log::{say, warn};
use crate::{Error, Executor, panics_as_words};

/// The signal by which the process was told to end.
// As the module: only so is it marked in the documentation of the executors' crates.
#[cfg(feature = "graceful-shutdown")]
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
/// the process with code 0, or 1 if the hook panicked. `None`, and a word about it, where there will be no signal.
#[doc(hidden)]
pub fn handler<Fut: Future<Output = ()>>(
    signal: Result<impl Future<Output = Signal>, Error>,
    hook: impl FnOnce() -> Fut,
) -> Option<impl Future<Output = ()>> {
    let signal = match signal {
        Ok(signal) => signal,
        Err(error) => {
            say!("[runtime] there will be no graceful shutdown: {error}");
            return None;
        }
    };
    Some(async move { std::process::exit(shut_down(signal, hook).await) })
}

/// Returns the code that the process is to end with.
async fn shut_down<Fut: Future<Output = ()>>(signal: impl Future<Output = Signal>, hook: impl FnOnce() -> Fut) -> i32 {
    say!("[runtime] {} received", signal.await.name());
    say!("[runtime] Graceful shutdown in progress ...");
    match panics_as_words(async { hook().await }).await {
        Ok(()) => {
            say!("[runtime] Graceful shutdown completed");
            0
        }
        Err(panic) => {
            say!("[runtime] Graceful shutdown failed: the hook panicked: {panic}");
            1
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::ready;
    use std::task::{Context, Waker};

    use super::*;

    #[test]
    fn the_process_ends_whatever_the_hook_does() {
        fn code<Fut: Future<Output = ()>>(hook: impl FnOnce() -> Fut) -> Poll<i32> {
            pin!(shut_down(ready(Signal::Terminate), hook)).poll(&mut Context::from_waker(Waker::noop()))
        }
        assert_eq!(code(|| ready(())), Poll::Ready(0));
        assert_eq!(code(|| async { panic!("nothing to flush to") }), Poll::Ready(1));
        assert_eq!(code(|| -> std::future::Ready<()> { panic!("nothing to flush") }), Poll::Ready(1));
    }
}
