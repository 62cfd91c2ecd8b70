//! What can be chosen before the emulator starts.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use http::HeaderValue;

use crate::api::{self, Api, Config, Observer};
use crate::invoke;
use crate::listener::Listener;
use crate::{Emulator, Fault, Notice};

/// Chooses how an [`Emulator`] behaves.
#[must_use = "nothing runs until start() is called"]
pub struct Builder {
    address: SocketAddr,
    invoke_address: Option<SocketAddr>,
    timeout: Duration,
    claim_timeout: Option<Duration>,
    concurrency: usize,
    function_name: String,
    function_arn: Option<String>,
    memory: u32,
    snapstart: bool,
    stream_limit: u64,
    faults: Vec<Fault>,
    observer: Option<Box<Observer>>,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            invoke_address: None,
            timeout: Duration::from_secs(60),
            claim_timeout: Some(Duration::from_secs(60)),
            concurrency: 1,
            function_name: "function".to_owned(),
            function_arn: None,
            memory: 128,
            snapstart: false,
            stream_limit: 200 * 1024 * 1024,
            faults: Vec::new(),
            observer: None,
        }
    }
}

impl Builder {
    /// Where the Runtime API listens. Default: a free port on 127.0.0.1.
    pub fn address(mut self, address: SocketAddr) -> Self {
        self.address = address;
        self
    }

    /// Also serves `POST /2015-03-31/functions/{name}/invocations` at this address, as Lambda itself does. See
    /// [Invoke](https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html). Any name is taken for the function's.
    ///
    /// The body is the event and the response's body is the answer, which is streamed if the function streams. An
    /// answer that fails midway ends in trailers for a caller that says `TE: trailers`; for any other the connection is
    /// cut, so that the answer does not look whole.
    pub fn invoke_address(mut self, address: SocketAddr) -> Self {
        self.invoke_address = Some(address);
        self
    }

    /// How long the function may take for an event. Default: 60 seconds.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long an event waits for a runtime that asks for it; `None` is for ever. Default: 60 seconds, so that a test
    /// ends whose function does not start.
    pub fn claim_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.claim_timeout = limit.into();
        self
    }

    /// How many events a runtime handles at once. Default: 1, which is Lambda as usual: an event is delivered when the
    /// one before it is over, and a runtime that asks again before it answered gets the same one again. More is Lambda
    /// Managed Instances: every request for an event gets one.
    ///
    /// See [Lambda Managed Instances](https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances.html).
    pub fn concurrency(mut self, concurrency: usize) -> Self {
        self.concurrency = concurrency.max(1);
        self
    }

    /// The function's name. Default: `function`.
    pub fn function_name(mut self, name: impl Into<String>) -> Self {
        self.function_name = name.into();
        self
    }

    /// The ARN that comes with an event. Default: one made of the function's name.
    pub fn function_arn(mut self, arn: impl Into<String>) -> Self {
        self.function_arn = Some(arn.into());
        self
    }

    /// The memory that the function is told it has, in MB. Default: 128.
    pub fn memory(mut self, megabytes: u32) -> Self {
        self.memory = megabytes;
        self
    }

    /// Whether the function is told that it runs with [SnapStart](https://docs.aws.amazon.com/lambda/latest/dg/snapstart.html).
    /// It is restored by [`Emulator::restore`], or when the first event waits. Default: no.
    pub fn snapstart(mut self, snapstart: bool) -> Self {
        self.snapstart = snapstart;
        self
    }

    /// How many bytes a streamed response may have. Default: 200 MiB, as in Lambda. A buffered one may have
    /// [`MAX_RESPONSE`](crate::MAX_RESPONSE).
    pub fn stream_limit(mut self, bytes: u64) -> Self {
        self.stream_limit = bytes;
        self
    }

    /// What the Runtime API does wrong, besides what was given before. See [`fault`](crate::fault).
    pub fn faults(mut self, faults: impl IntoIterator<Item = Fault>) -> Self {
        self.faults.extend(faults);
        self
    }

    /// Tells this function what happens, on the thread where it happens: the emulator waits until it returns.
    pub fn observer(mut self, observer: impl Fn(&Notice<'_>) + Send + Sync + 'static) -> Self {
        self.observer = Some(Box::new(observer));
        self
    }

    /// Starts the emulator.
    ///
    /// # Errors
    ///
    /// An address cannot be listened on, a thread cannot be started, or the ARN cannot stand in an HTTP header.
    pub fn start(self) -> io::Result<Emulator> {
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
            faults: self.faults,
            observer: self.observer,
        }));
        let shared = Arc::clone(&api);
        let runtime = Listener::start(runtime, "lambda-api", move |socket| api::serve(&shared, socket))?;
        let shared = Arc::clone(&api);
        let serve_invoke = move |socket: &_| invoke::serve(&shared, socket);
        let invoke = invoke.map(|invoke| Listener::start(invoke, "lambda-invoke", serve_invoke)).transpose()?;
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
