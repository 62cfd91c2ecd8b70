//! The conformance suite on tokio.

use std::process::ExitCode;

use conformance::{Dimension, Function, handle};
use lambda_runtime_tokio::{Error, Runtime, run, service_fn};

fn main() -> ExitCode {
    conformance::main(&Dimension::ALL, start)
}

fn start(dimension: Dimension, function: Function) -> Result<(), Error> {
    let layer = function.layer(|task| drop(tokio::spawn(task)));
    let runtime = Runtime::new(service_fn(handle)).layer(layer).address(function.address());
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        match dimension {
            Dimension::Runtime => function.drive(runtime.run()).await,
            Dimension::Pipelining => function.drive(runtime.pipelining(true).run()).await,
            Dimension::Run => function.drive(run(service_fn(handle))).await,
            Dimension::RunConcurrent => function.drive(runtime.run_concurrent()).await,
            Dimension::RunConcurrentLocal => function.drive(runtime.run_concurrent_local()).await,
        }
    })
}
