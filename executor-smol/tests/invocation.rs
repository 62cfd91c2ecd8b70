//! The current invocation, and work after the response.

#![cfg(all(feature = "current", feature = "wait-until"))]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may panic")]

extern crate lambda_runtime_smol as lambda_runtime;

#[path = "../../executor-tokio/tests/invocation/current.rs"]
mod current;
#[path = "../../executor-tokio/tests/invocation/work.rs"]
mod work;

use std::future::Future;
use std::time::Duration;

fn block_on<F: Future>(future: F) -> F::Output {
    smol::block_on(future)
}

fn spawn<F: Future<Output: Send> + Send + 'static>(future: F) -> impl Future<Output = F::Output> {
    smol::spawn(future)
}

async fn sleep(duration: Duration) {
    smol::Timer::after(duration).await;
}
