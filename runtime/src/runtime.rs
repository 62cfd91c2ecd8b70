//! `Runtime`: a handler and its layers.

use std::ffi::OsString;
use std::mem;
use std::sync::Arc;

use http::HeaderValue;
use lambda_runtime_proto::client;
use tower::{Layer, Service};

use crate::connection::Connection;
use crate::env::address::Address;
use crate::env::config::Config;
use crate::env::{Environment, MAX_CONCURRENCY};
use crate::error::failure::Failure;
use crate::error::{Error, RunError};
use crate::executor::{Executor, Spawn};
use crate::invocation::event::LambdaInvocation;
use crate::invocation::running::Running;
use crate::layers::trace::TracingLayer;
use crate::lifecycle::snapstart::{self, SnapStartResource};
use crate::logging::messages;
use crate::panics;
use crate::service::bounds::Handler;
use crate::service::handler::HandlerService;
use crate::service::responder::Handover;
use crate::worker::{Options, Worker, concurrent};

/// The `User-Agent` header. `LAMBDA_RUNTIME_USER_AGENT`, set when the function is compiled, replaces it.
const USER_AGENT: HeaderValue = HeaderValue::from_static(match option_env!("LAMBDA_RUNTIME_USER_AGENT") {
    Some(name) => name,
    None => concat!("lambda-runtime-rust/", env!("CARGO_PKG_VERSION")),
});

/// A handler and its layers on the executor `X`. The executors' crates export it as `Runtime<S>`.
///
/// ```
/// # use lambda_runtime_base::{Error, Executor, LambdaEvent, Runtime, service_fn};
/// # use serde_json::Value;
/// async fn echo(event: LambdaEvent<Value>) -> Result<Value, Error> {
///     Ok(event.payload)
/// }
///
/// async fn serve<X: Executor + Default>() -> Result<(), Error> {
///     Runtime::<_, X>::new(service_fn(echo)).run().await
/// }
/// ```
#[must_use = "a runtime does nothing until it is run"]
pub struct Runtime<S, X> {
    service: S,
    executor: X,
    environment: Environment,
    address: Option<Address>,
    pipelining: bool,
    trace_id_variable: bool,
    shows_headers: bool,
    snapstart_resources: Vec<Arc<dyn SnapStartResource>>,
}

impl<H, Fut, X: Executor> Runtime<HandlerService<H, Fut>, X> {
    /// Creates a runtime that passes events to `handler`. It does nothing until it is [run](Runtime::run).
    ///
    /// It has no layers: add [`TracingLayer`], which `run` of the executors' crates includes.
    pub fn new<T>(handler: H) -> Self
    where
        H: Handler<T, Future = Fut>,
        X: Default,
    {
        Self::with_executor(handler, X::default())
    }

    /// Like [`new`](Self::new), with an executor that has state.
    pub fn with_executor<T>(handler: H, executor: X) -> Self
    where
        H: Handler<T, Future = Fut>,
    {
        Self {
            service: Handler::into_service(handler),
            executor,
            environment: Environment::Process,
            address: None,
            pipelining: false,
            trace_id_variable: true,
            shows_headers: false,
            snapstart_resources: Vec::new(),
        }
    }
}

impl<S, X> Runtime<S, X> {
    /// Adds a layer around the existing ones: it handles an invocation before they do.
    ///
    /// The service that it wraps completes when the API has acknowledged the response, so work that a layer does
    /// afterwards, such as flushing telemetry, does not delay the caller. A layer must complete only after that. It may
    /// move the future of the inner service to another task or thread; dropping that future interrupts a response that
    /// is being streamed.
    ///
    /// A streamed response is not part of that future: the runtime polls it in the span that was current when the handler
    /// returned, but outside of other contexts that a layer enters for each poll, such as tokio's `task_local`, a `LocalSet`
    /// or `with_subscriber`.
    pub fn layer<L>(self, layer: L) -> Runtime<L::Service, X>
    where
        L: Layer<S>,
        L::Service: Service<LambdaInvocation, Response = (), Error = Error>,
    {
        self.wrap(layer, true)
    }

