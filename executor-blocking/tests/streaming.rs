//! Responses streamed from iterators and readers, which block the thread.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test may panic")]

use std::io::{self, Read};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use lambda_runtime_blocking::streaming::{Body, Response};
use lambda_runtime_blocking::{Error, LambdaEvent, Runtime, block_on, sync_fn};
use lambda_runtime_emulator::Emulator;

/// Runs a function that streams this body, for one invocation.
fn serve(emulator: &Emulator, body: Body) {
    let address = emulator.endpoint().parse().unwrap();
    thread::spawn(move || {
        let mut body = Some(body);
        let handler = sync_fn(move |_: LambdaEvent<()>| -> Result<Response<Body>, Error> {
            Ok(Response::from(body.take().ok_or("the body was used")?))
        });
        block_on(Runtime::new(handler).address(address).run())
    });
}

#[test]
fn each_chunk_of_an_iterator_is_sent_before_the_next_one_is_taken() {
    let emulator = Emulator::builder().reserve_port().start().unwrap();
    let (sender, receiver) = mpsc::channel::<&str>();
    let receiver = Arc::new(Mutex::new(receiver));
    // Blocks until the test has read the previous chunk.
    let chunks = std::iter::from_fn(move || receiver.lock().unwrap().recv().ok()).map(Ok::<_, Error>);
    serve(&emulator, Body::from_chunks(chunks));

    let mut invocation = emulator.start_invocation("null").unwrap();
    for chunk in ["one", "two", "three"] {
        sender.send(chunk).unwrap();
        // It may arrive in parts, and the prelude precedes it.
        let mut received = Vec::new();
        while !received.ends_with(chunk.as_bytes()) {
            received.extend(invocation.next().expect("the response has ended").data);
        }
    }
    drop(sender);
    assert!(invocation.wait().unwrap().is_complete());
}

/// Returns bytes and `Interrupted` alternately, and optionally fails at the end.
struct Source {
    left: usize,
    interrupted: bool,
    fails: bool,
}

impl Read for Source {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.interrupted = !self.interrupted;
        if self.interrupted {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let n = self.left.min(buf.len()).min(50_000);
        if n == 0 && self.fails {
            return Err(io::Error::other("the disk is gone"));
        }
        buf[..n].fill(b'x');
        self.left -= n;
        Ok(n)
    }
}

#[test]
fn a_reader_is_read_to_its_end_and_its_error_interrupts_the_response() {
    for fails in [false, true] {
        let emulator = Emulator::builder().reserve_port().start().unwrap();
        serve(&emulator, Body::from_reader(Source { left: 1_000_000, interrupted: false, fails }));
        let outcome = emulator.invoke("null").unwrap();
        assert_eq!(outcome.is_complete(), !fails);
        match outcome.error() {
            Some(error) => assert_eq!(error.message(), "the disk is gone"),
            None => assert_eq!(outcome.payload().len(), 1_000_000),
        }
    }
}
