//! The AWS Lambda Runtime API as a state machine that does no I/O.
//!
//! Bytes in, events out; commands in, bytes out. There is no socket here, no async, no clock, no thread and no log: a
//! driver brings those, in a dozen lines (`examples/blocking.rs` is a whole runtime on a blocking socket). Because
//! nothing happens behind the caller's back, all of it can be tested in memory, byte by byte.
//!
//! Two machines speak the two sides: [`client::Client`] is the runtime's, which functions embed; [`server::Server`] is
//! the API's, for emulators and tests. Both are driven the same way:
//!
//! ```text
//!                   ┌────────────── poll_output() ──────────────┐
//!                   ▼                                           │
//!  Transmit(slices)  write some of them, then sent(n) ─────────►│
//!  Receive           read into space(), then filled(n) ────────►│
//!  Event(event)      act on it: give a command ────────────────►│
//!  Idle              nothing is under way: give a command ─────►│
//!  Closed(reason)    drop the connection; a client may go on ──►│
//!                    on another one: reset()
//! ```
//!
//! # The lifecycle of an invocation
//!
//! ```text
//!  next_invocation()      Event::Invocation        respond() fail() finish() abort()   Event::Reply
//!  Idle ──────────► Waiting ──────────────► In hand ─────────────────────────► Answering ─────────────► Idle
//!                      │                       │  stream()                        ▲
//!                      │                       └────────► Streaming ──────────────┘
//!                      └──► Idle: Event::NoInvocation, or Event::Reply with a refusal
//! ```
//!
//! - An invocation is answered once, and the types say so: the event hands out a
//!   [token](client::InvocationToken) by value, and every command that answers consumes it. A
//!   [stream](client::ResponseStream) ends in `finish` or `abort`; dropping it aborts.
//! - What the peer does wrong is a [`PeerError`], which ends the connection. What the caller does wrong is a
//!   [`Misuse`], which changes nothing. Nothing panics.
//! - Everything that accumulates has a cap: [`Limits`].
//! - The same bytes have the same effect in whatever pieces they come.
//! - After a broken connection the machine knows what can be sent again:
//!   [`Client::outstanding`](client::Client::outstanding).
//!
//! # A whole invocation
//!
//! ```
//! use std::time::Duration;
//!
//! use lambda_runtime_proto::client::{self, Client, ReplyKind, Response};
//! use lambda_runtime_proto::server::{self, Reply, Server};
//! use lambda_runtime_proto::{Limits, Output};
//!
//! /// Writes what the runtime's side has to say, and reads it on the other.
//! fn carry_to_server(client: &mut Client, server: &mut Server) {
//!     while let Output::Transmit(slices) = client.poll_output() {
//!         let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
//!         client.sent(bytes.len());
//!         server.receive(&bytes);
//!     }
//! }
//!
//! /// And the other way round.
//! fn carry_to_client(server: &mut Server, client: &mut Client) {
//!     while let Output::Transmit(slices) = server.poll_output() {
//!         let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
//!         server.sent(bytes.len());
//!         client.receive(&bytes);
//!     }
//! }
//!
//! let mut client = Client::new(client::Config::new("127.0.0.1:9001".parse()?));
//! let mut server = Server::new(Limits::default());
//!
//! // The runtime asks for an invocation …
//! client.next_invocation()?;
//! carry_to_server(&mut client, &mut server);
//! let Output::Event(server::Event::Request(request)) = server.poll_output() else { panic!() };
//! assert_eq!(request.path(), "/2018-06-01/runtime/invocation/next");
//! let Output::Event(server::Event::End(_)) = server.poll_output() else { panic!() };
//!
//! // … the API sends one …
//! server.reply(Reply::event("8476a536", Duration::from_millis(1_542_409_706_888), r#"{"name":"World"}"#))?;
//! carry_to_client(&mut server, &mut client);
//! let Output::Event(client::Event::Invocation(invocation)) = client.poll_output() else { panic!() };
//! assert_eq!(invocation.body(), r#"{"name":"World"}"#);
//!
//! // … and it is answered, which the API acknowledges.
//! client.respond(invocation.into_token(), Response::json(r#""Hello, World!""#))?;
//! carry_to_server(&mut client, &mut server);
//! let Output::Event(server::Event::Request(request)) = server.poll_output() else { panic!() };
//! assert_eq!(request.path(), "/2018-06-01/runtime/invocation/8476a536/response");
//! let Output::Event(server::Event::Data(body)) = server.poll_output() else { panic!() };
//! assert_eq!(body, r#""Hello, World!""#);
//! let Output::Event(server::Event::End(_)) = server.poll_output() else { panic!() };
//! server.reply(Reply::accepted())?;
//! carry_to_client(&mut server, &mut client);
//! let Output::Event(client::Event::Reply(answer)) = client.poll_output() else { panic!() };
//! assert_eq!(answer.kind(), ReplyKind::Accepted);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # A streamed answer
//!
//! ```
//! # use http::HeaderValue;
//! # use lambda_runtime_proto::client::{Client, Config, Event, StreamHead};
//! # use lambda_runtime_proto::Output;
//! # let mut client = Client::new(Config::new("127.0.0.1:9001".parse()?));
//! # fn written(client: &mut Client) -> Vec<u8> {
//! #     let Output::Transmit(slices) = client.poll_output() else { return Vec::new() };
//! #     let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
//! #     client.sent(bytes.len());
//! #     bytes
//! # }
//! # client.next_invocation()?;
//! # written(&mut client);
//! # client.receive(b"HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: 8476a536\r\nContent-Length: 2\r\n\r\n{}");
//! # let Output::Event(Event::Invocation(invocation)) = client.poll_output() else { panic!() };
//! // With an invocation in hand:
//! let prelude = r#"{"statusCode":200,"headers":{"content-type":"text/plain"},"cookies":[]}"#.into();
//! let stream = client.stream(invocation.into_token(), StreamHead::Http { prelude })?;
//! client.chunk(&stream, "Hello, ")?;
//!
//! // What is there goes out in one vectored write: the head, the prelude and its delimiter, the chunk.
//! let wire = written(&mut client);
//! assert!(wire.ends_with(b"8\r\n\0\0\0\0\0\0\0\0\r\n7\r\nHello, \r\n"));
//!
//! // Later chunks go out as they come; `queued` tells when to hold back.
//! client.chunk(&stream, "World!")?;
//! assert_eq!(client.queued(), b"6\r\nWorld!\r\n".len());
//! client.finish(stream)?;
//! assert!(written(&mut client).ends_with(b"6\r\nWorld!\r\n0\r\n\r\n"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]

#[cfg(any(test, feature = "checks"))]
#[doc(hidden)]
pub mod checks;
pub mod client;
mod endpoint;
mod error;
mod http1;
mod limits;
mod output;
pub mod server;

pub use endpoint::Endpoint;
pub use error::{HeadElement, Misuse, Part, PeerError, Refused};
pub use http1::{Headers, HeadersIter, Slices};
pub use limits::Limits;
pub use output::{CloseReason, Output};
