//! Uses every public item of `lambda_runtime` 1.5, in the ways in which functions use them.
//!
//! The tests of every executor, of the façade and of the original include this module: code that compiles here keeps
//! compiling after the change of one line in `Cargo.toml`. Code in closures is compiled but not run.
//!
//! `run` is called through `wait!`, which each test crate defines: it is a future, except on blocking sockets.

#[cfg(feature = "concurrency-tokio")]
mod concurrency;
mod context;
mod errors;
mod glob;
mod handlers;
#[cfg(feature = "opentelemetry")]
mod opentelemetry;
mod responses;
pub(crate) mod runtime;
#[cfg(all(unix, feature = "graceful-shutdown"))]
mod shutdown;
mod streams;
#[cfg(feature = "tracing")]
mod tracing;
mod traits;

use lambda_runtime::{Error, LambdaEvent};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Derives `Deserialize` alone, as the type of an event may.
#[derive(Deserialize)]
struct Order {
    count: u32,
}

#[derive(Serialize)]
struct Receipt {
    price: u32,
}

async fn echo(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let (payload, _context) = event.into_parts();
    Ok(payload)
}

async fn sell(event: LambdaEvent<Order>) -> Result<Receipt, Error> {
    Ok(Receipt { price: event.payload.count })
}

fn is_send<T: Send>(value: T) -> T {
    value
}
