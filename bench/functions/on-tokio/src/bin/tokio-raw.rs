use lambda_runtime_tokio::{Error, LambdaEvent, RawEvent, RawResponse, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run(service_fn(echo)).await
}

async fn echo(event: LambdaEvent<RawEvent>) -> Result<RawResponse, Error> {
    Ok(RawResponse::new("application/json".parse()?, event.payload.0))
}
