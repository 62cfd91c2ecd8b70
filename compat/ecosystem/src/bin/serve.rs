//! Serves the application by one of the functions of `lambda_http`: `serve FUNCTION`.

use ecosystem::{collected, router};
use lambda_http::lambda_runtime::layers::TracingLayer;
use lambda_http::{
    Adapter, Error, StreamAdapter, run, run_concurrent, run_with_streaming_response,
    run_with_streaming_response_concurrent, runtime, runtime_concurrent, streaming_runtime,
    streaming_runtime_concurrent,
};

fn main() -> Result<(), Error> {
    let function = std::env::args().nth(1).unwrap_or_default();
    if let Some(function) = function.strip_prefix("smol::") {
        return smol::block_on(on_smol(function));
    }
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?.block_on(on_tokio(&function))
}

async fn on_tokio(function: &str) -> Result<(), Error> {
    match function {
        "run" => run(router()).await,
        "run_concurrent" => run_concurrent(collected()).await,
        "run_with_streaming_response" => run_with_streaming_response(router()).await,
        "run_with_streaming_response_concurrent" => run_with_streaming_response_concurrent(router()).await,
        "runtime" => runtime(collected()).layer(TracingLayer::new()).run().await,
        "runtime_concurrent" => runtime_concurrent(collected()).run_concurrent().await,
        "streaming_runtime" => streaming_runtime(router()).layer(TracingLayer::new()).run().await,
        "streaming_runtime_concurrent" => streaming_runtime_concurrent(router()).run_concurrent().await,
        _ => Err(format!("unknown function {function:?}").into()),
    }
}

/// Uses the adapters directly, because `lambda_http::run` needs a tokio runtime.
async fn on_smol(function: &str) -> Result<(), Error> {
    use lambda_runtime_smol::{Runtime, run, run_concurrent};
    match function {
        "run" => run(Adapter::from(router())).await,
        "run_concurrent" => run_concurrent(Adapter::from(collected())).await,
        "run_concurrent_local" => Runtime::new(Adapter::from(router())).run_concurrent_local().await,
        "run_with_streaming_response" => run(StreamAdapter::from(router())).await,
        "run_with_streaming_response_concurrent_local" => {
            Runtime::new(StreamAdapter::from(router())).run_concurrent_local().await
        }
        _ => Err(format!("unknown function {function:?}").into()),
    }
}
