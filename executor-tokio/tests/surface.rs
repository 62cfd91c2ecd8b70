//! The public API: everything that `lambda_runtime` has, and the additions.
//!
//! Run it with `--all-features`.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

extern crate lambda_runtime_tokio as lambda_runtime;

/// `run` is a future.
macro_rules! wait {
    ($run:expr) => {
        $run.await
    };
}

#[path = "surface/beyond.rs"]
mod beyond;
#[path = "surface/items/mod.rs"]
mod items;

use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use lambda_runtime_tokio::layers::DeadlineLayer;
use lambda_runtime_tokio::{Error, LambdaEvent, Runtime, Tokio as Named, run, run_concurrent, service_fn};
use serde_json::Value;

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

async fn echo(event: LambdaEvent<Value>) -> Result<Value, Error> {
    Ok(event.payload)
}

#[test]
fn run_can_be_spawned() {
    let _ = || tokio::spawn(run(service_fn(echo)));
    let _ = || tokio::spawn(run_concurrent(service_fn(echo)));
    let _ = || tokio::spawn(Runtime::new(service_fn(echo)).layer(DeadlineLayer::new(Duration::ZERO)).run());
}

#[test]
fn run_can_be_spawned_on_one_thread() {
    let _ = || {
        let local = tokio::task::LocalSet::new();
        let shared = Rc::new(());
        local.spawn_local(run(service_fn(move |event: LambdaEvent<Value>| {
            let _ = &shared;
            echo(event)
        })));
    };
}
