//! Many invocations at once, as Lambda Managed Instances have them: so many workers, a connection each.

use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tower::Service;

use crate::failure::Failure;
use crate::log::warn;
use crate::worker::Worker;
use crate::{Error, Executor, LambdaInvocation, RunError, Runtime, Spawn};

/// The environment variable that holds the number of workers.
pub(crate) const MAX_CONCURRENCY: &str = "AWS_LAMBDA_MAX_CONCURRENCY";

/// A worker that fails so often in a row, without an invocation served in between, is not started again.
const MAX_FAILURES: u32 = 5;

impl<S, X> Runtime<S, X>
where
    S: Service<LambdaInvocation, Response = (), Error = Error> + Clone + Send + 'static,
    S::Future: Send,
    X: Spawn,
{
    /// Serves as many invocations at once as `AWS_LAMBDA_MAX_CONCURRENCY` says, each by a worker of its own with its own
    /// connection and its own clone of the handler, on the executor's tasks. Where the variable is not set or is 1, it
    /// does what [`run`](Self::run) does: the same function serves classic Lambda and
    /// [Lambda Managed Instances](https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances.html).
    ///
    /// With more than one worker `_X_AMZN_TRACE_ID` is not set, as there is one for the whole process: use
    /// [`Context::xray_trace_id`](crate::Context::xray_trace_id).
    ///
    /// # Errors
    ///
    /// A worker that fails is started again, after a pause, while the others serve; when none can go on, the
    /// [`RunError`] says what happened to each. So an API that cannot be reached is given up later than by
    /// [`run`](Self::run): after a minute. The variable may hold no number: that is reported to Lambda and returned.
    pub async fn run_concurrent(self) -> Result<(), Error> {
        let mut workers = self.workers().await?;
        if let [only] = &mut workers[..] {
            return Err(only.run().await.into());
        }
        let tasks: Vec<_> = workers
            .into_iter()
            .map(|worker| worker.connection.executor().clone().spawn(worker.keep_running()))
            .collect();
        let mut ends = Vec::with_capacity(tasks.len());
        for task in tasks {
            ends.push(match task.await {
                Ok(error) => error.to_string(),
                Err(panic) => format!("it panicked: {panic}"),
            });
        }
        Err(RunError::WorkersFailed(ends).into())
    }
}

impl<S, X> Runtime<S, X>
where
    S: Service<LambdaInvocation, Response = (), Error = Error> + Clone,
    X: Executor,
{
    /// The same as [`run_concurrent`](Self::run_concurrent) for handlers that are not `Send`: all workers take turns on
    /// the calling thread.
    ///
    /// # Errors
    ///
    /// As for `run_concurrent`.
    pub async fn run_concurrent_local(self) -> Result<(), Error> {
        let mut workers = self.workers().await?;
        if let [only] = &mut workers[..] {
            return Err(only.run().await.into());
        }
        let workers: FuturesUnordered<_> = workers.into_iter().map(Worker::keep_running).collect();
        let ends = workers.map(|error| error.to_string()).collect().await;
        Err(RunError::WorkersFailed(ends).into())
    }

    /// As many as the environment says.
    async fn workers(self) -> Result<Vec<Worker<S, X>>, Error> {
        let mut first = self.start().await?;
        let count = match count() {
            Ok(count) => count,
            Err(error) => {
                let failure = Failure::runtime("Runtime.BadConcurrency", error.to_string());
                // Refused only after the first /next, which is yet to come.
                let _ = first.connection.client.init_error(failure.to_proto());
                first.connection.report().await;
                return Err(error.into());
            }
        };
        first.sets_trace_id = count == 1;
        let mut workers: Vec<_> = (1..count).map(|_| first.another()).collect();
        workers.push(first);
        Ok(workers)
    }
}

fn count() -> Result<u16, RunError> {
    match std::env::var(MAX_CONCURRENCY) {
        Err(_) => Ok(1),
        Ok(value) => match value.parse() {
            Ok(count) if count > 0 => Ok(count),
            _ => Err(RunError::BadConcurrency(value)),
        },
    }
}

impl<S, X> Worker<S, X>
where
    S: Service<LambdaInvocation, Response = (), Error = Error>,
    X: Executor,
{
    /// Runs it, again and again where it fails, with a longer pause each time that it served nothing in between.
    async fn keep_running(mut self) -> RunError {
        let mut failures = 0;
        loop {
            self.served = false;
            let error = self.run().await;
            failures = if self.served { 1 } else { failures + 1 };
            if failures >= MAX_FAILURES {
                warn!("a worker failed for good: {error}");
                return error;
            }
            warn!("a worker failed and starts again: {error}");
            // The old connection goes first: an event that came on it now would be lost.
            self.connection = self.connection.another();
            self.connection.sleep(Duration::from_millis(100 << failures)).await;
        }
    }
}
