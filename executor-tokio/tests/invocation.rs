//! The current invocation, and work after the response.

#![cfg(all(feature = "current", feature = "wait-until"))]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may panic")]

extern crate lambda_runtime_tokio as lambda_runtime;

#[path = "invocation/current.rs"]
mod current;
#[path = "invocation/work.rs"]
mod work;

use std::future::Future;
use std::time::Duration;

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn spawn<F: Future<Output: Send> + Send + 'static>(future: F) -> impl Future<Output = F::Output> {
    let task = tokio::spawn(future);
    async { task.await.unwrap() }
}

async fn sleep(duration: Duration) {
    tokio::time::sleep(duration).await;
}
