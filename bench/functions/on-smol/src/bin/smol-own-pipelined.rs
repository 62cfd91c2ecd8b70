use lambda_runtime_smol::{Error, LambdaEvent, Runtime, service_fn};
use serde_json::Value;

fn main() -> Result<(), Error> {
    lambda_runtime_smol::block_on(Runtime::new(service_fn(echo)).pipelining(true).run())
}

async fn echo(event: LambdaEvent<Value>) -> Result<Value, Error> {
    Ok(event.payload)
}