    /// Adds the layer of `run`. It does not use the headers of /next, so they are not collected in a map.
    #[doc(hidden)]
    pub fn traced(self) -> Runtime<<TracingLayer as Layer<S>>::Service, X> {
        let shows_headers = self.shows_headers;
        self.wrap(TracingLayer::new(), shows_headers)
    }

    fn wrap<L: Layer<S>>(self, layer: L, shows_headers: bool) -> Runtime<L::Service, X> {
        Runtime {
            service: layer.layer(self.service),
            executor: self.executor,
            environment: self.environment,
            address: self.address,
            pipelining: self.pipelining,
            trace_id_variable: self.trace_id_variable,
            shows_headers,
            snapstart_resources: self.snapstart_resources,
        }
    }

    /// Uses the Runtime API at this address instead of the one in `AWS_LAMBDA_RUNTIME_API`. Tests use it with an emulator.
    pub fn address(mut self, address: Address) -> Self {
        self.address = Some(address);
        self
    }

    /// Uses these environment variables instead of those of the process: for the address, the function's
    /// configuration, the concurrency and SnapStart. Variables that are not given count as unset.
    ///
    /// ```
    /// # use lambda_runtime_base::{Error, Executor, LambdaEvent, Runtime, service_fn};
    /// # async fn echo(event: LambdaEvent<String>) -> Result<String, Error> { Ok(event.payload) }
    /// # async fn serve<X: Executor + Default>() -> Result<(), Error> {
    /// let variables = [("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001"), ("AWS_LAMBDA_FUNCTION_NAME", "echo")];
    /// Runtime::<_, X>::new(service_fn(echo)).environment(variables).run().await
    /// # }
    /// ```
    pub fn environment<N, V>(mut self, variables: impl IntoIterator<Item = (N, V)>) -> Self
    where
        N: Into<String>,
        V: Into<OsString>,
    {
        let variables = variables.into_iter().map(|(name, value)| (name.into(), value.into()));
        self.environment = Environment::Given(variables.collect());
        self
    }

    /// Requests the next invocation in the same write as the response to the last one, which saves a system call per
    /// invocation, and more if the API's two replies arrive together. Off by default.
    ///
    /// It is safe with any API that processes the requests of a connection in order, as Lambda's does. Lambda may freeze
    /// the process as soon as it has received the request for the next invocation, so work that a layer does after the
    /// response (flushing telemetry, for example) may be delayed until the next event.
    pub fn pipelining(mut self, pipelining: bool) -> Self {
        self.pipelining = pipelining;
        self
    }

    /// Sets whether the environment variable `_X_AMZN_TRACE_ID` is set for each invocation, as X-Ray's SDKs expect. Enabled by
    /// default.
    ///
    /// The variable belongs to the process: disable it if several runtimes share one.
    /// [`Context::xray_trace_id`](crate::Context::xray_trace_id) has the same value.
    pub fn trace_id_variable(mut self, enabled: bool) -> Self {
        self.trace_id_variable = enabled;
        self
    }

    /// Returns whether the function runs with [SnapStart](snapstart).
    pub fn is_snapstart(&self) -> bool {
        snapstart::is_enabled(&self.environment)
    }

    /// Registers a resource whose hooks run around the [SnapStart](snapstart) snapshot. Register resources before those
    /// that depend on them.
    pub fn register_snapstart_resource(mut self, resource: Arc<dyn SnapStartResource>) -> Self {
        self.snapstart_resources.push(resource);
        self
    }
}

