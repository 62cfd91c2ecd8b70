//! One module per lesson; the programs in `bin` run it on each executor.
//!
//! The executors' crates re-export every item that the modules import from `lambda_runtime_base`:
//! in a function, import them from the executor's crate.

pub mod borrowed;
pub mod current;
pub mod deadline;
pub mod errors;
pub mod failures;
pub mod init;
pub mod logging;
pub mod middleware;
pub mod opentelemetry;
pub mod raw;
pub mod shared_state;
pub mod snapstart;
pub mod sqs_batch;
pub mod wait_until;
