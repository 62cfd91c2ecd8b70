//! The function, as the simulation observes it, with work after its response.

use std::time::Duration;

use futures_lite::future::yield_now;
use lambda_runtime_base::{Diagnostic, Executor as _, FunctionResponse, LambdaEvent, current};
use workload::{Job, Observer, Source, number_of, panic_message};

use crate::executor::Sim;

/// The handler.
pub async fn handle(sim: Sim, event: LambdaEvent<Job>) -> Result<FunctionResponse<Job, Source<Sim, Sim>>, Diagnostic> {
    workload::handle(sim.clone(), sim, event).await
}

impl Observer for Sim {
    fn called(&self, event: &LambdaEvent<Job>) {
        let job = &event.payload;
        let mut kernel = self.lock();
        kernel.note("the handler is called for invocation #", &[job.number]);
        if kernel.is_single && kernel.process.working > 0 {
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
        if number_of(&event.context.request_id) != Some(job.number) {
            kernel.fail(format!("the context of invocation {} is that of {}", job.number, event.context.request_id));
        }
        drop(kernel);
        if let Some((turns, micros)) = job.work {
            let work = Work::new(self.clone(), job.number);
            let added = event.context.wait_until(work.run(turns, Duration::from_micros(micros)));
            if let Err(error) = added {
                self.lock().fail(format!("work for invocation {}: {error}", job.number));
            }
        }
    }

    /// It must be the current invocation.
    fn runs(&self, number: u64) {
        let current = current().and_then(|current| number_of(current.request_id()));
        if current != Some(number) {
            self.lock().fail(format!("the current invocation is {current:?} and not {number}"));
        }
    }

    fn pulled(&self, number: u64, bytes: usize) {
        self.lock().pulled(number, bytes);
    }

    /// Panics without calling the hook, which would print the message and a backtrace that differs between machines.
    fn panic(&self, number: u64) -> ! {
        std::panic::resume_unwind(Box::new(panic_message(number)))
    }
}

/// Work after the response. The worker requests no other event before it is dropped.
struct Work {
    sim: Sim,
    number: u64,
}

impl Work {
    fn new(sim: Sim, number: u64) -> Self {
        sim.lock().process.working += 1;
        Self { sim, number }
    }

    async fn run(self, turns: u32, pause: Duration) {
        {
            let mut kernel = self.sim.lock();
            kernel.note("work after the response begins for invocation #", &[self.number]);
            let account = kernel.ledger.account(self.number);
            if !account.settled && account.lost_posts == 0 {
                kernel.fail(format!("the work of invocation {} begins before the acknowledgement", self.number));
            }
        }
        for _ in 0..turns {
            yield_now().await;
        }
        self.sim.sleep(pause).await;
        self.sim.runs(self.number);
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        let mut kernel = self.sim.lock();
        kernel.process.working -= 1;
        kernel.process.work_ended = kernel.now;
    }
}
