//! The AWS Lambda Runtime API as a state machine that does no I/O.
//!
//! Bytes in, events out; commands in, bytes out. The crate has no sockets, no async, no clock, no threads and no logging:
//! a driver adds them in a dozen lines (`examples/blocking.rs` is a complete runtime on a blocking socket). That makes
//! all of it testable in memory, byte by byte.
//!
//! There is a machine for each side: [`client::Client`] is the runtime's, which functions embed; [`server::Server`] is
//! the API's, for emulators and tests. Both are driven in the same way:
//!
//! ```text
//!                   ┌────────────── poll_output() ──────────────┐
//!                   ▼                                           │
//!  Transmit(slices)  write some of them, then sent(n) ─────────►│
//!  Receive           read into space(), then filled(n) ────────►│
//!  Event(event)      handle it, and issue a command ───────────►│
//!  Idle              no reply is outstanding: issue a command ─►│
//!  Closed(reason)    drop the connection; a client continues ──►│
//!                    on another one after reset()
//! ```
//!
//! # The lifecycle of an invocation
//!
//! ```text
//! Idle
//!  │ next_invocation()
//!  ▼
//! Waiting ───► Idle: Event::NoInvocation, or Event::Reply with a refusal
//!  │ Event::Invocation
//!  ▼
//! In hand ───► Streaming: stream()
//!  │               │
//!  │ respond()     │ finish()
//!  │ fail()        │ abort()
//!  ▼               ▼
//! AwaitingAck ───► Idle: Event::Reply
//! ```
//!
//! - An invocation has one outcome, and the types enforce it: the event contains a [token](client::InvocationToken) by
//!   value, and every command that posts an outcome consumes it. A [stream](client::ResponseStream) ends with `finish`
//!   or `abort`; dropping it aborts.
//! - Faults of the peer are a [`PeerError`], which ends the connection. Faults of the caller are a [`Misuse`], which
//!   changes nothing. Nothing panics.
//! - Everything that accumulates has a limit: [`Limits`].
//! - The same bytes have the same effect in pieces of any size.
//! - After a connection is lost, the machine knows which requests it can resend:
//!   [`Client::outstanding`](client::Client::outstanding). The status of a reply is known from its head, so an outcome
//!   that was accepted or refused is not resent, even if the body of that reply never arrives.
//!
//! # A complete invocation
//!
//! ```
//! use std::time::Duration;
//!
//! use lambda_runtime_proto::client::{self, Client, ReplyKind, Response};
//! use lambda_runtime_proto::server::{self, Reply, Server};
//! use lambda_runtime_proto::{Limits, Output};
//!
//! /// Moves the client's output into the server.
//! fn transfer_to_server(client: &mut Client, server: &mut Server) {
//!     while let Output::Transmit(slices) = client.poll_output() {
//!         let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
//!         client.sent(bytes.len());
//!         server.receive(&bytes);
//!     }
//! }
//!
//! /// Moves the server's output into the client.
//! fn transfer_to_client(server: &mut Server, client: &mut Client) {
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
//! // The runtime requests an invocation …
//! client.next_invocation()?;
//! transfer_to_server(&mut client, &mut server);
//! let Output::Event(server::Event::Request(request)) = server.poll_output() else { panic!() };
//! assert_eq!(request.path(), "/2018-06-01/runtime/invocation/next");
//! let Output::Event(server::Event::End(_)) = server.poll_output() else { panic!() };
//!
//! // … the API replies with one …
//! let deadline = Duration::from_millis(1_542_409_706_888);
//! server.reply(Reply::event("8476a536", deadline, r#"{"name":"World"}"#))?;
//! transfer_to_client(&mut server, &mut client);
//! let Output::Event(client::Event::Invocation(invocation)) = client.poll_output() else {
//!     panic!()
//! };
//! assert_eq!(invocation.body(), r#"{"name":"World"}"#);
//!
//! // … and the runtime posts a response, which the API acknowledges.
//! client.respond(invocation.into_token(), Response::json(r#""Hello, World!""#))?;
//! transfer_to_server(&mut client, &mut server);
//! let Output::Event(server::Event::Request(request)) = server.poll_output() else { panic!() };
//! assert_eq!(request.path(), "/2018-06-01/runtime/invocation/8476a536/response");
//! let Output::Event(server::Event::Data(body)) = server.poll_output() else { panic!() };
//! assert_eq!(body, r#""Hello, World!""#);
//! let Output::Event(server::Event::End(_)) = server.poll_output() else { panic!() };
//! server.reply(Reply::accepted())?;
//! transfer_to_client(&mut server, &mut client);
//! let Output::Event(client::Event::Reply(reply)) = client.poll_output() else { panic!() };
//! assert_eq!(reply.kind(), ReplyKind::Accepted);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # A streamed response
//!
//! ```
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
//! let prelude = r#"{"statusCode":200,"headers":{"content-type":"text/plain"},"cookies":[]}"#;
//! let head = StreamHead::Http { prelude: prelude.into() };
//! let stream = client.stream(invocation.into_token(), head)?;
//! client.chunk(&stream, "Hello, ")?;
//!
//! // One vectored write sends everything so far: the head, the prelude with its delimiter, the chunk.
//! let wire = written(&mut client);
//! assert!(wire.ends_with(b"8\r\n\0\0\0\0\0\0\0\0\r\n7\r\nHello, \r\n"));
//!
//! // More chunks follow; pause while `queued` is high.
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
