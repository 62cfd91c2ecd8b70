//! The scenarios that every executor must pass, on smol.

use lambda_runtime_smol::{Address, Runtime, service_fn};

fn main() {
    conformance::run_all("smol", start);
}

fn start(address: Address) -> Result<(), String> {
    let runtime = Runtime::new(service_fn(conformance::handle)).layer(conformance::Meddling).address(address);
    smol::block_on(runtime.run()).map_err(|error| error.to_string())
}
