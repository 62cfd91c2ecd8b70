//! The availability zone of the execution environment, to prefer replicas in the same zone. It is requested once, and again
//! after a SnapStart restore, which may be in another zone.
//!
//!     cargo emulate --event '{}' -- cargo run -q -p examples --bin metadata-smol

use lambda_runtime_smol::{Error, LambdaEvent, metadata, run, service_fn};
use serde_json::{Value, json};

fn main() -> Result<(), Error> {
    smol::block_on(async {
        let zone = metadata().await?.availability_zone_id;
        println!("initialised in {}", zone.as_deref().unwrap_or("no known zone"));
        run(service_fn(handler)).await
    })
}

async fn handler(_event: LambdaEvent<Value>) -> Result<Value, Error> {
    Ok(json!({ "zone": metadata().await?.availability_zone_id }))
}
