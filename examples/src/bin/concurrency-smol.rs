//! Many invocations at once, as Lambda Managed Instances have them: each waits, and they wait together. It can fail
//! midway in a streamed response, too.
//!
//!     cargo emulate --concurrency 8 -- cargo run -q -p examples --bin concurrency-smol

use std::time::Duration;

use lambda_runtime_smol::streaming::{Body, channel};
use lambda_runtime_smol::{Error, FunctionResponse, LambdaEvent, StreamResponse, run_concurrent, service_fn};
use serde_json::{Value, json};

fn main() -> Result<(), Error> {
    smol::block_on(run_concurrent(service_fn(handler)))
}

async fn handler(event: LambdaEvent<Value>) -> Result<FunctionResponse<Value, Body>, Error> {
    match event.payload["do"].as_str() {
        Some("error") => return Err("asked to fail".into()),
        Some("panic") => panic!("asked to panic"),
        Some("stream") => {
            let (mut sender, body) = channel();
            std::thread::spawn(move || {
                while sender.try_send_data("some words".into()).is_err() {}
                if event.payload["fail"] == true {
                    sender.send_error("the source of words ran dry");
                }
            });
            return Ok(FunctionResponse::StreamingResponse(StreamResponse::from(body)));
        }
        _ => {}
    }
    let pause = Duration::from_millis(event.payload["wait_ms"].as_u64().unwrap_or(0));
    smol::Timer::after(pause).await;
    Ok(FunctionResponse::BufferedResponse(json!({ "waited_ms": pause.as_millis(), "event": event.payload })))
}
