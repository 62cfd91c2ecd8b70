use chunks::Chunks;
use lambda_runtime_tokio::{Error, LambdaEvent, StreamResponse, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run(service_fn(stream)).await
}

async fn stream(event: LambdaEvent<(usize, usize)>) -> Result<StreamResponse<Chunks>, Error> {
    Ok(Chunks::new(event.payload).into())
}
