use lambda_runtime_blocking::{Error, LambdaEvent, run, sync_fn};
use typed::{Order, handle};

fn main() -> Result<(), Error> {
    run(sync_fn(|event: LambdaEvent<Order>| -> Result<Order, Error> { Ok(handle(event.payload)) }))
}
