#![doc = include_str!("../README.md")]
//!
//! # The library
//!
//! Each [scenario](scenarios) plays the Runtime API, faults included, to a function that runs [`handle`] on some
//! executor, and checks what the function sent and how its `run` ended. Scenarios are data: [`Steps`] of the API and
//! [`Expectation`]s. Most are played byte by byte; some are faults of the emulator, whose API tracks invocations and
//! reports their outcome.
//!
//! The test of an executor calls [`main`] with the [`Dimension`]s that it supports, and a function that runs the handler
//! in each of them:
//!
//! ```no_run
//! use std::process::ExitCode;
//!
//! use conformance::{Dimension, Function, handle};
//! use lambda_runtime_smol::{Error, Runtime, run, service_fn};
//!
//! fn main() -> ExitCode {
//!     conformance::main(&Dimension::ALL, start)
//! }
//!
//! fn start(dimension: Dimension, function: Function) -> Result<(), Error> {
//!     let layer = function.layer(|task| smol::spawn(task).detach());
//!     let runtime = Runtime::new(service_fn(handle)).layer(layer).address(function.address());
//!     smol::block_on(async {
//!         match dimension {
//!             Dimension::Runtime => function.drive(runtime.run()).await,
//!             Dimension::Pipelining => function.drive(runtime.pipelining(true).run()).await,
//!             Dimension::Run => function.drive(run(service_fn(handle))).await,
//!             Dimension::RunConcurrent => function.drive(runtime.run_concurrent()).await,
//!             Dimension::RunConcurrentLocal => {
//!                 function.drive(runtime.run_concurrent_local()).await
//!             }
//!         }
//!     })
//! }
//! ```

// The code in README.md and docs/ is compiled, and run where it can be.
#[cfg(doctest)]
mod documents {
    #[doc = include_str!("../../README.md")]
    mod readme {}
    #[doc = include_str!("../../docs/migrating.md")]
    mod migrating {}
    #[doc = include_str!("../../docs/testing.md")]
    mod testing {}
}

mod api;
mod content;
mod contract;
mod dimension;
mod emulated;
mod expectation;
mod function;
mod happening;
mod messages;
mod process;
mod recorded_request;
mod runner;
mod scenario;
pub mod scenarios;
mod steps;
mod suite;
mod transcript;

pub use content::Content;
pub use dimension::Dimension;
pub use expectation::{Expectation, HeaderValue, StreamEnd};
pub use function::{
    FailingHooks, FaultyLayer, FaultyService, Function, HandlerResult, Payload, Start, Task, handle, initialization,
};
pub use process::{Program, kill_all_when_interrupted};
pub use recorded_request::RecordedRequest;
pub use runner::{Failure, play_to_program};
pub use scenario::{AddressForm, Afterwards, Dialogue, Emulated, Feature, Level, Scenario, Source};
pub use steps::{Step, Steps};
pub use suite::main;
pub use transcript::{Transcript, Wire};
