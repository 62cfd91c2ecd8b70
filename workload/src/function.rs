//! The function: the event selects its behaviour.

use std::fmt;
use std::future::{Future, pending};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use futures_lite::future::yield_now;
use lambda_runtime_base::{Diagnostic, FunctionResponse, LambdaEvent, Spawn, StreamResponse};

use crate::job::{Chunks, End, Job, Task, failure_message, panic_message};

/// Observes the function.
pub trait Observer: Send + Unpin + 'static {
    /// Called when the handler is called.
    fn called(&self, event: &LambdaEvent<Job>);

    /// Called by code of this invocation, in its handler or in its stream.
    fn runs(&self, _number: u64) {}

    /// Called when the runtime takes a chunk of this many bytes from the stream of this invocation.
    fn pulled(&self, _number: u64, _bytes: usize) {}

    /// Panics with [`panic_message`].
    fn panic(&self, number: u64) -> ! {
        panic!("{}", panic_message(number))
    }
}

/// The handler.
///
/// # Errors
///
/// The event requests a failure.
pub async fn handle<E: Spawn + Unpin, O: Observer>(
    executor: E,
    observer: O,
    event: LambdaEvent<Job>,
) -> Result<FunctionResponse<Job, Source<E, O>>, Diagnostic> {
    observer.called(&event);
    let job = event.payload;
    for _ in 0..job.turns {
        yield_now().await;
    }
    observer.runs(job.number);
    match job.task {
        Task::Echo => Ok(FunctionResponse::BufferedResponse(job)),
        Task::Sleep(micros) => {
            executor.sleep(Duration::from_micros(micros)).await;
            Ok(FunctionResponse::BufferedResponse(job))
        }
        Task::Fail => Err(Diagnostic { error_type: "OutOfStock".into(), error_message: failure_message(job.number) }),
        Task::Panic => observer.panic(job.number),
        Task::Stuck => pending().await,
        Task::Stream(chunks) => {
            let number = job.number;
            let source = Source { executor, observer, number, chunks, sent: 0, turn: 0, sleep: None, paused: false };
            Ok(FunctionResponse::StreamingResponse(StreamResponse::from(source)))
        }
    }
}

/// A stream of chunks.
pub struct Source<E: Spawn, O> {
    executor: E,
    observer: O,
    number: u64,
    chunks: Chunks,
    sent: u32,
    turn: u32,
    sleep: Option<Pin<Box<E::Sleep>>>,
    paused: bool,
}

impl<E: Spawn + Unpin, O: Observer> Stream for Source<E, O> {
    type Item = Result<Bytes, OutOfApples>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.observer.runs(self.number);
        if self.turn < self.chunks.turns {
            self.turn += 1;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.chunks.pause > 0 && !self.paused {
            let pause = Duration::from_micros(self.chunks.pause);
            let this = &mut *self;
            let sleep = this.sleep.get_or_insert_with(|| Box::pin(this.executor.sleep(pause)));
            if sleep.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            self.sleep = None;
            self.paused = true;
        }
        if self.sent < self.chunks.count {
            self.turn = 0;
            self.paused = false;
            self.sent += 1;
            let chunk = self.chunks.chunk(self.number, self.sent - 1);
            self.observer.pulled(self.number, chunk.len());
            return Poll::Ready(Some(Ok(chunk.into())));
        }
        match self.chunks.end {
            End::Finish => Poll::Ready(None),
            End::Fail => Poll::Ready(Some(Err(OutOfApples(self.number)))),
            End::Panic => self.observer.panic(self.number),
            End::Stuck => Poll::Pending,
        }
    }
}

/// The error of a stream.
#[derive(Debug)]
pub struct OutOfApples(u64);

impl fmt::Display for OutOfApples {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&failure_message(self.0))
    }
}

impl std::error::Error for OutOfApples {}