impl<S, X> Runtime<S, X>
where
    S: Service<LambdaInvocation, Response = (), Error = Error>,
    X: Executor,
{
    /// Serves invocations, one at a time. Neither the handler nor its future needs to be `Send`.
    ///
    /// # Errors
    ///
    /// Returns only if it cannot continue, with a [`RunError`]. The failure of an invocation is reported to the API and does
    /// not end `run`.
    pub async fn run(self) -> Result<(), Error> {
        if let Some(value) = self.environment.get(MAX_CONCURRENCY)
            && value != "1"
        {
            messages::concurrency_ignored(&value.to_string_lossy());
        }
        Err(self.start().await?.run().await.into())
    }

    /// Does everything that precedes the first /next.
    async fn start(mut self) -> Result<Box<Worker<S, X>>, Error> {
        panics::install_hook();
        let resources = mem::take(&mut self.snapstart_resources);
        let is_snapstart = self.is_snapstart();
        let mut worker = self.into_worker()?;
        if is_snapstart {
            snapstart::run(&mut worker.connection, &resources).await?;
        }
        Ok(worker)
    }

    // The worker is large: in the futures of `run`, it would be moved several times, on a larger stack.
    #[inline(never)]
    fn into_worker(self) -> Result<Box<Worker<S, X>>, Error> {
        let address = match self.address {
            Some(address) => address,
            None => Address::from_environment(&self.environment).map_err(RunError::from)?,
        };
        let config = client::Config::new(address.authority().clone())
            .base_path(address.base_path().clone())
            .user_agent(USER_AGENT)
            .pipelining(self.pipelining);
        Ok(Box::new(Worker {
            service: self.service,
            connection: Connection::new(self.executor, address, config),
            invocation: None,
            handover: Handover::new(),
            running: Running::default(),
            options: Options {
                config: Arc::new(Config::from_environment(&self.environment)),
                pipelining: self.pipelining,
                shows_headers: self.shows_headers,
                sets_trace_id: self.trace_id_variable,
            },
            served: false,
        }))
    }
}

impl<S, X> Runtime<S, X>
where
    S: Service<LambdaInvocation, Response = (), Error = Error> + Clone + Send + 'static,
    S::Future: Send,
    X: Spawn,
{
    /// Serves `AWS_LAMBDA_MAX_CONCURRENCY` invocations at a time: each worker is a task of the executor, with its own
    /// connection and its own clone of the handler. If the variable is not set or is 1, it does the same as
    /// [`run`](Self::run), so one program serves classic Lambda and
    /// [Lambda Managed Instances](https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances.html).
    ///
    /// With more than one worker `_X_AMZN_TRACE_ID` is not set, because the process has only one: use
    /// [`Context::xray_trace_id`](crate::Context::xray_trace_id).
    ///
    /// # Errors
    ///
    /// A worker that fails is restarted after a delay while the others continue. When none can continue, this returns a
    /// [`RunError`] that contains the last error of each. So an unreachable API is an error after a minute, later than from
    /// [`run`](Self::run). A value of the variable that is not a number is reported to Lambda and returned as an error.
    pub async fn run_concurrent(self) -> Result<(), Error> {
        let mut workers = self.workers().await?;
        match &mut workers[..] {
            [only] => Err(only.run().await.into()),
            _ => Err(concurrent::run_spawned(workers).await.into()),
        }
    }
}

impl<S, X> Runtime<S, X>
where
    S: Service<LambdaInvocation, Response = (), Error = Error> + Clone,
    X: Executor,
{
    /// Like [`run_concurrent`](Self::run_concurrent), for handlers that are not `Send`: all workers share the calling
    /// thread.
    ///
    /// # Errors
    ///
    /// As for `run_concurrent`.
    pub async fn run_concurrent_local(self) -> Result<(), Error> {
        let mut workers = self.workers().await?;
        match &mut workers[..] {
            [only] => Err(only.run().await.into()),
            _ => Err(concurrent::run_local(workers).await.into()),
        }
    }

    /// Returns as many workers as the environment requests.
    async fn workers(self) -> Result<Vec<Worker<S, X>>, Error> {
        let count = concurrent::count(&self.environment);
        let mut first = self.start().await?;
        let count = match count {
            Ok(count) => count,
            Err(error) => {
                let failure = Failure::runtime("Runtime.BadConcurrency", error.to_string());
                messages::initialization_failed(&failure);
                // Refused only after the first /next.
                let _ = first.connection.client.init_error(failure.to_proto());
                first.connection.report().await;
                return Err(error.into());
            }
        };
        if count > 1 {
            messages::workers_starting(count.into());
        }
        first.options.sets_trace_id &= count == 1;
        let mut workers: Vec<_> = (1..count).map(|_| first.sibling()).collect();
        workers.push(*first);
        Ok(workers)
    }
}
