//! A large event that is not copied: what it is decoded into borrows from its bytes, and a part of it that is only
//! passed on is not decoded at all.
//!
//!     cargo emulate --event '{"customer":"Ann","details":{"item": "pear"}}' -- \
//!         cargo run -q -p examples --bin borrowed-tokio

use std::borrow::Cow;

use lambda_runtime_tokio::{Error, LambdaEvent, RawEvent, RawResponse, run, service_fn};
use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct Order<'e> {
    // Borrowed, but for a text with an escape in it.
    #[serde(borrow)]
    customer: Cow<'e, str>,
    #[serde(borrow)]
    details: &'e RawValue,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run(service_fn(handler)).await
}

async fn handler(event: LambdaEvent<RawEvent>) -> Result<RawResponse, Error> {
    let order: Order<'_> = event.payload.json()?;
    eprintln!("{} ordered", order.customer);
    Ok(RawResponse::new("application/json".parse()?, order.details.get().to_owned()))
}
