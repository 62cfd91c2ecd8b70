//! OpenTelemetry: a span for each invocation, exported before Lambda can freeze the process. Here spans go to stdout; a
//! collector gets them by another exporter.
//!
//!     cargo emulate --event '{"name":"World"}' -- cargo run -q -p examples --bin opentelemetry-tokio

use lambda_runtime_tokio::layers::{OpenTelemetryFaasTrigger, OpenTelemetryLayer};
use lambda_runtime_tokio::tracing::info_span;
use lambda_runtime_tokio::tracing::level_filters::LevelFilter;
use lambda_runtime_tokio::tracing::subscriber::layer::SubscriberExt as _;
use lambda_runtime_tokio::tracing::subscriber::registry;
use lambda_runtime_tokio::tracing::subscriber::util::SubscriberInitExt as _;
use lambda_runtime_tokio::{Error, LambdaEvent, Runtime, service_fn};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::trace::SdkTracerProvider;
use opentelemetry_stdout::SpanExporter;
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let provider = SdkTracerProvider::builder().with_batch_exporter(SpanExporter::default()).build();
    let spans = tracing_opentelemetry::layer().with_tracer(provider.tracer("the-function"));
    // Below that, the event itself would go with the span.
    registry().with(LevelFilter::INFO).with(spans).init();

    // Called when the response is out, so the caller does not wait for it.
    let flush = move || {
        if let Err(error) = provider.force_flush() {
            eprintln!("the spans are lost: {error}");
        }
    };
    let layer = OpenTelemetryLayer::new(flush).with_trigger(OpenTelemetryFaasTrigger::Http);
    Runtime::new(service_fn(handler)).layer(layer).run().await
}

async fn handler(event: LambdaEvent<Value>) -> Result<Value, Error> {
    // A span of one's own, within that of the invocation.
    let greeting = info_span!("greet", name = %event.payload["name"]).in_scope(|| "hello");
    Ok(json!({ "greeting": greeting }))
}
