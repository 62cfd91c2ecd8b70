//! The handler of the conformance suite on blocking sockets.

use conformance::{FailingHooks, handle, initialization};
use lambda_runtime_blocking::{Error, Runtime, block_on, initialize, service_fn};

fn main() -> Result<(), Error> {
    initialize(|| block_on(initialization()))?;
    let runtime = Runtime::new(service_fn(handle)).register_snapstart_resource(FailingHooks::from_environment());
    block_on(runtime.run_concurrent())
}
