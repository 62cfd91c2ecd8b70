//! The scenarios that every executor must pass, on a stream of `futures-io`.

use executor_futures_io::async_net;
use lambda_runtime_base::{Address, Runtime, service_fn};

fn main() {
    conformance::run_all("futures-io", start);
}

fn start(address: Address) -> Result<(), String> {
    let runtime = Runtime::with_executor(service_fn(conformance::handle), async_net::executor())
        .layer(conformance::Meddling)
        .address(address);
    async_io::block_on(runtime.run()).map_err(|error| error.to_string())
}
