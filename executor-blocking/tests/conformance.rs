//! The conformance suite on blocking sockets.

use std::process::ExitCode;

use conformance::{Dimension, Function, handle};
use lambda_runtime_blocking::{Error, Runtime, block_on, run, service_fn};

fn main() -> ExitCode {
    conformance::main(&Dimension::ALL, start)
}

fn start(dimension: Dimension, function: Function) -> Result<(), Error> {
    let layer = function.layer(|task| drop(std::thread::spawn(|| block_on(task))));
    let runtime = Runtime::new(service_fn(handle)).layer(layer).address(function.address());
    match dimension {
        Dimension::Runtime => block_on(function.drive(runtime.run())),
        Dimension::Pipelining => block_on(function.drive(runtime.pipelining(true).run())),
        Dimension::Run => run(service_fn(handle)),
        Dimension::RunConcurrent => block_on(function.drive(runtime.run_concurrent())),
        Dimension::RunConcurrentLocal => block_on(function.drive(runtime.run_concurrent_local())),
    }
}
