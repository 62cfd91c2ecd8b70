//! The handler of the conformance suite on tokio.

use conformance::{FailingHooks, handle, initialization};
use lambda_runtime_tokio::{Error, Runtime, initialize, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    initialize(initialization()).await?;
    Runtime::new(service_fn(handle))
        .register_snapstart_resource(FailingHooks::from_environment())
        .run_concurrent()
        .await
}
