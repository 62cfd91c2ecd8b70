use lambda_runtime_blocking::{Error, LambdaEvent, Runtime, block_on, sync_fn};
use serde_json::Value;

fn main() -> Result<(), Error> {
    block_on(Runtime::new(sync_fn(echo)).pipelining(true).run())
}

fn echo(event: LambdaEvent<Value>) -> Result<Value, Error> {
    Ok(event.payload)
}
