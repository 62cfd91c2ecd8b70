//! The emulator.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crate::api::Api;
use crate::listener::Listener;
use crate::{Builder, Error, Event, Invocation, Observed, Outcome};

/// A local Runtime API, and the Lambda behind it. Dropping it stops it: its threads end and its sockets close.
#[derive(Debug)]
pub struct Emulator {
    api: Arc<Api>,
    // In this order they are dropped: the API has been stopped then.
    invoke: Option<Listener>,
    runtime: Listener,
    clock: Option<JoinHandle<()>>,
}

impl Emulator {
    /// Starts an emulator on a free port.
    ///
    /// # Errors
    ///
    /// There is no free port, or a thread cannot be started.
    pub fn start() -> io::Result<Self> {
        Self::builder().start()
    }

    /// Chooses how the emulator behaves.
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(crate) fn new(api: Arc<Api>, runtime: Listener, invoke: Option<Listener>, clock: JoinHandle<()>) -> Self {
        Self { api, invoke, runtime, clock: Some(clock) }
    }

    /// `127.0.0.1:PORT`: what the function's `AWS_LAMBDA_RUNTIME_API` should be.
    pub fn endpoint(&self) -> &str {
        &self.api.config.endpoint
    }

    /// Where functions are invoked by HTTP, with [`Builder::invoke_address`].
    pub fn invoke_address(&self) -> Option<SocketAddr> {
        self.invoke.as_ref().map(Listener::address)
    }

    /// The environment variables that Lambda sets for a function, for `Command::envs`.
    ///
    /// See [Defined runtime environment
    /// variables](https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime).
    /// Credentials and the region are not among them.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let config = &self.api.config;
        let mut variables = vec![
            ("AWS_LAMBDA_RUNTIME_API", config.endpoint.clone()),
            ("AWS_LAMBDA_FUNCTION_NAME", config.function_name.clone()),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", config.memory.to_string()),
            ("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{}", config.function_name)),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "$LATEST".to_owned()),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", if config.snapstart { "snap-start" } else { "on-demand" }.to_owned()),
        ];
        if config.concurrency > 1 {
            variables.push(("AWS_LAMBDA_MAX_CONCURRENCY", config.concurrency.to_string()));
        }
        variables
    }

    /// Invokes the function and blocks until it has answered. A streamed response is collected.
    ///
    /// # Errors
    ///
    /// The function did not fetch the event in time. What it does wrong is no error but an [`Outcome`].
    pub fn invoke(&self, event: impl Into<Event>) -> Result<Outcome, Error> {
        self.start_invocation(event)?.wait()
    }

    /// Invokes the function and returns at once: the response can be read as it arrives.
    ///
    /// # Errors
    ///
    /// The event is not valid.
    pub fn start_invocation(&self, event: impl Into<Event>) -> Result<Invocation, Error> {
        self.api.start_invocation(event.into()).map(Invocation::new)
    }

    /// What was seen of the runtime so far.
    pub fn observed(&self) -> Observed {
        self.api.observed()
    }

    /// Waits until what was observed satisfies a condition; returns `false` if it does not within `limit`.
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

    /// SnapStart: restores the environment from its snapshot, which answers `GET /2018-06-01/runtime/restore/next`. The
    /// first event does so, too.
    pub fn restore(&self) {
        self.api.restore();
    }

    /// The function's process has ended, and another one may start. `reason` is what the callers of invocations that it
    /// had in hand are told, as `Runtime.ExitError`: `Runtime exited with error: exit status 1`, say. Before the first
    /// event was asked for, that goes for events that wait, too.
    ///
    /// Its connections are closed. Returns how many events still wait.
    pub fn runtime_exited(&self, reason: &str) -> usize {
        self.api.runtime_exited(reason, || self.runtime.close_connections())
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.api.stop();
        if let Some(clock) = self.clock.take() {
            let _ = clock.join();
        }
    }
}
