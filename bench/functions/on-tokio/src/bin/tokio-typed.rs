use lambda_runtime_tokio::{Error, LambdaEvent, run, service_fn};
use typed::{Order, handle};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run(service_fn(async |event: LambdaEvent<Order>| Ok::<_, Error>(handle(event.payload)))).await
}
