//! The availability zone of the execution environment, to prefer replicas in the same zone. It is requested once, and again
//! after a SnapStart restore, which may be in another zone.
//!
//!     cargo emulate --event '{}' -- cargo run -q -p examples --bin metadata-blocking

use lambda_runtime_blocking::{Error, LambdaEvent, metadata, run, sync_fn};
use serde_json::{Value, json};

fn main() -> Result<(), Error> {
    let zone = metadata()?.availability_zone_id;
    println!("initialised in {}", zone.as_deref().unwrap_or("no known zone"));
    run(sync_fn(handler))
}

fn handler(_event: LambdaEvent<Value>) -> Result<Value, Error> {
    Ok(json!({ "zone": metadata()?.availability_zone_id }))
}
