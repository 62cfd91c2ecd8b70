//! A local AWS Lambda Runtime API for tests of functions, on blocking threads.
//!
//! ```
//! # use std::io::{Read, Write};
//! use lambda_runtime_emulator::Emulator;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let emulator = Emulator::start()?;
//!
//! // Start the function with AWS_LAMBDA_RUNTIME_API set to this: as a process, or on a thread of the test.
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
//! - [`Event`] says what comes with the payload: trace id, client context, identity, odd headers.
//! - [`Outcome`] tells how it went: a response, an error, a torn stream, a timeout.
//! - [`Emulator::start_invocation`] gives an [`Invocation`] whose response is read as it arrives.
//! - [`Emulator::observed`] tells what else the runtime did: start-up errors, connections, requests that were refused.
//!
//! Every request of the [Runtime API](https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html) is answered as
//! AWS's own [Runtime Interface Emulator](https://github.com/aws/aws-lambda-runtime-interface-emulator) does, refusals
//! included, but for what makes tests easier:
//!
//! - Events wait for a runtime that asks for them; Lambda would start another environment, or refuse them.
//! - A connection that was closed while it waited gets no event.
//! - A late answer is told apart from a wrong one (410) in every mode.
//! - No process is started or stopped: see [`Emulator::runtime_exited`].
//!
//! # Faults
//!
//! What the API does wrong is told to [`Builder::faults`]: at a byte of a request or of an answer the connection is
//! closed, reset, half-closed or stalled, or the bytes dribble or are garbled; answers are delayed, come early, or are
//! other than they should be. [`fault`] has all of it, and [`Observed::faults`] tells what has happened.
//!
//! ```
//! # use std::io::{Read, Write};
//! use lambda_runtime_emulator::{Emulator, Fault};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let lost: Fault = "next 1: close at 40".parse()?;
//! let emulator = Emulator::builder().faults([lost.clone()]).start()?;
//!
//! // A runtime that survives it asks again on another connection.
//! # let endpoint = emulator.endpoint().to_owned();
//! # std::thread::spawn(move || -> std::io::Result<()> {
//! #     let ask = b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: api\r\n\r\n";
//! #     let mut api = std::net::TcpStream::connect(&endpoint)?;
//! #     api.write_all(ask)?;
//! #     api.read_to_end(&mut Vec::new())?;
//! #     let mut api = std::net::TcpStream::connect(&endpoint)?;
//! #     api.write_all(ask)?;
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
//! `lambda-emulator` of this package runs a function in a process of its own, with `--fault 'next 1: close at 40'` for
//! each fault.

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
mod invoke;
mod json;
mod listener;
mod lock;
mod observed;
mod outcome;
mod pipe;
mod prelude;
mod socket;

pub use builder::Builder;
pub use emulator::Emulator;
pub use error::{Error, InvalidPayload};
pub use event::Event;
pub use fault::Fault;
pub use invocation::{Chunk, Invocation};
pub use lambda_runtime_proto::Endpoint;
pub use observed::{Extension, Notice, Observed, Refusal};
pub use outcome::{End, FunctionError, Outcome, ResponseHead};
pub use prelude::Prelude;

/// The largest payload that Lambda's Invoke API accepts, in bytes: 6 MiB.
pub const MAX_EVENT: usize = 6 * 1024 * 1024;

/// The largest buffered response, in bytes: 6 MiB + 100.
pub const MAX_RESPONSE: usize = 6 * 1024 * 1024 + 100;
