use chunks::Chunks;
use lambda_runtime_smol::{Error, LambdaEvent, StreamResponse, run, service_fn};

fn main() -> Result<(), Error> {
    smol::block_on(run(service_fn(stream)))
}

async fn stream(event: LambdaEvent<(usize, usize)>) -> Result<StreamResponse<Chunks>, Error> {
    Ok(Chunks::new(event.payload).into())
}
