//! The settings of an emulator.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use http::HeaderValue;

use crate::access::Access;
use crate::api::{self, Api, Config, Observer};
use crate::invoke;
use crate::listener::{Listener, Service};
use crate::{Emulator, Fault, Notice};

/// Configures an [`Emulator`].
#[must_use = "nothing runs until start() is called"]
pub struct Builder {
    address: SocketAddr,
    invoke_address: Option<SocketAddr>,
    access: Access,
    timeout: Duration,
    claim_timeout: Option<Duration>,
    concurrency: usize,
    function_name: String,
    function_arn: Option<String>,
    memory: u32,
    snapstart: bool,
    stream_limit: u64,
    max_queued_events: usize,
    max_queued_bytes: usize,
    faults: Vec<Fault>,
    observer: Option<Box<Observer>>,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            invoke_address: None,
            access: Access::default(),
            timeout: Duration::from_secs(60),
            claim_timeout: Some(Duration::from_secs(60)),
            concurrency: 1,
            function_name: "function".to_owned(),
            function_arn: None,
            memory: 128,
            snapstart: false,
            stream_limit: 200 * 1024 * 1024,
            max_queued_events: 1000,
            max_queued_bytes: 64 * 1024 * 1024,
            faults: Vec::new(),
            observer: None,
        }
    }
}

impl Emulator {
    /// Configures an emulator before it starts.
    pub fn builder() -> Builder {
        Builder::default()
    }
}

impl Builder {
    /// The address of the Runtime API. Default: a free port on 127.0.0.1.
    pub fn address(mut self, address: SocketAddr) -> Self {
        self.address = address;
        self
    }

    /// Also serves `POST /2015-03-31/functions/{name}/invocations` at this address, as Lambda itself does. See
    /// [Invoke](https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html). The name may be any.
    ///
    /// The body is the event, which must be JSON of at most [`MAX_EVENT`](crate::MAX_EVENT) bytes, and the reply's body is
    /// the response, which is streamed if the function streams it. If a streamed response fails midway, the reply ends in
    /// trailers for a caller that sent `TE: trailers`; for any other caller the connection is closed abruptly, so that
    /// the response does not look complete.
    ///
    /// Requests of web pages are rejected with 403, unless [`allow_origin`](Self::allow_origin) permits them; so are
    /// requests with a `Host` that is neither an IP address nor `localhost`, unless [`allow_host`](Self::allow_host)
    /// permits it.
    pub fn invoke_address(mut self, address: SocketAddr) -> Self {
        self.invoke_address = Some(address);
        self
    }

    /// Permits web pages of this origin (`http://localhost:3000`, for example) to invoke the function and to read the
    /// response. May be called more than once.
    pub fn allow_origin(mut self, origin: impl Into<String>) -> Self {
        self.access.origins.push(origin.into());
        self
    }

    /// Permits requests that name this host, without a port, in their `Host` header. May be called more than once.
    pub fn allow_host(mut self, host: impl Into<String>) -> Self {
        self.access.hosts.push(host.into());
        self
    }

