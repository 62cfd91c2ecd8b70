use lambda_runtime_smol::{Error, LambdaEvent, RawEvent, RawResponse, run, service_fn};

fn main() -> Result<(), Error> {
    lambda_runtime_smol::block_on(run(service_fn(echo)))
}

async fn echo(event: LambdaEvent<RawEvent>) -> Result<RawResponse, Error> {
    Ok(RawResponse::new("application/json".parse()?, event.payload.0))
}
