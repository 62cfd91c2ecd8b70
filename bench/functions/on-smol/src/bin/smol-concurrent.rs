use lambda_runtime_smol::{Error, LambdaEvent, run_concurrent, service_fn};
use serde_json::Value;

fn main() -> Result<(), Error> {
    smol::block_on(run_concurrent(service_fn(echo)))
}

async fn echo(event: LambdaEvent<Value>) -> Result<Value, Error> {
    Ok(event.payload)
}
