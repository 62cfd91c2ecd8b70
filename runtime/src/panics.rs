//! Panics become failures that name their location.

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Once;
use std::task::Poll;

use crate::error::failure::{Failure, Trace};

thread_local! {
    /// Panics on this thread so far.
    static COUNT: Cell<u64> = const { Cell::new(0) };
    /// The last panic on this thread.
    static LAST: Cell<Option<Caught>> = const { Cell::new(None) };
}

/// Details of a panic that its payload does not contain.
struct Caught {
    location: String,
    backtrace: Backtrace,
}

/// Records every panic before the current hook is called. Repeated calls have no effect.
pub(crate) fn install_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let next = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let location = info.location().map(ToString::to_string).unwrap_or_default();
            // Captures only if RUST_BACKTRACE is set.
            let caught = Caught { location, backtrace: Backtrace::capture() };
            COUNT.set(COUNT.get().wrapping_add(1));
            // Fails while the thread ends: a destructor of another thread-local may panic.
            let _ = LAST.try_with(|last| last.set(Some(caught)));
            next(info);
        }));
    });
}

/// Calls `f`; a panic in it becomes a failure of type `Function.Panic`. `what` names the code that panicked.
pub(crate) fn catch<T>(what: &str, f: impl FnOnce() -> T) -> Result<T, Failure> {
    let count = COUNT.get();
    catch_unwind(AssertUnwindSafe(f)).map_err(|payload| failure(what, payload, count))
}

/// The failure of a panic. `count` is the number of panics before the code was called.
#[cold]
fn failure(what: &str, payload: Box<dyn Any + Send>, count: u64) -> Failure {
    // A panic that was caught elsewhere and resumed here has not passed the hook.
    let caught = LAST.take().filter(|_| COUNT.get() != count);
    let message = message(&*payload).to_owned();
    // The payload can be of any type, and panic when it is dropped; the payload of that panic can, too.
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(payload);
    }
    let Some(Caught { location, backtrace }) = caught else {
        return Failure::runtime("Function.Panic", format!("{what} panicked: {message}"));
    };
    let failure = Failure::runtime("Function.Panic", format!("{what} panicked at {location}: {message}"));
    let mut stack = Vec::new();
    if backtrace.status() == BacktraceStatus::Captured {
        stack.extend(backtrace.to_string().lines().map(|line| line.trim().to_owned()));
    }
    failure.with_panic(Trace { location, stack })
}

/// The message that `panic!` was called with.
pub(crate) fn message(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&'static str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

/// Runs `task`; a panic in it becomes an error with the panic's message. For executors whose tasks would propagate it.
///
/// # Errors
///
/// The task panicked.
pub async fn catch_panic<T>(task: impl Future<Output = T>) -> Result<T, String> {
    let mut task = pin!(task);
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| task.as_mut().poll(cx))) {
        Ok(poll) => poll.map(Ok),
        Err(panic) => Poll::Ready(Err(message(&*panic).to_owned())),
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_contains_message_and_location() {
        install_hook();
        let failure = catch("the test", || panic!("so {}", 1)).unwrap_err();
        let message = failure.into_diagnostic().error_message;
        assert!(message.starts_with("the test panicked at ") && message.ends_with(": so 1"), "{message}");
        assert!(message.contains("panics.rs:"), "{message}");
        assert_eq!(catch("the test", || 7).unwrap(), 7);
    }

    #[test]
    fn a_payload_may_panic_when_it_is_dropped() {
        struct Bomb;

        impl Drop for Bomb {
            fn drop(&mut self) {
                std::panic::panic_any(Bomb)
            }
        }

        let failure = catch("the test", || std::panic::panic_any(Bomb)).unwrap_err();
        assert!(failure.diagnostic.error_message.ends_with("no message"));
    }

    #[test]
    fn a_resumed_panic_has_a_message_and_no_location() {
        install_hook();
        catch("the test", || drop(catch_unwind(|| panic!("caught before")))).unwrap();
        let payload = std::thread::spawn(|| panic!("elsewhere")).join().unwrap_err();
        let failure = catch("the test", || std::panic::resume_unwind(payload)).unwrap_err();
        assert_eq!(failure.diagnostic.error_message, "the test panicked: elsewhere");
    }

    #[test]
    fn a_panic_while_the_thread_ends_is_survived() {
        struct PanicsInDrop;

        impl Drop for PanicsInDrop {
            fn drop(&mut self) {
                let _ = catch_unwind(|| panic!("while thread-locals are destroyed"));
            }
        }

        thread_local! {
            static LATE: Cell<Option<PanicsInDrop>> = const { Cell::new(None) };
        }

        install_hook();
        let thread = std::thread::spawn(|| {
            // Destroyed after `LAST`, which is registered later.
            LATE.set(Some(PanicsInDrop));
            let _ = catch("the test", || panic!("registers LAST"));
        });
        thread.join().unwrap();
    }
}
