//! A use of every public item of `lambda_runtime` 1.5, in the shapes in which functions use them.
//!
//! It is the same text for every executor, for the façade and for the original, and holds for each of them: what
//! compiles here compiles after the change of one line in `Cargo.toml`. What is in a closure is only compiled.

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

/// As an event's type it is only decoded.
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
