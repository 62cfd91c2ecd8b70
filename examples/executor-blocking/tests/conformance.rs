//! The scenarios that every executor must pass, on threads that block.

use executor_blocking::{Blocking, block_on};
use lambda_runtime_base::{Address, Runtime, service_fn};

fn main() {
    conformance::run_all("blocking", start);
}

fn start(address: Address) -> Result<(), String> {
    let runtime =
        Runtime::<_, Blocking>::new(service_fn(conformance::handle)).layer(conformance::Meddling).address(address);
    block_on(runtime.run()).map_err(|error| error.to_string())?.map_err(|error| error.to_string())
}
