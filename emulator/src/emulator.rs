//! The emulator.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crate::api::{Api, Exit};
use crate::listener::Listener;
use crate::{Error, Event, Invocation, Observed, Outcome};

/// A local Runtime API, and the part of Lambda that invokes functions. Dropping it stops it: its threads end and its
/// sockets are closed. A function that requests an event then is refused, so that it ends: its `run` returns an error.
#[derive(Debug)]
pub struct Emulator {
    pub(crate) api: Arc<Api>,
    // Dropped in this order, after the API has been stopped.
    runtime: Listener,
    clock: Option<JoinHandle<()>>,
}

impl Emulator {
    /// Starts an emulator on a free port.
    ///
    /// # Errors
    ///
    /// No port is free, or a thread cannot be started.
    pub fn start() -> io::Result<Self> {
        Self::builder().start()
    }

    pub(crate) fn new(api: Arc<Api>, runtime: Listener, clock: JoinHandle<()>) -> Self {
        Self { api, runtime, clock: Some(clock) }
    }

    /// The value that the function's `AWS_LAMBDA_RUNTIME_API` must have: `127.0.0.1:PORT`.
    pub fn endpoint(&self) -> &str {
        &self.api.config.endpoint
    }

    /// The ARN that is delivered with an event: [`Builder::function_arn`](crate::Builder::function_arn).
    pub fn function_arn(&self) -> &str {
        self.api.config.function_arn.to_str().unwrap_or_default()
    }

    /// The environment variables that Lambda sets for a function, for `Command::envs`.
    ///
    /// See [Defined runtime environment
    /// variables](https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime).
    /// They include neither credentials nor the region.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let config = &self.api.config;
        let initialization_type = match (config.snapstart, config.concurrency) {
            (true, _) => "snap-start",
            (false, 1) => "on-demand",
            (false, _) => "lambda-managed-instances",
        };
        let mut variables = vec![
            ("AWS_LAMBDA_RUNTIME_API", config.endpoint.clone()),
            ("AWS_LAMBDA_FUNCTION_NAME", config.function_name.clone()),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", config.memory.to_string()),
            ("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{}", config.function_name)),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "$LATEST".to_owned()),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", initialization_type.to_owned()),
            ("AWS_LAMBDA_METADATA_API", config.endpoint.clone()),
            ("AWS_LAMBDA_METADATA_TOKEN", config.metadata_token.clone()),
        ];
        if config.concurrency > 1 {
            variables.push(("AWS_LAMBDA_MAX_CONCURRENCY", config.concurrency.to_string()));
        }
        variables
    }

    /// Invokes the function, and blocks until the invocation ends. A streamed response is collected.
    ///
    /// In async code use [`invoke_async`](Self::invoke_async): a function that runs on the thread that this method blocks
    /// never requests the event.
    ///
    /// # Errors
    ///
    /// See [`Error`]: for example, no runtime requested the event in time. Errors of the function are an [`Outcome`].
    pub fn invoke(&self, event: impl Into<Event>) -> Result<Outcome, Error> {
        self.start_invocation(event)?.wait()
    }

    /// The same as [`invoke`](Self::invoke) for async code, on any executor: it does not block the thread, so the function
    /// can be a task of the same thread.
    ///
    /// # Errors
    ///
    /// Those of [`invoke`](Self::invoke).
    pub async fn invoke_async(&self, event: impl Into<Event>) -> Result<Outcome, Error> {
        self.start_invocation(event)?.wait_async().await
    }

    /// Invokes the function, and returns at once. The response can be read as it arrives.
    ///
    /// # Errors
    ///
    /// The event is not valid, or the queue is full.
    pub fn start_invocation(&self, event: impl Into<Event>) -> Result<Invocation, Error> {
        self.api.start_invocation(event.into()).map(Invocation::new)
    }

    /// Returns a snapshot of everything that was observed of the runtime.
    pub fn observed(&self) -> Observed {
        self.api.observed()
    }

    /// Waits until the observations satisfy a condition, for at most `limit`; returns whether they do.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use lambda_runtime_emulator::Emulator;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let emulator = Emulator::start()?;
    /// # let limit = Duration::ZERO;
    /// let four_workers_wait = emulator.wait_until(limit, |observed| observed.waiting == 4);
    /// # Ok(())
    /// # }
    /// ```
    pub fn wait_until(&self, limit: Duration, condition: impl Fn(&Observed) -> bool) -> bool {
        self.api.wait_until(limit, condition)
    }

    /// SnapStart: restores the environment from its snapshot, which completes `GET /2018-06-01/runtime/restore/next`. The
    /// first event has the same effect.
    pub fn restore(&self) {
        self.api.restore();
    }

    /// Reports that the function's process has ended and another one may start. Closes the connections of the process.
    /// Returns the number of events that still wait.
    ///
    /// These invocations end with `Runtime.ExitError` and this reason, such as `Runtime exited with error: exit status 1`:
    ///
    /// - those in flight;
    /// - if the process had not requested an event, all that wait;
    /// - an event that three processes in a row have not accepted.
    pub fn runtime_exited(&self, reason: &str) -> usize {
        self.api.runtime_exited(&Exit::Ended(reason), || self.runtime.close_connections())
    }

    /// Reports that the function's process was stopped in order to be replaced. Like
    /// [`runtime_exited`](Self::runtime_exited), but events that wait are left to the next process.
    pub fn runtime_replaced(&self, reason: &str) {
        self.api.runtime_exited(&Exit::Replaced(reason), || self.runtime.close_connections());
    }

    /// Pauses the delivery of events, or resumes it.
    pub fn pause(&self, paused: bool) {
        self.api.hold_events(paused);
    }

    /// Reports that the function's process was stopped because its initialization took longer than this timeout of an
    /// invocation. The events that wait end with `Sandbox.Timedout`.
    pub fn initialization_timed_out(&self, timeout: Duration) {
        self.api.runtime_exited(&Exit::InitTimedOut(timeout), || self.runtime.close_connections());
    }

    /// Sends SHUTDOWN to the [external extensions](crate::Builder::external_extension) that registered for it, with a
    /// reason (`spindown`, `timeout` or `failure`) and a deadline after `limit`. Returns their number.
    pub fn shut_down_extensions(&self, reason: &str, limit: Duration) -> usize {
        self.api.shut_down_extensions(reason, limit)
    }
}

impl Emulator {
    /// Ends all invocations and waits, as dropping the emulator does, while it is still shared.
    #[doc(hidden)]
    pub fn stop(&self) {
        let _ = self.api.stop();
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        /// Time for functions that are refused to close their connections.
        const LIMIT: Duration = Duration::from_secs(2);
        if self.api.stop() {
            self.api.wait_until(LIMIT, |observed| observed.open_connections == 0);
        }
        if let Some(clock) = self.clock.take() {
            let _ = clock.join();
        }
    }
}
