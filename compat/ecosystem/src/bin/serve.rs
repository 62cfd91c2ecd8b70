//! Serves the application in one of the ways that there are: `serve WAY`.

use ecosystem::{collected, router};
use lambda_http::lambda_runtime::layers::TracingLayer;
use lambda_http::{
    Adapter, Error, StreamAdapter, run, run_concurrent, run_with_streaming_response,
    run_with_streaming_response_concurrent, runtime, runtime_concurrent, streaming_runtime,
    streaming_runtime_concurrent,
};

fn main() -> Result<(), Error> {
    let way = std::env::args().nth(1).unwrap_or_default();
    if let Some(way) = way.strip_prefix("smol::") {
        return smol::block_on(on_smol(way));
    }
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?.block_on(on_tokio(&way))
}

async fn on_tokio(way: &str) -> Result<(), Error> {
    match way {
        "run" => run(router()).await,
        "run_concurrent" => run_concurrent(collected()).await,
        "run_with_streaming_response" => run_with_streaming_response(router()).await,
        "run_with_streaming_response_concurrent" => run_with_streaming_response_concurrent(router()).await,
        "runtime" => runtime(collected()).layer(TracingLayer::new()).run().await,
        "runtime_concurrent" => runtime_concurrent(collected()).run_concurrent().await,
        "streaming_runtime" => streaming_runtime(router()).layer(TracingLayer::new()).run().await,
        "streaming_runtime_concurrent" => streaming_runtime_concurrent(router()).run_concurrent().await,
        _ => Err(format!("there is no way {way:?}").into()),
    }
}

/// Without `run` of `lambda_http`, which is tokio's, and without a tokio runtime.
async fn on_smol(way: &str) -> Result<(), Error> {
    use lambda_runtime_smol::{Runtime, run, run_concurrent};
    match way {
        "run" => run(Adapter::from(router())).await,
        "run_concurrent" => run_concurrent(Adapter::from(collected())).await,
        "run_concurrent_local" => Runtime::new(Adapter::from(router())).run_concurrent_local().await,
        "run_with_streaming_response" => run(StreamAdapter::from(router())).await,
        "run_with_streaming_response_concurrent_local" => {
            Runtime::new(StreamAdapter::from(router())).run_concurrent_local().await
        }
        _ => Err(format!("there is no way {way:?}").into()),
    }
}
