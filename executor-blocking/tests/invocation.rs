//! The current invocation, and work after the response.

#![cfg(all(unix, feature = "current", feature = "wait-until"))]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may panic")]

extern crate lambda_runtime_blocking as lambda_runtime;

#[path = "../../executor-tokio/tests/invocation/current.rs"]
mod current;
#[path = "../../executor-tokio/tests/invocation/work.rs"]
mod work;

use std::future::Future;
use std::time::Duration;

use lambda_runtime_blocking::{Blocking, Executor as _, Spawn as _, block_on};

fn spawn<F: Future<Output: Send> + Send + 'static>(future: F) -> impl Future<Output = F::Output> {
    let task = Blocking.spawn(future);
    async { task.await.unwrap() }
}

async fn sleep(duration: Duration) {
    Blocking.sleep(duration).await;
}

#[test]
fn outside_of_lambda_there_is_no_metadata() {
    assert_eq!(lambda_runtime_blocking::metadata().unwrap().availability_zone_id, None);
}
