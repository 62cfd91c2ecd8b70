//! Several workers in one process, as on Lambda Managed Instances.

use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tower::Service;

use crate::env::{Environment, MAX_CONCURRENCY};
use crate::error::{Error, RunError};
use crate::executor::{Executor, Spawn};
use crate::invocation::event::LambdaInvocation;
use crate::logging::messages;
use crate::panics::catch_panic;
use crate::service::responder::Handover;
use crate::worker::Worker;

/// A worker that fails this many times in a row, without an invocation served in between, is not restarted.
const MAX_FAILURES: u32 = 5;

/// The number of workers: 1 if the variable is not set.
pub(crate) fn count(environment: &Environment) -> Result<u16, RunError> {
    let Some(value) = environment.get(MAX_CONCURRENCY) else { return Ok(1) };
    // Digits only: `u16::from_str` accepts a sign.
    let digits = value.to_str().filter(|value| value.bytes().all(|byte| byte.is_ascii_digit()));
    match digits.and_then(|digits| digits.parse().ok()) {
        Some(count) if count > 0 => Ok(count),
        _ => Err(RunError::BadConcurrency(value.to_string_lossy().into_owned())),
    }
}

/// Runs each worker as a task of the executor. Returns when none of them can continue.
pub(crate) async fn run_spawned<S, X>(workers: Vec<Worker<S, X>>) -> RunError
where
    S: Service<LambdaInvocation, Response = (), Error = Error> + Send + 'static,
    S::Future: Send,
    X: Spawn,
{
    let spawn = |worker: Worker<S, X>| worker.connection.executor().clone().spawn(worker.keep_running());
    let tasks: Vec<_> = workers.into_iter().map(spawn).collect();
    let mut ends = Vec::with_capacity(tasks.len());
    for task in tasks {
        ends.push(match task.await {
            Ok(error) => error,
            Err(error) => format!("its task ended: {error}"),
        });
    }
    RunError::WorkersFailed(ends)
}

/// Runs all workers on the calling thread. Returns when none of them can continue.
pub(crate) async fn run_local<S, X>(workers: Vec<Worker<S, X>>) -> RunError
where
    S: Service<LambdaInvocation, Response = (), Error = Error>,
    X: Executor,
{
    let workers: FuturesUnordered<_> = workers.into_iter().map(Worker::keep_running).collect();
    RunError::WorkersFailed(workers.collect().await)
}

impl<S, X> Worker<S, X>
where
    S: Service<LambdaInvocation, Response = (), Error = Error>,
    X: Executor,
{
    /// Runs the worker, and restarts it with backoff when it fails. Returns the last failure.
    async fn keep_running(mut self) -> String {
        let mut failures = 0;
        loop {
            self.served = false;
            let error = match catch_panic(self.run()).await {
                Ok(error) => error.to_string(),
                Err(panic) => format!("it panicked: {panic}"),
            };
            failures = if self.served { 1 } else { failures + 1 };
            if failures >= MAX_FAILURES {
                messages::worker_stopped(failures, &error);
                return error;
            }
            messages::worker_restarted(failures, &error);
            // Before the delay: an event that arrives on the old connection meanwhile would be lost.
            self.connection = self.connection.sibling();
            self.handover = Handover::new();
            self.running.abandon();
            self.connection.sleep(Duration::from_millis(100 << failures)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    use super::*;

    fn count_of(value: &[u8]) -> Result<u16, String> {
        let variables = [(MAX_CONCURRENCY.to_owned(), OsStr::from_bytes(value).to_owned())];
        count(&Environment::Given(variables.into())).map_err(|error| error.to_string())
    }

    #[test]
    fn the_number_of_workers_is_decimal_and_at_least_one() {
        assert_eq!(count(&Environment::Given([].into())).unwrap(), 1);
        assert_eq!(count_of(b"8"), Ok(8));
        assert_eq!(count_of(b"65535"), Ok(65535));
        for value in [b"0".as_slice(), b"", b"+8", b"-1", b"8 ", b"65536", b"many", b"\xff"] {
            let error = count_of(value).unwrap_err();
            assert!(error.contains(MAX_CONCURRENCY), "{error}");
        }
    }
}
