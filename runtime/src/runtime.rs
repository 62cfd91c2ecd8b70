//! `Runtime`: a handler, its layers, and the loop that serves invocations.

use std::sync::Arc;

use http::HeaderValue;
use lambda_runtime_proto::client;
use tower::{Layer, Service};

use crate::bounds::Handler;
use crate::concurrent::MAX_CONCURRENCY;
use crate::connection::Connection;
use crate::handler::HandlerService;
use crate::layers::TracingLayer;
use crate::log::warn;
use crate::panics;
use crate::slot::Slot;
use crate::snapstart::{self, SnapStartResource};
use crate::worker::Worker;
use crate::{Address, Config, Error, Executor, LambdaInvocation};

/// What the API is told about the program. A function that is compiled with `LAMBDA_RUNTIME_USER_AGENT` set chooses.
const USER_AGENT: HeaderValue = HeaderValue::from_static(match option_env!("LAMBDA_RUNTIME_USER_AGENT") {
    Some(name) => name,
    None => concat!("lambda-runtime-rust/", env!("CARGO_PKG_VERSION")),
});

/// A handler and its layers, on the executor `X`. The executors' crates name it `Runtime<S>`.
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
    config: Arc<Config>,
    address: Option<Address>,
    pipelining: bool,
    shows_headers: bool,
    snapstart_resources: Vec<Arc<dyn SnapStartResource>>,
}

impl<H, Fut, X> Runtime<HandlerService<H, Fut>, X>
where
    X: Executor,
{
    /// A runtime that has `handler` handle events. It does nothing until it is [run](Runtime::run).
    ///
    /// It has no layers: add [`TracingLayer`](crate::layers::TracingLayer), which `run` of the executors' crates
    /// includes.
    pub fn new<T>(handler: H) -> Self
    where
        H: Handler<T, Future = Fut>,
        X: Default,
    {
        Self::with_executor(handler, X::default())
    }

    /// The same on an executor that is more than its type.
    pub fn with_executor<T>(handler: H, executor: X) -> Self
    where
        H: Handler<T, Future = Fut>,
    {
        Self {
            service: Handler::into_service(handler),
            executor,
            config: Arc::new(Config::from_env()),
            address: None,
            pipelining: false,
            shows_headers: false,
            snapstart_resources: Vec::new(),
        }
    }
}

impl<S, X> Runtime<S, X> {
    /// Adds a layer: for an incoming invocation it runs before any layer that was added earlier.
    ///
    /// The service that it wraps completes when the API has acknowledged the response, so what a layer does afterwards
    /// (flushing telemetry, say) does not delay the caller.
    pub fn layer<L>(self, layer: L) -> Runtime<L::Service, X>
    where
        L: Layer<S>,
        L::Service: Service<LambdaInvocation, Response = (), Error = Error>,
    {
        self.wrap(layer, true)
    }

    /// Adds a layer of our own, which does not look at the headers of /next: so they need not be put into a map.
    #[doc(hidden)]
    pub fn traced(self) -> Runtime<<TracingLayer as Layer<S>>::Service, X> {
        let shows_headers = self.shows_headers;
        self.wrap(TracingLayer::new(), shows_headers)
    }

    fn wrap<L: Layer<S>>(self, layer: L, shows_headers: bool) -> Runtime<L::Service, X> {
        Runtime {
            service: layer.layer(self.service),
            executor: self.executor,
            config: self.config,
            address: self.address,
            pipelining: self.pipelining,
            shows_headers,
            snapstart_resources: self.snapstart_resources,
        }
    }

    /// Uses the Runtime API at this address instead of the one in `AWS_LAMBDA_RUNTIME_API`: for tests, which start an
    /// emulator of their own.
    pub fn address(mut self, address: Address) -> Self {
        self.address = Some(address);
        self
    }

    /// Asks for the next invocation in the same write in which the answer to the last one goes out, which saves a
    /// system call an invocation, and more where the API's two answers come together. Off by default.
    ///
    /// It is safe with any API that takes one request of a connection after the other, as Lambda's does. Mind that
    /// Lambda may freeze the process as soon as it has seen the request for the next invocation: what a layer does
    /// after the response (flushing telemetry, say) may then be delayed until the next event.
    pub fn pipelining(mut self, pipelining: bool) -> Self {
        self.pipelining = pipelining;
        self
    }

    /// Whether the function runs with [SnapStart](crate::snapstart).
    pub fn is_snapstart(&self) -> bool {
        snapstart::is_on()
    }

    /// Registers a resource whose hooks run around the [SnapStart](crate::snapstart) snapshot; foundations first.
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
    /// Serves invocations, one at a time. Neither the handler nor its future need be `Send`.
    ///
    /// # Errors
    ///
    /// It returns only when it cannot go on: a [`RunError`](crate::RunError) says why. What goes wrong in an invocation is reported to
    /// the API, and the next one is served.
    pub async fn run(self) -> Result<(), Error> {
        if let Ok(value) = std::env::var(MAX_CONCURRENCY)
            && value != "1"
        {
            warn!("{MAX_CONCURRENCY} is {value}, but this function runs one invocation at a time: use run_concurrent");
        }
        Err(self.start().await?.run().await.into())
    }

    /// Everything that comes before the first /next.
    pub(crate) async fn start(self) -> Result<Worker<S, X>, Error> {
        panics::remember();
        let address = match self.address {
            Some(address) => address,
            None => Address::from_env()?,
        };
        let config = client::Config {
            base_path: address.base_path.clone(),
            user_agent: USER_AGENT,
            pipelining: self.pipelining,
            ..client::Config::new(address.authority.clone())
        };
        let mut connection = Connection::new(self.executor, address, config);
        if snapstart::is_on() {
            snapstart::pass(&mut connection, &self.snapstart_resources).await?;
        }
        Ok(Worker {
            service: self.service,
            connection,
            config: self.config,
            slot: Slot::default(),
            pipelining: self.pipelining,
            shows_headers: self.shows_headers,
            sets_trace_id: true,
            served: false,
        })
    }
}
