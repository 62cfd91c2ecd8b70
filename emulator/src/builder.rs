//! The settings of an emulator.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use http::HeaderValue;
#[cfg(unix)]
use socket2::{Domain, Socket, Type};

use crate::api::{self, Api, Config, Observer};
use crate::listener::{Listener, Service};
use crate::traffic::{Recorder, Traffic};
use crate::{Emulator, Fault, Notice, id};

/// Configures an [`Emulator`].
#[must_use = "nothing runs until start() is called"]
pub struct Builder {
    address: SocketAddr,
    reserves_port: bool,
    timeout: Duration,
    claim_timeout: Option<Duration>,
    concurrency: usize,
    function_name: String,
    function_arn: Option<String>,
    memory: u32,
    snapstart: bool,
    external_extensions: Vec<String>,
    stream_limit: u64,
    max_queued_events: usize,
    max_queued_bytes: usize,
    faults: Vec<Fault>,
    observer: Option<Box<Observer>>,
    recorder: Option<Box<Recorder>>,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            reserves_port: false,
            timeout: Duration::from_secs(60),
            claim_timeout: Some(Duration::from_secs(60)),
            concurrency: 1,
            function_name: "function".to_owned(),
            function_arn: None,
            memory: 128,
            snapstart: false,
            external_extensions: Vec::new(),
            stream_limit: 200 * 1024 * 1024,
            max_queued_events: 1000,
            max_queued_bytes: 64 * 1024 * 1024,
            faults: Vec::new(),
            observer: None,
            recorder: None,
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

    /// Keeps the port from other sockets until the process ends, at the expense of a file descriptor: for tests with functions
    /// on other threads. Such a function may outlive the emulator, and would connect to whatever gets the port next. Has no
    /// effect on Windows.
    pub fn reserve_port(mut self) -> Self {
        self.reserves_port = true;
        self
    }

    /// The timeout of an invocation. Default: 60 seconds.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long an event waits for a runtime to request it; `None` for no limit. Default: 60 seconds, after which the test
    /// of a function that does not start fails.
    pub fn claim_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.claim_timeout = limit.into();
        self
    }

    /// The number of events that a runtime handles concurrently. Default: 1.
    ///
    /// - 1, as usual in Lambda: an event is delivered once the runtime and its extensions have requested the next event. A
    ///   runtime that repeats the request before it has responded receives the same event again.
    /// - More, as on [Lambda Managed
    ///   Instances](https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances.html): every request receives
    ///   another event.
    pub fn concurrency(mut self, concurrency: usize) -> Self {
        self.concurrency = concurrency.max(1);
        self
    }

    /// The number of events that may wait to be requested. Default: 1000. More are rejected:
    /// [`Error::QueueFull`](crate::Error::QueueFull), or 429 over HTTP.
    pub fn max_queued_events(mut self, events: usize) -> Self {
        self.max_queued_events = events.max(1);
        self
    }

    /// The total size in bytes of events that wait to be requested. Default: 64 MiB. The same limit applies to the bodies
    /// that are being received. It is raised by [`MAX_EVENT`](crate::MAX_EVENT) bytes for each concurrent invocation, and
    /// an event is always accepted if it is the only one.
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

    /// Whether the function's environment has
    /// [SnapStart](https://docs.aws.amazon.com/lambda/latest/dg/snapstart.html) enabled. [`Emulator::restore`] or the first
    /// event restores it. Default: no.
    pub fn snapstart(mut self, snapstart: bool) -> Self {
        self.snapstart = snapstart;
        self
    }

    /// Adds the name of an external extension: one that runs in a separate process. It may register for `SHUTDOWN`, which
    /// [`Emulator::shut_down_extensions`] sends.
    pub fn external_extension(mut self, name: impl Into<String>) -> Self {
        self.external_extensions.push(name.into());
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

    /// Calls this function with each event in the life of the function, on the thread where it happens, and waits until it
    /// returns.
    pub fn observer(mut self, observer: impl Fn(&Notice<'_>) + Send + Sync + 'static) -> Self {
        self.observer = Some(Box::new(observer));
        self
    }

    /// Calls this function with the bytes of every connection to the Runtime API, on the connection's thread.
    pub fn recorder(mut self, recorder: impl Fn(&Traffic<'_>) + Send + Sync + 'static) -> Self {
        self.recorder = Some(Box::new(recorder));
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
        let arn = self
            .function_arn
            .unwrap_or_else(|| format!("arn:aws:lambda:us-east-1:012345678912:function:{}", self.function_name));
        let function_arn = HeaderValue::from_str(&arn).map_err(io::Error::other)?;
        let address = if self.reserves_port { reserve(self.address)? } else { self.address };
        let runtime = bind(address)?;
        let api = Arc::new(Api::new(Config {
            endpoint: runtime.local_addr()?.to_string(),
            timeout: self.timeout,
            claim_timeout: self.claim_timeout,
            concurrency: self.concurrency,
            function_name: self.function_name,
            function_arn,
            memory: self.memory,
            snapstart: self.snapstart,
            metadata_token: id::uuid(),
            external_extensions: self.external_extensions,
            stream_limit: self.stream_limit,
            max_queued_events: self.max_queued_events,
            max_queued_bytes: self.max_queued_bytes,
            faults: self.faults,
            observer: self.observer,
            recorder: self.recorder,
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
        let clock = thread::Builder::new().name("lambda-clock".to_owned()).spawn(move || shared.run_clock())?;
        Ok(Emulator::new(api, runtime, clock))
    }
}

/// Binds a port, to which only a listener can be bound in addition, until the process ends.
#[cfg(unix)]
fn reserve(address: SocketAddr) -> io::Result<SocketAddr> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    // The listener has this option, too.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    let bound = socket.local_addr()?.as_socket();
    std::mem::forget(socket);
    Ok(bound.unwrap_or(address))
}

#[cfg(not(unix))]
fn reserve(address: SocketAddr) -> io::Result<SocketAddr> {
    Ok(address)
}

/// Listens on an address. The error names it.
pub(crate) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address)
        .map_err(|error| io::Error::new(error.kind(), format!("cannot listen on {address}: {error}")))
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("address", &self.address).finish_non_exhaustive()
    }
}
