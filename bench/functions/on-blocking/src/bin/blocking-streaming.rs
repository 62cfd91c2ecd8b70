use chunks::Chunks;
use lambda_runtime_blocking::{Error, LambdaEvent, StreamResponse, run, sync_fn};

fn main() -> Result<(), Error> {
    run(sync_fn(stream))
}

fn stream(event: LambdaEvent<(usize, usize)>) -> Result<StreamResponse<Chunks>, Error> {
    Ok(Chunks::new(event.payload).into())
}
