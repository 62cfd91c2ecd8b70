//! A long stream takes little memory, on smol.

use lambda_runtime_smol::{Address, Runtime, service_fn};

#[test]
#[cfg(target_os = "linux")]
fn a_gibibyte_is_streamed_in_bounded_memory() {
    conformance::a_gibibyte_is_streamed_in_bounded_memory(start);
}

fn start(address: Address) -> Result<(), String> {
    let runtime = Runtime::new(service_fn(conformance::handle)).address(address);
    smol::block_on(runtime.run()).map_err(|error| error.to_string())
}
