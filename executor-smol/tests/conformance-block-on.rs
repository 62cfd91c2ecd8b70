//! The conformance suite under the crate's own `block_on`.

use std::process::ExitCode;

use conformance::{Dimension, Function, handle};
use lambda_runtime_smol::{Error, Runtime, block_on, run, service_fn};

fn main() -> ExitCode {
    conformance::main(&Dimension::ALL, start)
}

fn start(dimension: Dimension, function: Function) -> Result<(), Error> {
    let layer = function.layer(|task| smol::spawn(task).detach());
    let runtime = Runtime::new(service_fn(handle)).layer(layer).address(function.address());
    block_on(async {
        match dimension {
            Dimension::Runtime => function.drive(runtime.run()).await,
            Dimension::Pipelining => function.drive(runtime.pipelining(true).run()).await,
            Dimension::Run => function.drive(run(service_fn(handle))).await,
            Dimension::RunConcurrent => function.drive(runtime.run_concurrent()).await,
            Dimension::RunConcurrentLocal => function.drive(runtime.run_concurrent_local()).await,
        }
    })
}
