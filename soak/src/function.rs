//! The function: the event selects its behaviour.

use std::fmt;
use std::net::UdpSocket;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use conformance::Yields;
use futures_core::Stream;
use lambda_runtime_tokio::{Address, Diagnostic, FunctionResponse, LambdaEvent, StreamResponse, service_fn};
use serde::{Deserialize, Serialize};

use crate::options::{Executor, Options};

/// An event.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Job {
    pub number: u64,
    /// The handler is pending this many times.
    pub turns: usize,
    pub task: Task,
    pub fill: String,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub enum Task {
    Echo,
    Fail,
    Panic,
    Stream(Chunks),
}

/// The chunks of a stream, each with bytes that identify it.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Chunks {
    pub number: u64,
    pub count: u64,
    pub size: usize,
    /// The stream is pending this many times before each.
    pub turns: usize,
    pub end: End,
}

impl Chunks {
    fn chunk(&self, n: u64) -> Vec<u8> {
        let mut chunk = ((self.number << 20) + n).to_le_bytes().repeat(self.size / 8 + 1);
        chunk.truncate(self.size);
        chunk
    }

    /// Returns all chunks.
    pub fn payload(&self) -> Vec<u8> {
        (0..self.count).flat_map(|n| self.chunk(n)).collect()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    Finish,
    Fail,
    Panic,
}

/// The number of calls of the handler.
static HANDLED: AtomicU64 = AtomicU64::new(0);

pub fn handled() -> u64 {
    HANDLED.load(Ordering::SeqCst)
}

/// Serves events until `run` returns; returns the message of its error.
pub fn run(options: Options, address: Address) -> Result<(), String> {
    let Options { executor, pipelining, .. } = options;
    let ended = match executor {
        Executor::Tokio => {
            let runtime = lambda_runtime_tokio::Runtime::new(service_fn(handle)).address(address);
            let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build();
            tokio.map_err(|error| error.to_string())?.block_on(runtime.pipelining(pipelining).run())
        }
        Executor::Smol => {
            let runtime = lambda_runtime_smol::Runtime::new(service_fn(handle)).address(address);
            smol::block_on(runtime.pipelining(pipelining).run())
        }
        Executor::Blocking => {
            let runtime = lambda_runtime_blocking::Runtime::new(service_fn(handle)).address(address);
            lambda_runtime_blocking::block_on(runtime.pipelining(pipelining).run())
        }
    };
    ended.map_err(|error| error.to_string())
}

/// Makes the executor open the files that it keeps open until the process exits.
pub fn warm_up(executor: Executor) {
    if executor == Executor::Smol {
        // A timer would not suffice: it may have elapsed when it is first polled.
        smol::Async::<UdpSocket>::bind(([127, 0, 0, 1], 0)).expect("a socket on the loopback interface");
    }
}

const PANIC: &str = "asked to panic";

/// Suppresses the output of panics that an event requests.
pub fn silence_requested_panics() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let asked = info.payload().downcast_ref::<String>().is_some_and(|message| message.starts_with(PANIC));
        if !asked {
            usual(info);
        }
    }));
}

/// The message of a failure, which names the event.
pub fn failure_message(number: u64) -> String {
    format!("no apples for {number}")
}

/// The message of a panic, which names the event.
pub fn panic_message(number: u64) -> String {
    format!("{PANIC} by {number}")
}

async fn handle(event: LambdaEvent<Job>) -> Result<FunctionResponse<Job, Source>, Diagnostic> {
    HANDLED.fetch_add(1, Ordering::SeqCst);
    let job = event.payload;
    Yields(job.turns).await;
    match job.task {
        Task::Echo => Ok(FunctionResponse::BufferedResponse(job)),
        Task::Fail => Err(Diagnostic { error_type: "OutOfStock".into(), error_message: failure_message(job.number) }),
        Task::Panic => panic!("{}", panic_message(job.number)),
        Task::Stream(chunks) => {
            let source = Source { chunks, sent: 0, turn: 0 };
            Ok(FunctionResponse::StreamingResponse(StreamResponse::from(source)))
        }
    }
}

/// A stream of chunks.
struct Source {
    chunks: Chunks,
    sent: u64,
    turn: usize,
}

impl Stream for Source {
    type Item = Result<Bytes, OutOfApples>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.turn < self.chunks.turns {
            self.turn += 1;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.turn = 0;
        if self.sent < self.chunks.count {
            self.sent += 1;
            return Poll::Ready(Some(Ok(self.chunks.chunk(self.sent - 1).into())));
        }
        match self.chunks.end {
            End::Finish => Poll::Ready(None),
            End::Fail => Poll::Ready(Some(Err(OutOfApples(self.chunks.number)))),
            End::Panic => panic!("{}", panic_message(self.chunks.number)),
        }
    }
}

/// The error of a stream.
#[derive(Debug)]
struct OutOfApples(u64);

impl fmt::Display for OutOfApples {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&failure_message(self.0))
    }
}

impl std::error::Error for OutOfApples {}
