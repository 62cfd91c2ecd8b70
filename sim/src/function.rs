//! The function: the event selects its behaviour.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use lambda_runtime_base::{Diagnostic, Executor as _, FunctionResponse, LambdaEvent, StreamResponse, current};

use crate::executor::{Sim, Sleep};
use crate::ids::request_id;
use crate::job::Chunks;
use crate::job::{End, Job, Task, failure_message, panic_message};

/// Is pending this many times.
struct Turns(u32);

impl Future for Turns {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.0 == 0 {
            return Poll::Ready(());
        }
        self.0 -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Panics without calling the hook, which would print the message and a backtrace that differs between machines.
fn panic_quietly(number: u64) -> ! {
    std::panic::resume_unwind(Box::new(panic_message(number)))
}

/// The handler.
pub async fn handle(sim: Sim, event: LambdaEvent<Job>) -> Result<FunctionResponse<Job, Source>, Diagnostic> {
    let job = event.payload;
    {
        let mut kernel = sim.lock();
        kernel.note("the handler is called for invocation #", &[job.number]);
        if kernel.is_single && kernel.working > 0 {
            let message = format!("invocation {} is handled before the work of the one before it ended", job.number);
            kernel.fail(message);
        }
        if kernel.ledger.contains(job.number) {
            let now = kernel.now;
            let account = kernel.ledger.account(job.number);
            account.handled += 1;
            account.handled_at = now;
            if account.handled > account.reads {
                let message = format!("the handler is called again for one delivery of invocation {}", job.number);
                kernel.fail(message);
            }
        } else {
            kernel.fail(format!("the handler is called for invocation {}, which does not exist", job.number));
        }
        if event.context.request_id != request_id(job.number) {
            kernel.fail(format!("the context of invocation {} is that of {}", job.number, event.context.request_id));
        }
    }
    if let Some((turns, micros)) = job.work {
        let work = Work::new(sim.clone(), job.number);
        let added = event.context.wait_until(async move {
            work.begin();
            Turns(turns).await;
            work.sim.sleep(Duration::from_micros(micros)).await;
            check_current(&work.sim, work.number);
        });
        if let Err(error) = added {
            sim.lock().fail(format!("work for invocation {}: {error}", job.number));
        }
    }
    Turns(job.turns).await;
    check_current(&sim, job.number);
    match job.task {
        Task::Echo => Ok(FunctionResponse::BufferedResponse(job)),
        Task::Sleep(micros) => {
            sim.sleep(Duration::from_micros(micros)).await;
            Ok(FunctionResponse::BufferedResponse(job))
        }
        Task::Fail => Err(Diagnostic { error_type: "OutOfStock".into(), error_message: failure_message(job.number) }),
        Task::Panic => panic_quietly(job.number),
        Task::Stuck => std::future::pending().await,
        Task::Stream(chunks) => {
            let source = Source { sim, number: job.number, chunks, sent: 0, turn: 0, sleep: None, paused: false };
            Ok(FunctionResponse::StreamingResponse(StreamResponse::from(source)))
        }
    }
}

/// Checks that the current invocation is this one.
fn check_current(sim: &Sim, number: u64) {
    let id = current().map(|current| current.request_id().to_owned());
    if id.as_deref() != Some(&*request_id(number)) {
        sim.lock().fail(format!("the current invocation is {id:?} and not that of {number}"));
    }
}

/// Work after the response. The worker requests no other event before it is dropped.
struct Work {
    sim: Sim,
    number: u64,
}

impl Work {
    fn new(sim: Sim, number: u64) -> Self {
        sim.lock().working += 1;
        Self { sim, number }
    }

    fn begin(&self) {
        let mut kernel = self.sim.lock();
        kernel.note("work after the response begins for invocation #", &[self.number]);
        let account = kernel.ledger.account(self.number);
        if !account.settled && account.lost_posts == 0 {
            kernel.fail(format!("the work of invocation {} begins before the acknowledgement", self.number));
        }
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.sim.lock().working -= 1;
    }
}

/// A stream of chunks.
pub struct Source {
    sim: Sim,
    number: u64,
    chunks: Chunks,
    sent: u32,
    turn: u32,
    sleep: Option<Pin<Box<Sleep>>>,
    paused: bool,
}

impl Stream for Source {
    type Item = Result<Bytes, OutOfApples>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        check_current(&self.sim, self.number);
        if self.turn < self.chunks.turns {
            self.turn += 1;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.chunks.pause > 0 && !self.paused {
            let pause = Duration::from_micros(self.chunks.pause);
            let this = &mut *self;
            let sleep = this.sleep.get_or_insert_with(|| Box::pin(this.sim.sleep(pause)));
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
            let mut kernel = self.sim.lock();
            kernel.pulled(self.number, chunk.len());
            return Poll::Ready(Some(Ok(chunk.into())));
        }
        match self.chunks.end {
            End::Finish => Poll::Ready(None),
            End::Fail => Poll::Ready(Some(Err(OutOfApples(self.number)))),
            End::Panic => panic_quietly(self.number),
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
