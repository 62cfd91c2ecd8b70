//! A function with an internal extension that works after the response, like an exporter of telemetry.
//!
//! The handler returns the event; the extension prints the request id and the trace id of each invocation.

use std::sync::Arc;
use std::time::Duration;

use lambda_extension::{Error, Extension, NextEvent};
use lambda_runtime_tokio::LambdaEvent;
use serde_json::Value;
use tokio::sync::Semaphore;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let handled = Arc::new(Semaphore::new(0));
    let signal = Arc::clone(&handled);
    let flush = lambda_extension::service_fn(move |event: lambda_extension::LambdaEvent| {
        let handled = Arc::clone(&handled);
        async move {
            if let NextEvent::Invoke(invoke) = event.next {
                handled.acquire().await?.forget();
                // Long after the response.
                tokio::time::sleep(Duration::from_millis(500)).await;
                eprintln!("flushed {} {}", invoke.request_id, invoke.tracing.value);
            }
            Ok::<(), Error>(())
        }
    });
    let extension = Extension::new().with_events(&["INVOKE"]).with_events_processor(flush).register().await?;
    let handler = lambda_runtime_tokio::service_fn(move |event: LambdaEvent<Value>| {
        signal.add_permits(1);
        async move { Ok::<Value, Error>(event.payload) }
    });
    tokio::try_join!(extension.run(), lambda_runtime_tokio::run(handler))?;
    Ok(())
}
