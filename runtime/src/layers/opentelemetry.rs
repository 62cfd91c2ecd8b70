//! A span around each invocation with OpenTelemetry's attributes for functions.
//!
//! Each item names the feature, not just the module: only so is it marked in the documentation of the executors' crates.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use tower::{Layer, Service};
use tracing::Span;

use crate::invocation::event::LambdaInvocation;

/// Opens a span for each invocation with the attributes of
/// [OpenTelemetry's conventions for functions](https://opentelemetry.io/docs/specs/semconv/faas/faas-spans/), and calls
/// a function at its end, when the response has gone out and the span is closed: to flush the spans before Lambda
/// freezes the process.
///
/// ```
/// # use lambda_runtime_base::layers::{OpenTelemetryFaasTrigger, OpenTelemetryLayer};
/// # use lambda_runtime_base::{Error, Executor, LambdaEvent, Runtime, service_fn};
/// # async fn handler(event: LambdaEvent<String>) -> Result<String, Error> { Ok(event.payload) }
/// # struct SdkTracerProvider;
/// # impl SdkTracerProvider { fn force_flush(&self) {} }
/// # async fn serve<X: Executor + Default>(provider: SdkTracerProvider) -> Result<(), Error> {
/// let layer = OpenTelemetryLayer::new(|| provider.force_flush()).with_trigger(OpenTelemetryFaasTrigger::Http);
/// Runtime::<_, X>::new(service_fn(handler)).layer(layer).run().await
/// # }
/// ```
#[cfg(feature = "opentelemetry")]
#[derive(Debug, Clone)]
pub struct OpenTelemetryLayer<F> {
    flush_fn: F,
    trigger: OpenTelemetryFaasTrigger,
}

impl<F: Fn() + Clone> OpenTelemetryLayer<F> {
    /// A layer that flushes by `flush_fn`.
    pub fn new(flush_fn: F) -> Self {
        Self { flush_fn, trigger: OpenTelemetryFaasTrigger::default() }
    }

    /// Sets the attribute `faas.trigger`.
    pub fn with_trigger(self, trigger: OpenTelemetryFaasTrigger) -> Self {
        Self { trigger, ..self }
    }
}

impl<S, F: Fn() + Clone> Layer<S> for OpenTelemetryLayer<F> {
    type Service = OpenTelemetryService<S, F>;

    fn layer(&self, inner: S) -> Self::Service {
        OpenTelemetryService { inner, flush_fn: self.flush_fn.clone(), trigger: self.trigger, coldstart: true }
    }
}

/// The service of [`OpenTelemetryLayer`].
#[cfg(feature = "opentelemetry")]
#[derive(Debug, Clone)]
pub struct OpenTelemetryService<S, F> {
    inner: S,
    flush_fn: F,
    trigger: OpenTelemetryFaasTrigger,
    coldstart: bool,
}

impl<S, F> Service<LambdaInvocation> for OpenTelemetryService<S, F>
where
    S: Service<LambdaInvocation, Response = ()>,
    F: Fn() + Clone,
{
    type Response = ();
    type Error = S::Error;
    type Future = OpenTelemetryFuture<S::Future, F>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, invocation: LambdaInvocation) -> Self::Future {
        let context = &invocation.context;
        let span = tracing::info_span!(
            target: "lambda_runtime",
            "Lambda function invocation",
            "otel.name" = context.env_config.function_name,
            "otel.kind" = tracing::field::Empty,
            "faas.name" = context.env_config.function_name,
            "faas.trigger" = %self.trigger,
            "faas.invocation_id" = context.request_id,
            "faas.coldstart" = self.coldstart,
            "tenant_id" = tracing::field::Empty,
        );
        if let Some(tenant_id) = &context.tenant_id {
            span.record("tenant_id", tenant_id);
        }
        self.coldstart = false;
        let inner = span.in_scope(|| self.inner.call(invocation));
        OpenTelemetryFuture { inner: Some(inner), span: Some(span), flush_fn: self.flush_fn.clone() }
    }
}

pin_project! {
    /// The future of [`OpenTelemetryService`].
    #[cfg(feature = "opentelemetry")]
    pub struct OpenTelemetryFuture<Fut, F> {
        #[pin]
        inner: Option<Fut>,
        span: Option<Span>,
        flush_fn: F,
    }
}

impl<Fut: Future, F: Fn()> Future for OpenTelemetryFuture<Fut, F> {
    type Output = Fut::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Fut::Output> {
        let mut this = self.project();
        let entered = this.span.as_ref().map(Span::enter);
        // Polled after its end, a future may wait for ever.
        let Some(inner) = this.inner.as_mut().as_pin_mut() else { return Poll::Pending };
        let output = ready!(inner.poll(cx));
        drop(entered);
        // What is flushed includes this span, so it is closed first, and whatever holds it.
        this.inner.set(None);
        *this.span = None;
        (this.flush_fn)();
        Poll::Ready(output)
    }
}

/// The values of the attribute
/// [`faas.trigger`](https://opentelemetry.io/docs/specs/semconv/registry/attributes/faas/).
#[cfg(feature = "opentelemetry")]
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum OpenTelemetryFaasTrigger {
    /// Something was read or written: in a database, a bucket, a file system.
    #[default]
    Datasource,
    /// An HTTP request.
    Http,
    /// A message in a queue or on a topic.
    PubSub,
    /// A schedule.
    Timer,
    /// Something else.
    Other,
}

impl fmt::Display for OpenTelemetryFaasTrigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            OpenTelemetryFaasTrigger::Datasource => "datasource",
            OpenTelemetryFaasTrigger::Http => "http",
            OpenTelemetryFaasTrigger::PubSub => "pubsub",
            OpenTelemetryFaasTrigger::Timer => "timer",
            OpenTelemetryFaasTrigger::Other => "other",
        })
    }
}