    /// The timeout of an invocation. Default: 60 seconds.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long an event waits for a runtime to request it; `None` is forever. Default: 60 seconds, so that a test whose
    /// function does not start ends.
    pub fn claim_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.claim_timeout = limit.into();
        self
    }

    /// How many events a runtime handles at once. Default: 1, as usual in Lambda: an event is delivered when the
    /// invocation before it is over, that is, when the runtime and its extensions have requested the next event; and a
    /// runtime that repeats the request before it has responded gets the same event again. With more, as in Lambda Managed
    /// Instances, every request for an event gets one.
    ///
    /// See [Lambda Managed Instances](https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances.html).
    pub fn concurrency(mut self, concurrency: usize) -> Self {
        self.concurrency = concurrency.max(1);
        self
    }

    /// How many events may wait to be requested. Default: 1000. More are rejected:
    /// [`Error::QueueFull`](crate::Error::QueueFull), or 429 over HTTP.
    pub fn max_queued_events(mut self, events: usize) -> Self {
        self.max_queued_events = events.max(1);
        self
    }

    /// How many bytes the events that wait to be requested may have. Default: 64 MiB. The same limit applies to the bodies
    /// that are being received. [`concurrency`](Self::concurrency) events of [`MAX_EVENT`](crate::MAX_EVENT) bytes do not
    /// count, and an event is always accepted if it is the only one.
    pub fn max_queued_bytes(mut self, bytes: usize) -> Self {
        self.max_queued_bytes = bytes;
        self
    }

    /// The function's name. Default: `function`.
    pub fn function_name(mut self, name: impl Into<String>) -> Self {
        self.function_name = name.into();
        self
    }

    /// The ARN that is delivered with an event. Default: one with the function's name.
    pub fn function_arn(mut self, arn: impl Into<String>) -> Self {
        self.function_arn = Some(arn.into());
        self
    }

    /// The memory size in the function's environment, in MB. Default: 128. It is not enforced.
    pub fn memory(mut self, megabytes: u32) -> Self {
        self.memory = megabytes;
        self
    }

    /// Whether the function's environment says that it runs with
    /// [SnapStart](https://docs.aws.amazon.com/lambda/latest/dg/snapstart.html). It is restored by [`Emulator::restore`],
    /// or when the first event waits. Default: no.
    pub fn snapstart(mut self, snapstart: bool) -> Self {
        self.snapstart = snapstart;
        self
    }

    /// The largest streamed response, in bytes. Default: 200 MiB, as in Lambda. The largest buffered response is
    /// [`MAX_RESPONSE`](crate::MAX_RESPONSE).
    pub fn stream_limit(mut self, bytes: u64) -> Self {
        self.stream_limit = bytes;
        self
    }

    /// Adds faults of the Runtime API. See [`fault`](crate::fault).
    pub fn faults(mut self, faults: impl IntoIterator<Item = Fault>) -> Self {
        self.faults.extend(faults);
        self
    }

    /// Calls this function with what happens, on the thread where it happens: the emulator waits until it returns.
    pub fn observer(mut self, observer: impl Fn(&Notice<'_>) + Send + Sync + 'static) -> Self {
        self.observer = Some(Box::new(observer));
        self
    }

    /// Starts the emulator.
    ///
    /// # Errors
    ///
    /// The emulator cannot listen on an address, a thread cannot be started, or HTTP does not allow the ARN in a header.
    pub fn start(self) -> io::Result<Emulator> {
        /// Connections to the Runtime API beyond those of the workers. A runtime may lose and replace some.
        const SPARE_CONNECTIONS: usize = 256;
        const CALLERS: usize = 1024;
        let arn = self
            .function_arn
            .unwrap_or_else(|| format!("arn:aws:lambda:us-east-1:012345678912:function:{}", self.function_name));
        let function_arn = HeaderValue::from_str(&arn).map_err(io::Error::other)?;
        let runtime = bind(self.address)?;
        let invoke = self.invoke_address.map(bind).transpose()?;
        let api = Arc::new(Api::new(Config {
            endpoint: runtime.local_addr()?.to_string(),
            timeout: self.timeout,
            claim_timeout: self.claim_timeout,
            concurrency: self.concurrency,
            function_name: self.function_name,
            function_arn,
            memory: self.memory,
            snapstart: self.snapstart,
            stream_limit: self.stream_limit,
            max_queued_events: self.max_queued_events,
            max_queued_bytes: self.max_queued_bytes,
            access: self.access,
            faults: self.faults,
            observer: self.observer,
        }));
        let shared = Arc::clone(&api);
        let runtime_service = Service {
            name: "lambda-api",
            limit: self.concurrency.saturating_add(SPARE_CONNECTIONS),
            refusal: "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
            serve: Box::new(move |socket| api::serve(&shared, socket)),
        };
        let runtime = Listener::start(runtime, runtime_service)?;
        let shared = Arc::clone(&api);
        let invoke_service = Service {
            name: "lambda-invoke",
            limit: CALLERS,
            refusal: "HTTP/1.1 429 Too Many Requests\r\nX-Amzn-ErrorType: TooManyRequestsException\r\n\
                      Connection: close\r\nContent-Length: 0\r\n\r\n",
            serve: Box::new(move |socket| invoke::serve(&shared, socket)),
        };
        let invoke = invoke.map(|invoke| Listener::start(invoke, invoke_service)).transpose()?;
        let shared = Arc::clone(&api);
        let clock = thread::Builder::new().name("lambda-clock".to_owned()).spawn(move || shared.run_clock())?;
        Ok(Emulator::new(api, runtime, invoke, clock))
    }
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address)
        .map_err(|error| io::Error::new(error.kind(), format!("cannot listen on {address}: {error}")))
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("address", &self.address).finish_non_exhaustive()
    }
}
