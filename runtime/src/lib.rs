//! A runtime for AWS Lambda functions, without an executor: the loop that requests events, calls a handler and sends its
//! outcome, with layers, context, streamed responses and errors.
//!
//! Functions use it through the crate of their executor, which re-exports it:
//! [`lambda-runtime-tokio`](https://docs.rs/lambda-runtime-tokio), [`lambda-runtime-smol`](https://docs.rs/lambda-runtime-smol)
//! or [`lambda-runtime-blocking`](https://docs.rs/lambda-runtime-blocking). A custom executor implements [`Transport`] and
//! [`Executor`]:
//!
//! ```
//! use std::future::{Future as _, Ready, ready};
//! use std::io::{self, IoSlice, Read as _, Write as _};
//! use std::net::TcpStream;
//! use std::pin::pin;
//! use std::task::{Context, Poll, Waker};
//! use std::time::Duration;
//!
//! use lambda_runtime_base::{Address, Error, Executor, LambdaEvent};
//! use lambda_runtime_base::{Runtime, Transport, service_fn};
//! use lambda_runtime_emulator::Emulator;
//!
//! /// A minimal executor, which blocks. It suffices for a handler that does not wait.
//! #[derive(Clone, Default)]
//! struct Blocking;
//!
//! impl Executor for Blocking {
//!     type Transport = Tcp;
//!     type Connect = Ready<io::Result<Tcp>>;
//!     type Sleep = Ready<()>;
//!
//!     fn connect(&self, host: &str, port: u16) -> Self::Connect {
//!         ready(TcpStream::connect((host, port)).map(Tcp))
//!     }
//!
//!     fn sleep(&self, duration: Duration) -> Self::Sleep {
//!         std::thread::sleep(duration);
//!         ready(())
//!     }
//! }
//!
//! struct Tcp(TcpStream);
//!
//! impl Transport for Tcp {
//!     fn poll_read(&mut self, _: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
//!         Poll::Ready(self.0.read(buf))
//!     }
//!
//!     fn poll_write_vectored(
//!         &mut self,
//!         _: &mut Context<'_>,
//!         bufs: &[IoSlice<'_>],
//!     ) -> Poll<io::Result<usize>> {
//!         Poll::Ready(self.0.write_vectored(bufs))
//!     }
//! }
//!
//! async fn shout(event: LambdaEvent<String>) -> Result<String, Error> {
//!     Ok(event.payload.to_uppercase())
//! }
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let emulator = Emulator::start()?;
//!     let address: Address = emulator.endpoint().parse()?;
//!     std::thread::spawn(|| {
//!         let runtime = Runtime::<_, Blocking>::new(service_fn(shout)).address(address);
//!         let mut run = pin!(runtime.run());
//!         while run.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending() {}
//!     });
//!
//!     assert_eq!(emulator.invoke(r#""hello""#)?.text(), r#""HELLO""#);
//!     Ok(())
//! }
//! ```
//!
//! [`Executor`] shows how to write one that waits.
//!
//! # Features
//!
//! | feature | adds |
//! |---|---|
//! | `tracing` (default) | the module `tracing`, with a subscriber that follows Lambda's settings |
//! | `current` (default) | [`current`], the invocation for which code runs |
//! | `wait-until` (default) | [`Context::wait_until`], work after the response |
//! | `opentelemetry` | `layers::OpenTelemetryLayer` |
//! | `anyhow`, `eyre`, `miette` | [`Diagnostic`] from the errors of these crates |
//! | `graceful-shutdown` | the common part of the executors' `graceful_shutdown` |

#![cfg_attr(docsrs, feature(doc_cfg))]

mod connection;
mod env;
mod error;
mod executor;
#[cfg(test)]
mod in_memory;
mod invocation;
pub mod layers;
mod lifecycle;
mod logging;
mod panics;
mod response;
mod runtime;
mod service;
mod worker;

pub use env::address::{Address, AddressError};
pub use env::config::Config;
pub use error::bad_event::BadEvent;
pub use error::diagnostic::{self, Diagnostic};
pub use error::{Error, RunError};
pub use executor::{BoxFuture, Executor, Spawn, Transport};
pub use invocation::caller::{ClientApplication, ClientContext, CognitoIdentity};
pub use invocation::context::Context;
#[cfg(feature = "current")]
pub use invocation::current::{Current, Scope, current};
pub use invocation::event::{LambdaEvent, LambdaInvocation, RawEvent};
#[cfg(feature = "wait-until")]
pub use invocation::work::WaitUntilError;
/// A type of [`RunError`].
#[doc(no_inline)]
pub use lambda_runtime_proto::Endpoint;
#[doc(hidden)]
pub use lifecycle::init;
#[doc(hidden)]
pub use lifecycle::metadata;
pub use lifecycle::metadata::Metadata;
#[cfg(feature = "graceful-shutdown")]
#[doc(hidden)]
pub use lifecycle::shutdown;
#[cfg(feature = "graceful-shutdown")]
pub use lifecycle::shutdown::Signal;
pub use lifecycle::snapstart::{self, SnapStartResource};
#[cfg(feature = "tracing")]
#[cfg_attr(docsrs, doc(cfg(feature = "tracing")))]
pub use logging::subscriber as tracing;
pub use panics::catch_panic;
pub use response::streaming;
pub use response::{
    FunctionResponse, HandlerResponse, IntoFunctionResponse, MetadataPrelude, PlainStream, RawResponse, StreamResponse,
};
pub use runtime::Runtime;
pub use service::bounds::{EventPayload, EventService, Handler, HandlerError, HandlerOutput};
pub use service::handler::{HandlerFuture, HandlerService};
pub use service::sync_fn::{SyncFn, sync_fn};
pub use tower::{self, Service, service_fn};

/// Makes a handler of a function with two arguments, the event's payload and its context.
#[deprecated(since = "0.1.0", note = "Use `service_fn` and `LambdaEvent` instead")]
pub fn handler_fn<A, F, Fut>(f: F) -> tower::util::ServiceFn<impl Fn(LambdaEvent<A>) -> Fut>
where
    F: Fn(A, Context) -> Fut,
{
    service_fn(move |event: LambdaEvent<A>| f(event.payload, event.context))
}
