//! The environment variable from which X-Ray's SDKs read the trace id.
//!
//! Lambda requires runtimes to pass the trace on in `_X_AMZN_TRACE_ID`. See
//! [Defined runtime environment variables](https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime).
//!
//! glibc retains every value that `setenv` was ever called with, so on Linux the variable's memory is installed once
//! and rewritten for each invocation. A function that sets or removes the variable itself detaches that memory: its own
//! value remains.

use std::sync::{Mutex, PoisonError};

const VARIABLE: &str = "_X_AMZN_TRACE_ID";

/// The value that was set last; `None` before the first and if the variable is not set.
static CURRENT: Mutex<Option<String>> = Mutex::new(None);

/// Sets the variable, or removes it.
pub(crate) fn set(trace_id: Option<&str>) {
    let trace_id = trace_id.filter(|id| memchr::memchr(0, id.as_bytes()).is_none()).unwrap_or_default();
    let mut current = CURRENT.lock().unwrap_or_else(PoisonError::into_inner);
    if current.as_deref().unwrap_or_default() == trace_id {
        return;
    }
    if trace_id.is_empty() {
        process::remove();
        *current = None;
        return;
    }
    process::set(current.is_some(), trace_id);
    let current = current.get_or_insert_default();
    current.clear();
    current.push_str(trace_id);
}

#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
mod process {
    use std::ffi::{c_char, c_int};
    use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

    use super::VARIABLE;

    /// `NAME=value`, padded with NUL.
    static ENTRY: [AtomicU8; SIZE] = [const { AtomicU8::new(0) }; SIZE];

    const PREFIX: &[u8] = b"_X_AMZN_TRACE_ID=";

    /// Trace ids have about 100 bytes. A longer value is set by the standard library.
    const SIZE: usize = 1024;

    /// `ENTRY` is in the process's environment.
    static INSTALLED: AtomicBool = AtomicBool::new(false);

    unsafe extern "C" {
        fn putenv(entry: *mut c_char) -> c_int;
    }

    /// The lock of the caller is held.
    pub(super) fn set(is_set: bool, value: &str) {
        // At least one byte is never written and remains NUL.
        let fits = PREFIX.len() + value.len() < SIZE;
        if fits {
            let (prefix, rest) = ENTRY.split_at(PREFIX.len());
            if !INSTALLED.load(Ordering::Relaxed) {
                store(prefix, PREFIX);
            }
            store(rest, value.as_bytes());
            if let Some(end) = rest.get(value.len()) {
                end.store(0, Ordering::Relaxed);
            }
        }
        if fits && is_set && INSTALLED.load(Ordering::Relaxed) {
            return;
        }
        // SAFETY: The standard library serialises this with every other access through it. C code that reads the
        // environment on another thread at this moment is a data race, as with any `setenv`; this runs between two
        // invocations, and only for the first one and for those that follow one without a trace id.
        unsafe { std::env::set_var(VARIABLE, if fits { "" } else { value }) };
        if fits {
            // SAFETY: The variable exists, so this replaces one pointer in the environment. `ENTRY` lives forever and is
            // always terminated: its last byte is never written. It is written by atomic stores while other threads may
            // read it, so a reader sees the old id, the new one or a mixture, but never freed or unterminated memory,
            // as with `setenv`.
            unsafe { putenv(ENTRY.as_ptr().cast_mut().cast()) };
        }
        INSTALLED.store(fits, Ordering::Relaxed);
    }

    fn store(places: &[AtomicU8], bytes: &[u8]) {
        for (place, byte) in places.iter().zip(bytes) {
            place.store(*byte, Ordering::Relaxed);
        }
    }

    pub(super) fn remove() {
        // SAFETY: as for `set_var` above.
        unsafe { std::env::remove_var(VARIABLE) };
    }
}

#[cfg(not(target_os = "linux"))]
#[allow(unsafe_code)]
mod process {
    use super::VARIABLE;

    pub(super) fn set(_is_set: bool, value: &str) {
        // SAFETY: The standard library serialises this with every other access through it. C code that reads the
        // environment on another thread at this moment is a risk; this runs between two invocations.
        unsafe { std::env::set_var(VARIABLE, value) };
    }

    pub(super) fn remove() {
        // SAFETY: as above.
        unsafe { std::env::remove_var(VARIABLE) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variable() -> Option<String> {
        std::env::var(VARIABLE).ok()
    }

    #[test]
    fn the_variable_has_the_last_value_in_constant_memory() {
        let id = |n: u32| format!("Root=1-{n:08x}-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1");
        let long = "x".repeat(2000);
        for value in
            [Some("Root=1-a"), Some("Root=1-longer"), Some("b"), None, Some("c"), Some(&*long), Some("d"), None]
        {
            set(value);
            assert_eq!(variable().as_deref(), value);
        }
        set(Some("kept"));
        set(Some("a\0b"));
        assert_eq!(variable(), None, "a value that contains NUL cannot be set");

        set(Some(&id(0)));
        let ids: Vec<_> = (1..100).map(id).collect();
        let allocated = allocation_counter::measure(|| ids.iter().for_each(|id| set(Some(id))));
        assert_eq!(variable().as_ref(), ids.last());
        assert_eq!(allocated.count_total, 0);

        // A child inherits it.
        let child = std::process::Command::new("sh").args(["-c", "printf %s \"$_X_AMZN_TRACE_ID\""]).output().unwrap();
        assert_eq!(String::from_utf8(child.stdout).unwrap(), id(99));
    }
}
