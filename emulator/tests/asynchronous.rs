//! Invocations that are awaited, by a test that polls them itself.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::pin::pin;
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Wake};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use common::{LIMIT, Runtime, failure};
use lambda_runtime_emulator::{Emulator, End, Error, Outcome};

#[test]
fn a_response_is_the_outcome() {
    let outcome = outcome(Emulator::start().unwrap(), |emulator| {
        let mut runtime = Runtime::connect(emulator);
        let event = runtime.next();
        let body = event.body();
        runtime.respond(event, body);
    });
    let outcome = outcome.unwrap();
    assert!(outcome.is_complete());
    assert_eq!(outcome.text(), "7");
}

#[test]
fn a_stream_that_is_larger_than_the_buffer_is_collected() {
    let outcome = outcome(Emulator::start().unwrap(), |emulator| {
        let mut runtime = Runtime::connect(emulator);
        let event = runtime.next();
        let stream = runtime.stream(event);
        for _ in 0..64 {
            runtime.chunk(&stream, Bytes::from(vec![b'x'; 16 * 1024]));
        }
        runtime.client.finish(stream).unwrap();
        runtime.reply();
    });
    let outcome = outcome.unwrap();
    assert!(outcome.is_complete() && outcome.is_streamed());
    assert_eq!(outcome.body().len(), 64 * 16 * 1024);
}

#[test]
fn an_error_of_the_function_is_an_outcome() {
    let outcome = outcome(Emulator::start().unwrap(), |emulator| {
        let mut runtime = Runtime::connect(emulator);
        let event = runtime.next();
        runtime.fail(event, failure("Function.Broken", "asked to fail"));
    });
    assert!(matches!(outcome.unwrap().end(), End::Failed(error) if error.message() == "asked to fail"));
}

#[test]
fn a_process_that_exits_ends_a_queued_invocation() {
    let outcome = outcome(Emulator::start().unwrap(), |emulator| {
        emulator.runtime_exited("exit status 1");
    });
    assert_eq!(outcome.unwrap().error().unwrap().error_type(), "Runtime.ExitError");
}

#[test]
fn an_initialization_that_fails_ends_a_queued_invocation() {
    let outcome = outcome(Emulator::start().unwrap(), |emulator| {
        let mut runtime = Runtime::connect(emulator);
        runtime.client.init_error(failure("Runtime.Broken", "asked to fail")).unwrap();
        runtime.reply();
    });
    assert_eq!(outcome.unwrap().error().unwrap().error_type(), "Runtime.Broken");
}

#[test]
fn an_event_that_is_never_requested_is_an_error() {
    let emulator = Emulator::builder().claim_timeout(Duration::from_millis(20)).start().unwrap();
    assert!(matches!(outcome(emulator, |_| ()), Err(Error::Unclaimed { .. })));
}

#[test]
fn an_emulator_that_stops_is_an_error() {
    assert_eq!(outcome(Emulator::start().unwrap(), |emulator| emulator.stop()).unwrap_err(), Error::Stopped);
}

/// The outcome of an invocation with the event `7` that is awaited before `cause` runs on another thread.
fn outcome(emulator: Emulator, cause: impl FnOnce(&Emulator) + Send + 'static) -> Result<Outcome, Error> {
    let emulator = Arc::new(emulator);
    let (wakes, woken) = mpsc::channel();
    let waker = Arc::new(Observing { emulator: Arc::clone(&emulator), wakes: Mutex::new(wakes) }).into();
    let mut cx = Context::from_waker(&waker);

    let mut future = pin!(emulator.invoke_async("7"));
    assert!(future.as_mut().poll(&mut cx).is_pending());
    let thread = thread::spawn({
        let emulator = Arc::clone(&emulator);
        move || cause(&emulator)
    });
    let outcome = loop {
        woken.recv_timeout(LIMIT).unwrap();
        if let Poll::Ready(outcome) = future.as_mut().poll(&mut cx) {
            break outcome;
        }
    };
    thread.join().unwrap();
    outcome
}

/// A waker that uses the emulator, as one that polls the task at once may.
struct Observing {
    emulator: Arc<Emulator>,
    wakes: Mutex<mpsc::Sender<()>>,
}

impl Wake for Observing {
    fn wake(self: Arc<Self>) {
        self.emulator.observed();
        let _ = self.wakes.lock().unwrap().send(());
    }
}
