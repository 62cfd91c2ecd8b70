//! The scenarios that every executor must pass, on tokio.

use lambda_runtime_tokio::{Address, Runtime, service_fn};

fn main() {
    conformance::run_all("tokio", start);
}

fn start(address: Address) -> Result<(), String> {
    let tokio =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
    let runtime = Runtime::new(service_fn(conformance::handle)).layer(conformance::Meddling).address(address);
    tokio.block_on(runtime.run()).map_err(|error| error.to_string())
}
