//! What the shared scenarios do not show: addresses, and the memory that a long stream takes, on tokio.

use lambda_runtime_tokio::{Address, Runtime, service_fn};

#[test]
fn every_form_of_address_is_reached() {
    conformance::every_form_of_address_is_reached(start);
}

#[test]
#[cfg(target_os = "linux")]
fn a_gibibyte_is_streamed_in_bounded_memory() {
    conformance::a_gibibyte_is_streamed_in_bounded_memory(start);
}

fn start(address: Address) -> Result<(), String> {
    let tokio =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
    let runtime = Runtime::new(service_fn(conformance::handle)).address(address);
    tokio.block_on(runtime.run()).map_err(|error| error.to_string())
}
