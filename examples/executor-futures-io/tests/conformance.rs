//! The conformance suite on a stream of `futures-io`.

use std::process::ExitCode;

use conformance::{Dimension, Function, handle};
use executor_futures_io::async_net;
use lambda_runtime_base::{Error, Runtime, service_fn};

fn main() -> ExitCode {
    conformance::main(&[Dimension::Runtime, Dimension::Pipelining, Dimension::RunConcurrentLocal], start)
}

fn start(dimension: Dimension, function: Function) -> Result<(), Error> {
    let layer = function.layer(|task| drop(std::thread::spawn(|| async_io::block_on(task))));
    let runtime =
        Runtime::with_executor(service_fn(handle), async_net::executor()).layer(layer).address(function.address());
    async_io::block_on(async {
        match dimension {
            Dimension::Runtime => function.drive(runtime.run()).await,
            Dimension::Pipelining => function.drive(runtime.pipelining(true).run()).await,
            Dimension::Run => unreachable!("this executor has no function run"),
            Dimension::RunConcurrent => unreachable!("the executor cannot spawn tasks"),
            Dimension::RunConcurrentLocal => function.drive(runtime.run_concurrent_local()).await,
        }
    })
}
