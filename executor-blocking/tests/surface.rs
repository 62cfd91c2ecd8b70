//! The public API: everything that `lambda_runtime` has, and the additions.
//!
//! Run it with `--all-features`. Tests that spawn `run` are missing, because it is not async here.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

extern crate lambda_runtime_blocking as lambda_runtime;

/// `run` is an ordinary function.
macro_rules! wait {
    ($run:expr) => {
        $run
    };
}

#[path = "../../executor-tokio/tests/surface/beyond.rs"]
mod beyond;
#[path = "../../executor-tokio/tests/surface/items/mod.rs"]
mod items;

use lambda_runtime_blocking::{Blocking as Named, Error, LambdaEvent, Runtime, block_on, run, run_concurrent, sync_fn};
use serde_json::Value;

async fn echo(event: LambdaEvent<Value>) -> Result<Value, Error> {
    Ok(event.payload)
}

#[test]
fn plain_functions_and_closures_are_handlers() {
    fn plain(event: LambdaEvent<Value>) -> Result<Value, Error> {
        Ok(event.payload)
    }

    let _ = || run(sync_fn(plain));
    let _ = || run_concurrent(sync_fn(plain));
    let mut count = 0;
    let _ = || {
        run(sync_fn(|event: LambdaEvent<u32>| -> Result<u32, Error> {
            count += event.payload;
            Ok(count)
        }))
    };
}

#[test]
fn the_future_of_a_runtime_is_send_if_the_handler_is() {
    fn is_send<T: Send>(value: T) -> T {
        value
    }

    let _ = || {
        std::thread::spawn(move || {
            block_on(is_send(Runtime::new(sync_fn(|_: LambdaEvent<()>| Ok::<_, Error>(()))).run()))
        })
    };
}
