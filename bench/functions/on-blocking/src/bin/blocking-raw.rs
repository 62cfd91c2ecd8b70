use lambda_runtime_blocking::{Error, LambdaEvent, RawEvent, RawResponse, run, sync_fn};

fn main() -> Result<(), Error> {
    run(sync_fn(echo))
}

fn echo(event: LambdaEvent<RawEvent>) -> Result<RawResponse, Error> {
    Ok(RawResponse::new("application/json".parse()?, event.payload.0))
}
