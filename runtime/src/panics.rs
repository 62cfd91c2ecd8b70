//! Panics become failures that say where they happened.

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use crate::failure::Failure;

thread_local! {
    /// The last panic on this thread that nobody has asked for yet.
    static LAST: Cell<Option<Trace>> = const { Cell::new(None) };
}

/// What a panic's payload does not tell.
struct Trace {
    /// `file:line:column`
    location: String,
    backtrace: Backtrace,
}

/// Has every panic remembered before the hook that is there already is called. Once is enough.
pub(crate) fn remember() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let next = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let location = info.location().map(ToString::to_string).unwrap_or_default();
            // Captures only where RUST_BACKTRACE asks for it.
            LAST.set(Some(Trace { location, backtrace: Backtrace::capture() }));
            next(info);
        }));
    });
}

/// Calls `f`; a panic in it becomes a failure of type `Function.Panic`. `what` says who panicked.
pub(crate) fn catch<T>(what: &str, f: impl FnOnce() -> T) -> Result<T, Failure> {
    // One that `f` itself has caught, some time ago, would lend its place to one that was carried from elsewhere.
    LAST.set(None);
    catch_unwind(AssertUnwindSafe(f)).map_err(|payload| {
        let message = message(&*payload).to_owned();
        // It may be anything, and panic when it is dropped; what it panics with then, too.
        if let Err(worse) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            std::mem::forget(worse);
        }
        let Some(Trace { location, backtrace }) = LAST.take() else {
            return Failure::runtime("Function.Panic", format!("{what} panicked: {message}"));
        };
        let mut failure = Failure::runtime("Function.Panic", format!("{what} panicked at {location}: {message}"));
        if backtrace.status() == BacktraceStatus::Captured {
            failure.stack_trace = backtrace.to_string().lines().map(|line| line.trim().to_owned()).collect();
        }
        failure
    })
}

/// What `panic!` was told.
pub(crate) fn message(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&'static str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_tells_its_words_and_its_place() {
        remember();
        let failure = catch("the test", || panic!("so {}", 1)).unwrap_err();
        let words = failure.diagnostic.error_message;
        assert!(words.starts_with("the test panicked at ") && words.ends_with(": so 1"), "{words}");
        assert!(words.contains("panics.rs:"), "{words}");
        assert_eq!(catch("the test", || 7).unwrap(), 7);
    }

    #[test]
    fn a_payload_that_panics_when_it_is_dropped_does_no_harm() {
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
    fn a_panic_that_was_carried_from_elsewhere_tells_its_words() {
        remember();
        catch("the test", || drop(catch_unwind(|| panic!("caught before")))).unwrap();
        let payload = std::thread::spawn(|| panic!("elsewhere")).join().unwrap_err();
        let failure = catch("the test", || std::panic::resume_unwind(payload)).unwrap_err();
        assert_eq!(failure.diagnostic.error_message, "the test panicked: elsewhere");
    }
}
