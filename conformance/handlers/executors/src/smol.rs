//! The handler of the conformance suite on smol.

use conformance::{FailingHooks, handle, initialization};
use lambda_runtime_smol::{Error, Runtime, initialize, service_fn};

fn main() -> Result<(), Error> {
    smol::block_on(async {
        initialize(initialization()).await?;
        let runtime = Runtime::new(service_fn(handle)).register_snapstart_resource(FailingHooks::from_environment());
        runtime.run_concurrent().await
    })
}
