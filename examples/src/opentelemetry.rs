//! OpenTelemetry: one span per invocation, exported before Lambda can freeze the process. Another exporter would send the
//! spans to a collector instead of printing them.

use std::collections::HashMap;

use lambda_runtime_base::layers::{OpenTelemetryFaasTrigger, OpenTelemetryLayer};
use lambda_runtime_base::tracing::level_filters::LevelFilter;
use lambda_runtime_base::tracing::subscriber::layer::SubscriberExt as _;
use lambda_runtime_base::tracing::subscriber::registry;
use lambda_runtime_base::tracing::subscriber::util::SubscriberInitExt as _;
use lambda_runtime_base::tracing::{Span, info_span};
use lambda_runtime_base::{Error, LambdaEvent};
use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use opentelemetry_stdout::SpanExporter;
use serde_json::{Value, json};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// Sets the subscriber, and returns the layer that flushes its spans.
pub fn layer() -> OpenTelemetryLayer<impl Fn() + Clone> {
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(SpanExporter::default())
        // By default, spans whose parent is not sampled are not exported.
        .with_sampler(Sampler::AlwaysOn)
        .build();
    let spans = tracing_opentelemetry::layer().with_tracer(provider.tracer("the-function"));
    // At DEBUG the event itself would be exported.
    registry().with(LevelFilter::INFO).with(spans).init();

    // Runs after the response has been sent, so that the caller does not wait for it.
    let flush = move || {
        if let Err(error) = provider.force_flush() {
            eprintln!("spans were lost: {error}");
        }
    };
    // Continues the trace of the caller.
    let set_parent = |span: &Span, traceparent: &str| {
        let headers = HashMap::from([("traceparent".to_owned(), traceparent.to_owned())]);
        let _ = span.set_parent(TraceContextPropagator::new().extract(&headers));
    };
    OpenTelemetryLayer::new(flush).with_trigger(OpenTelemetryFaasTrigger::Http).with_parent(set_parent)
}

pub async fn handler(event: LambdaEvent<Value>) -> Result<Value, Error> {
    // A child of the invocation's span.
    let greeting = info_span!("greet", name = %event.payload["name"]).in_scope(|| "hello");
    Ok(json!({ "greeting": greeting }))
}
