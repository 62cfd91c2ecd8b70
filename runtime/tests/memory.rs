//! The memory that an event occupies.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use std::future::{Ready, ready};
use std::io::{self, IoSlice};
use std::pin::pin;
use std::sync::OnceLock;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use lambda_runtime_base::{Address, Error, Executor, LambdaEvent, Runtime, Transport, service_fn};
use serde_json::Value;

const EVENT: usize = 6_000_000;

/// An executor with an API in memory that delivers one invocation.
#[derive(Clone, Default)]
struct InMemory;

#[derive(Default)]
struct Api {
    /// The part of the current reply that the function has not read.
    reply: &'static [u8],
    invocations: usize,
}

impl Executor for InMemory {
    type Transport = Api;
    type Connect = Ready<io::Result<Api>>;
    type Sleep = Ready<()>;

    fn connect(&self, _host: &str, _port: u16) -> Self::Connect {
        ready(Ok(Api::default()))
    }

    fn sleep(&self, _duration: Duration) -> Self::Sleep {
        ready(())
    }
}

impl Transport for Api {
    fn poll_read(&mut self, _cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        if self.reply.is_empty() { Poll::Pending } else { Poll::Ready(io::Read::read(&mut self.reply, buf)) }
    }

    fn poll_write_vectored(&mut self, _cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        self.reply = match (bufs[0].starts_with(b"GET"), self.invocations) {
            (true, 0) => event(),
            (true, _) => b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
            (false, _) => b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n",
        };
        self.invocations += 1;
        Poll::Ready(Ok(bufs.iter().map(|buf| buf.len()).sum()))
    }
}

/// The reply to /next, built once.
fn event() -> &'static [u8] {
    static EVENT_BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    EVENT_BYTES.get_or_init(|| {
        let text = "x".repeat(EVENT - 2);
        format!("HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: id\r\nContent-Length: {EVENT}\r\n\r\n\"{text}\"")
            .into()
    })
}

#[test]
fn a_json_event_is_in_memory_once_besides_its_decoded_value() {
    event();
    let served = || {
        let length = |event: LambdaEvent<Value>| ready(Ok::<_, Error>(event.payload.as_str().map_or(0, str::len)));
        let handler = service_fn(length);
        let runtime = Runtime::<_, InMemory>::new(handler).address("127.0.0.1:9001".parse::<Address>().unwrap());
        let mut run = pin!(runtime.run());
        let end = loop {
            // The API always replies at once, so the runtime never waits.
            if let Poll::Ready(end) = run.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                break end;
            }
        };
        assert!(end.unwrap_err().to_string().contains("403"));
    };
    let peak = usize::try_from(allocation_counter::measure(served).bytes_max).unwrap();
    assert!((2 * EVENT..2 * EVENT + EVENT / 10).contains(&peak), "{peak}");
}
