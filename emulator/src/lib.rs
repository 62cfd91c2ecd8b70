//! A local AWS Lambda Runtime API for tests of functions, on blocking threads.
//!
//! ```
//! # use std::io::{Read, Write};
//! use lambda_runtime_emulator::Emulator;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let emulator = Emulator::start()?;
//!
//! // Start the function with AWS_LAMBDA_RUNTIME_API set to this, in a process or on a thread.
//! let endpoint = emulator.endpoint().to_owned();
//! # std::thread::spawn(move || -> std::io::Result<()> {
//! #     let mut api = std::net::TcpStream::connect(endpoint)?;
//! #     api.write_all(b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: api\r\n\r\n")?;
//! #     let mut event = vec![0; 4096];
//! #     let n = api.read(&mut event)?;
//! #     let event = String::from_utf8_lossy(&event[..n]).to_lowercase();
//! #     let id = event.split_once("request-id: ").unwrap().1.split_once("\r\n").unwrap().0;
//! #     let path = format!("/2018-06-01/runtime/invocation/{id}/response");
//! #     write!(api, "POST {path} HTTP/1.1\r\nHost: api\r\nContent-Length: 15\r\n\r\n\"Hello, World!\"")?;
//! #     api.read(&mut [0; 4096]).map(drop)
//! # });
//!
//! let outcome = emulator.invoke(r#"{"name":"World"}"#)?;
//! assert!(outcome.is_complete());
//! assert_eq!(outcome.text(), r#""Hello, World!""#);
//! # Ok(())
//! # }
//! ```
//!
//! - [`Emulator::builder`] sets the timeout, the concurrency, the function's name and so on.
//! - [`Event`] sets what is delivered with the payload: trace id, client context, identity, any header.
//! - [`Outcome`] is the result: a response, an error, a truncated stream, a timeout.
//! - [`Emulator::start_invocation`] returns an [`Invocation`], whose response can be read as it arrives.
//! - [`Emulator::observed`] returns the other actions of the runtime: init errors, connections, refused requests.
//!
//! The replies to requests of the [Runtime API](https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html), including
//! refusals, are those of AWS's own [Runtime Interface
//! Emulator](https://github.com/aws/aws-lambda-runtime-interface-emulator), except for what makes tests easier:
//!
//! - Events wait for a runtime to request them; Lambda would start another environment, or reject them.
//! - An event is not delivered to a connection that was closed while it waited.
//! - A late response is distinguished from one with a wrong id (410) in every mode.
//! - No process is started or stopped: see [`Emulator::runtime_exited`].
//!
//! Memory is limited, whatever clients send: see [`Builder::max_queued_events`],
//! [`Builder::max_queued_bytes`] and [`Observed`].
//!
//! # Faults
//!
//! [`Builder::faults`] scripts faults of the API: at a byte of a request or reply, the connection is closed, reset,
//! half-closed or stalled, or the bytes are transferred slowly or garbled; replies are delayed, early or replaced. See
//! [`fault`] for all of them; [`Observed::faults`] lists those that have happened.
//!
//! ```
//! # use std::io::{Read, Write};
//! use lambda_runtime_emulator::{Emulator, Fault};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let lost: Fault = "next 1: close at 40".parse()?;
//! let emulator = Emulator::builder().faults([lost.clone()]).start()?;
//!
//! // A runtime that handles this fault requests the event again on another connection.
//! # let endpoint = emulator.endpoint().to_owned();
//! # std::thread::spawn(move || -> std::io::Result<()> {
//! #     let request = b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: api\r\n\r\n";
//! #     let mut api = std::net::TcpStream::connect(&endpoint)?;
//! #     api.write_all(request)?;
//! #     api.read_to_end(&mut Vec::new())?;
//! #     let mut api = std::net::TcpStream::connect(&endpoint)?;
//! #     api.write_all(request)?;
//! #     api.read(&mut vec![0; 4096])?;
//! #     let path = "/2018-06-01/runtime/invocation/a/response";
//! #     write!(api, "POST {path} HTTP/1.1\r\nHost: api\r\nContent-Length: 7\r\n\r\n\"Hello\"")?;
//! #     api.read(&mut [0; 4096]).map(drop)
//! # });
//! # use lambda_runtime_emulator::Event;
//! # let event = Event::new("{}").request_id("a");
//! let outcome = emulator.invoke(event)?;
//! assert!(outcome.is_complete());
//! assert_eq!(emulator.observed().faults, [lost]);
//! # Ok(())
//! # }
//! ```
//!
//! # The command
//!
//! The package `lambda-emulator` is a command on top of this library. It runs a function in a process.

mod access;
mod api;
mod budget;
mod builder;
mod decided;
mod emulator;
mod error;
mod event;
pub mod fault;
mod faulty_socket;
mod id;
mod invocation;
mod json;
mod listener;
mod lock;
mod observed;
mod outcome;
mod pipe;
mod prelude;
#[doc(hidden)]
pub mod serving;
mod socket;
mod text;
mod traffic;

pub use builder::Builder;
pub use emulator::Emulator;
pub use error::{Error, InvalidPayload};
pub use event::Event;
pub use fault::Fault;
pub use invocation::Invocation;
pub use lambda_runtime_proto::Endpoint;
pub use observed::{Extension, Notice, Observed, Refusal};
pub use outcome::{End, FunctionError, Outcome, ResponseHead};
pub use pipe::Chunk;
pub use prelude::Prelude;
pub use traffic::{Sender, Traffic};

/// The largest payload that Lambda's Invoke API accepts, in bytes: 6 MiB.
pub const MAX_EVENT: usize = 6 * 1024 * 1024;

/// The largest buffered response, in bytes: 6 MiB + 100.
pub const MAX_RESPONSE: usize = 6 * 1024 * 1024 + 100;
