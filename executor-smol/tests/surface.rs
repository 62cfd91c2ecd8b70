//! The public API: everything that `lambda_runtime` has, and the additions.
//!
//! Run it with `--all-features`.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

extern crate lambda_runtime_smol as lambda_runtime;

/// `run` is a future.
macro_rules! wait {
    ($run:expr) => {
        $run.await
    };
}

#[path = "../../executor-tokio/tests/surface/beyond.rs"]
mod beyond;
#[path = "../../executor-tokio/tests/surface/items/mod.rs"]
mod items;

use std::rc::Rc;
use std::time::Duration;

use lambda_runtime_smol::layers::DeadlineLayer;
use lambda_runtime_smol::{Error, LambdaEvent, Runtime, Smol as Named, run, run_concurrent, service_fn};
use serde_json::Value;
use smol::block_on;

async fn echo(event: LambdaEvent<Value>) -> Result<Value, Error> {
    Ok(event.payload)
}

#[test]
fn run_can_be_spawned() {
    let _ = || smol::spawn(run(service_fn(echo)));
    let _ = || smol::spawn(run_concurrent(service_fn(echo)));
    let _ = || smol::spawn(Runtime::new(service_fn(echo)).layer(DeadlineLayer::new(Duration::ZERO)).run());
}

#[test]
fn run_can_be_spawned_on_one_thread() {
    let _ = || {
        let local = smol::LocalExecutor::new();
        let shared = Rc::new(());
        local
            .spawn(run(service_fn(move |event: LambdaEvent<Value>| {
                let _ = &shared;
                echo(event)
            })))
            .detach();
    };
}
