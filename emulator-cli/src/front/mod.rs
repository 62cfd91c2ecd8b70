//! The callers' side, on one port: the Invoke API, and on any other path the function URL.

mod access;
mod asynchronous;
mod event_stream;
mod invoke;
mod page;
mod url;

use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use lambda_runtime_emulator::serving::{
    Activity, Budget, Connection, Decided, Listener, Reservation, Service, bind, shortened,
};
use lambda_runtime_emulator::{Emulator, MAX_EVENT};
use lambda_runtime_proto::server::{Event, Reply, Request};

pub use access::Access;
use access::Cors;
use asynchronous::Asynchronous;

use crate::history::History;

/// Serves callers until it is dropped, which stops the emulator, too.
#[derive(Debug)]
pub struct Front {
    emulator: Arc<Emulator>,
    history: Arc<History>,
    // Dropped after the emulator has been stopped.
    listener: Listener,
}

/// How callers are served.
#[derive(Debug)]
pub struct Settings {
    /// The address to listen on.
    pub address: SocketAddr,
    /// The web pages and hosts that may invoke the function.
    pub access: Access,
    /// The only name by which the function can be invoked; `None` for any name.
    pub function_name: Option<String>,
    /// The number of retries of an asynchronous invocation.
    pub retries: u32,
    /// The delay before the first retry. The delay before the second is twice as long.
    pub retry_delay: Duration,
    /// The file for reports of asynchronous invocations whose last attempt failed.
    pub on_failure: Option<PathBuf>,
    /// Bytes of requests and responses that may be buffered at the same time.
    pub max_buffered: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            access: Access::default(),
            function_name: None,
            retries: 2,
            retry_delay: Duration::from_secs(1),
            on_failure: None,
            max_buffered: 64 * 1024 * 1024 + MAX_EVENT,
        }
    }
}

impl Front {
    /// Starts to serve callers of this emulator's function.
    ///
    /// # Errors
    ///
    /// The address is taken, the file for failures cannot be opened, or a thread cannot be started.
    pub fn start(emulator: Arc<Emulator>, history: Arc<History>, settings: Settings) -> io::Result<Self> {
        const CALLERS: usize = 1024;
        let listener = bind(settings.address)?;
        let shared = Arc::new(Shared {
            emulator: Arc::clone(&emulator),
            history: Arc::clone(&history),
            access: settings.access,
            function_name: settings.function_name,
            buffers: Budget::new(settings.max_buffered),
            asynchronous: Asynchronous::new(settings.retries, settings.retry_delay, settings.on_failure.as_deref())?,
        });
        let service = Service {
            name: "lambda-invoke",
            limit: CALLERS,
            refusal: "HTTP/1.1 429 Too Many Requests\r\nX-Amzn-ErrorType: TooManyRequestsException\r\n\
                      Connection: close\r\nContent-Length: 0\r\n\r\n",
            serve: Box::new(move |socket| serve(&shared, socket)),
        };
        Ok(Self { emulator, history, listener: Listener::start(listener, service)? })
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.listener.address()
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        // Waiting callers get an error. Otherwise their threads would not end.
        self.emulator.stop();
        self.history.stop();
    }
}

/// State shared by all connections of callers.
#[derive(Debug)]
struct Shared {
    emulator: Arc<Emulator>,
    history: Arc<History>,
    access: Access,
    function_name: Option<String>,
    /// The budget for buffered bodies and replies.
    buffers: Arc<Budget>,
    asynchronous: Asynchronous,
}

/// Serves a caller's connection until it is closed.
fn serve(shared: &Arc<Shared>, socket: &TcpStream) {
    /// The largest head of a request.
    const HEAD: usize = 64 * 1024;
    let mut connection = Connection::without_faults(&shared.emulator, socket, HEAD);
    let peer = socket.peer_addr().ok().map(|peer| peer.ip());
    let mut current = None;
    loop {
        match connection.next_activity() {
            Activity::Event(Event::Request(request)) => current = Some(Exchange::new(shared, &request, peer)),
            Activity::Event(Event::Data(data)) => {
                if let Some(exchange) = &mut current {
                    exchange.data(&data, &mut connection);
                }
            }
            Activity::Event(Event::End(_)) => match current.take() {
                Some(exchange) => exchange.end(shared, &mut connection),
                None => break,
            },
            Activity::Closed(reason) => {
                connection.close(&reason);
                break;
            }
        }
    }
}

/// A request whose body is being received.
struct Exchange {
    cors: Cors,
    /// The upload, or the reply if it does not depend on the rest of the body.
    upload: Result<Upload, Decided>,
}

/// A call whose body is being received.
struct Upload {
    call: Call,
    body: Vec<u8>,
    reservation: Reservation,
}

