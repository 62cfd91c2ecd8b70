//! The conformance suite on blocking threads.

use std::process::ExitCode;

use conformance::{Dimension, Function, handle};
use executor_blocking::{Blocking, block_on};
use lambda_runtime_base::{Error, Runtime, Spawn as _, service_fn};

fn main() -> ExitCode {
    conformance::main(
        &[Dimension::Runtime, Dimension::Pipelining, Dimension::RunConcurrent, Dimension::RunConcurrentLocal],
        start,
    )
}

fn start(dimension: Dimension, function: Function) -> Result<(), Error> {
    let layer = function.layer(|task| drop(Blocking.spawn(task)));
    let runtime = Runtime::<_, Blocking>::new(service_fn(handle)).layer(layer).address(function.address());
    block_on(async {
        match dimension {
            Dimension::Runtime => function.drive(runtime.run()).await,
            Dimension::Run => unreachable!("there is no free function run"),
            Dimension::Pipelining => function.drive(runtime.pipelining(true).run()).await,
            Dimension::RunConcurrent => function.drive(runtime.run_concurrent()).await,
            Dimension::RunConcurrentLocal => function.drive(runtime.run_concurrent_local()).await,
        }
    })?
}
