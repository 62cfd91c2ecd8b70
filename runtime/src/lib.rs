//! The AWS Lambda runtime for Rust, without an executor.
//!
//! Functions use it through the crate of their executor, `lambda-runtime-tokio` or `lambda-runtime-smol`, which
//! re-exports all of it. An executor of your own needs a [`Transport`] and an [`Executor`]; everything else is here.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod address;
mod concurrent;
mod config;
mod connection;
mod context;
pub mod diagnostic;
mod error;
mod event;
mod executor;
#[cfg(feature = "graceful-shutdown")]
mod extension;
mod failure;
mod handler;
pub mod layers;
mod log;
mod panics;
mod raw;
mod response;
mod runtime;
#[cfg(feature = "graceful-shutdown")]
#[doc(hidden)]
pub mod shutdown;
mod slot;
pub mod snapstart;
pub mod streaming;
mod trace_id;
#[cfg(feature = "tracing")]
#[cfg_attr(docsrs, doc(cfg(feature = "tracing")))]
pub mod tracing;
mod worker;

/// A boxed future that is `Send`.
pub type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;

pub use address::Address;
pub use config::Config;
pub use context::{ClientApplication, ClientContext, CognitoIdentity, Context};
pub use diagnostic::Diagnostic;
pub use error::{Error, RunError};
pub use event::{BadEvent, LambdaEvent, LambdaInvocation};
pub use executor::{Executor, Spawn, Transport, panics_as_words};
pub use handler::{HandlerFuture, HandlerService};
pub use raw::{PlainStream, RawEvent, RawResponse};
pub use response::{FunctionResponse, IntoFunctionResponse, MetadataPrelude, StreamResponse};
pub use runtime::Runtime;
#[cfg(feature = "graceful-shutdown")]
#[cfg_attr(docsrs, doc(cfg(feature = "graceful-shutdown")))]
pub use shutdown::Signal;
pub use snapstart::SnapStartResource;
pub use tower::{self, Service, service_fn};

/// Return a new service of a closure that takes an event and its context as separate arguments.
#[deprecated(since = "0.1.0", note = "Use `service_fn` and `LambdaEvent` instead")]
pub fn handler_fn<A, F, Fut>(f: F) -> tower::util::ServiceFn<impl Fn(LambdaEvent<A>) -> Fut>
where
    F: Fn(A, Context) -> Fut,
{
    service_fn(move |event: LambdaEvent<A>| f(event.payload, event.context))
}

/// What the executors' crates need for their signatures.
#[doc(hidden)]
pub use {bytes, futures_core, serde};