/// The operation that a request addresses.
enum Call {
    Invoke(invoke::Call),
    Url(url::Call),
    Page(page::Call),
}

impl Exchange {
    fn new(shared: &Shared, request: &Request, peer: Option<IpAddr>) -> Self {
        let (cors, call) = match shared.access.check(request) {
            Err(message) => (Cors(None), Err(invoke::error(403, "AccessDeniedException", &message))),
            Ok(cors) => match cors.preflight(request) {
                Some(reply) => (Cors(None), Err(reply)),
                None => {
                    let call = Call::new(shared, request, peer, &cors);
                    (cors, call)
                }
            },
        };
        let upload = call.map(|call| Upload { call, body: Vec::new(), reservation: shared.buffers.reservation() });
        Self { cors, upload: upload.map_err(Decided::new) }
    }

    fn data(&mut self, data: &[u8], connection: &mut Connection<'_>) {
        let early = match &mut self.upload {
            Ok(upload) => {
                if let Err(reply) = upload.data(data) {
                    self.upload = Err(Decided::new(reply));
                }
                None
            }
            Err(decided) => decided.discard(data.len()),
        };
        if let Some(reply) = early {
            connection.reply(self.cors.apply(reply));
        }
    }

    fn end(self, shared: &Arc<Shared>, connection: &mut Connection<'_>) {
        match self.upload {
            Ok(Upload { call, mut body, reservation }) => {
                body.shrink_to_fit();
                call.make(shared, connection, &self.cors, Bytes::from(body), reservation);
            }
            Err(decided) => connection.reply(self.cors.apply(decided.into_reply())),
        }
    }
}

impl Upload {
    fn data(&mut self, data: &[u8]) -> Result<(), Reply> {
        if self.body.len() + data.len() > self.call.max_body() {
            return Err(self.call.too_large());
        }
        if !self.reservation.grow(data.len()) {
            return Err(self.call.too_many_requests());
        }
        self.body.extend_from_slice(data);
        Ok(())
    }
}

impl Call {
    fn new(shared: &Shared, request: &Request, peer: Option<IpAddr>, cors: &Cors) -> Result<Self, Reply> {
        if let Some(call) = page::Call::new(shared, request, peer, cors)? {
            return Ok(Call::Page(call));
        }
        if let Some(call) = invoke::Call::new(shared, request)? {
            return Ok(Call::Invoke(call));
        }
        if is_of_lambda(request.path()) {
            let path = shortened(request.path());
            let message = format!(
                "unknown endpoint {} {path}: to invoke the function, POST /2015-03-31/functions/function/invocations; its \
                 Runtime API is at http://{}",
                request.method(),
                shared.emulator.endpoint()
            );
            return Err(invoke::error(404, "ResourceNotFoundException", &message));
        }
        Ok(Call::Url(url::Call::new(request, peer)?))
    }

    fn max_body(&self) -> usize {
        match self {
            Call::Invoke(call) => call.max_payload(),
            Call::Url(_) | Call::Page(_) => MAX_EVENT,
        }
    }

    fn too_large(&self) -> Reply {
        match self {
            Call::Invoke(_) | Call::Page(_) => invoke::too_large(self.max_body()),
            Call::Url(_) => url::too_large(),
        }
    }

    fn too_many_requests(&self) -> Reply {
        match self {
            Call::Invoke(_) | Call::Page(_) => invoke::too_many_requests(),
            Call::Url(_) => url::too_many_requests(),
        }
    }

    /// Executes the request, and replies.
    fn make(
        self,
        shared: &Arc<Shared>,
        connection: &mut Connection<'_>,
        cors: &Cors,
        body: Bytes,
        reservation: Reservation,
    ) {
        match self {
            Call::Invoke(call) => call.make(shared, connection, cors, body, reservation),
            Call::Url(call) => call.make(shared, connection, cors, body, reservation),
            Call::Page(call) => call.make(shared, connection),
        }
    }
}

/// Whether the path belongs to an API of Lambda, such as `/2015-03-31/functions/function`, and not to the function.
fn is_of_lambda(path: &str) -> bool {
    const VERSIONS: [&str; 6] = ["2015-03-31", "2018-06-01", "2020-01-01", "2020-08-15", "2021-11-15", "2022-07-01"];
    path.split('/').nth(1).is_some_and(|first| VERSIONS.contains(&first))
}

/// Adds a header, unless HTTP does not allow the value.
fn with(reply: Reply, name: HeaderName, value: impl AsRef<[u8]>) -> Reply {
    match HeaderValue::from_bytes(value.as_ref()) {
        Ok(value) => reply.header(name, value),
        Err(_) => reply,
    }
}
