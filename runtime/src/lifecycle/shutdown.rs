//! The executors' common part of a graceful shutdown.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::task::Poll;

use super::extension::Extension;
use crate::env::address::Address;
use crate::error::Error;
use crate::executor::Executor;
#[cfg(feature = "wait-until")]
use crate::invocation::work::pending;
use crate::logging::messages;
use crate::panics::catch_panic;

/// The signal that announces shutdown.
// Repeats the module's `doc(cfg)`, because the documentation of crates that re-export it shows only its own.
#[cfg(feature = "graceful-shutdown")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Lambda or another supervisor is about to end the process.
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

/// Registers the extension without which Lambda sends no signal. Returns a future that waits for the signal of `listen`
/// and drives the extension meanwhile.
///
/// `listen` is called last: it replaces the default signal handlers permanently; afterwards the signals no longer end the
/// process.
#[doc(hidden)]
pub async fn prepare<X: Executor, S: Future<Output = Signal>>(
    executor: X,
    address: Option<Address>,
    listen: impl FnOnce() -> io::Result<S>,
) -> Result<impl Future<Output = Signal>, Error> {
    let address = match address {
        Some(address) => address,
        None => Address::from_env()?,
    };
    let extension = Extension::register(executor, address).await?;
    let signal = listen()?;
    Ok(async move {
        let mut signal = pin!(signal);
        let mut extension = pin!(extension.run());
        let mut running = true;
        poll_fn(|cx| {
            if running && let Poll::Ready(error) = extension.as_mut().poll(cx) {
                running = false;
                messages::extension_ended(&error);
            }
            signal.as_mut().poll(cx)
        })
        .await
    })
}

/// The task of `spawn_graceful_shutdown_handler`: after the signal it runs the hook, waits for work after responses, logs that
/// shutdown is complete, and exits with code 0, or 1 if the hook panicked. If the extension is not registered, logs the error
/// and returns `None`.
#[doc(hidden)]
pub fn handler<Fut: Future<Output = ()>>(
    signal: Result<impl Future<Output = Signal>, Error>,
    hook: impl FnOnce() -> Fut,
) -> Option<impl Future<Output = ()>> {
    let signal = match signal {
        Ok(signal) => signal,
        Err(error) => {
            messages::shutdown_unavailable(&error);
            return None;
        }
    };
    Some(async move { std::process::exit(shut_down(signal, hook).await) })
}

/// The hook will not run, because its task cannot be started.
#[doc(hidden)]
pub fn unavailable(error: impl Into<Error>) {
    messages::shutdown_unavailable(&error.into());
}

/// Waits for the signal, runs the hook, and waits for work after responses. Returns the exit code of the process.
#[doc(hidden)]
pub async fn shut_down<Fut: Future<Output = ()>>(
    signal: impl Future<Output = Signal>,
    hook: impl FnOnce() -> Fut,
) -> i32 {
    messages::shutdown_started(signal.await.name());
    let ended = catch_panic(async { hook().await }).await;
    #[cfg(feature = "wait-until")]
    poll_fn(|cx| pending::poll_none(cx)).await;
    match ended {
        Ok(()) => {
            messages::shutdown_completed();
            0
        }
        Err(panic) => {
            messages::shutdown_failed(&panic);
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
    fn a_hook_that_panics_ends_the_process_with_code_1() {
        #[cfg(feature = "wait-until")]
        let _alone = crate::invocation::work::tests::ALONE.lock();
        fn code<Fut: Future<Output = ()>>(hook: impl FnOnce() -> Fut) -> Poll<i32> {
            pin!(shut_down(ready(Signal::Terminate), hook)).poll(&mut Context::from_waker(Waker::noop()))
        }
        assert_eq!(code(|| ready(())), Poll::Ready(0));
        assert_eq!(code(|| async { panic!("nothing to flush to") }), Poll::Ready(1));
        assert_eq!(code(|| -> std::future::Ready<()> { panic!("nothing to flush") }), Poll::Ready(1));
    }
}
