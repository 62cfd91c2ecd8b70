use lambda_runtime_blocking::{Error, LambdaEvent, run, sync_fn};
use serde_json::Value;

fn main() -> Result<(), Error> {
    run(sync_fn(echo))
}

fn echo(event: LambdaEvent<Value>) -> Result<Value, Error> {
    Ok(event.payload)
}
