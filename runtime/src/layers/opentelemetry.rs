//! A span around each invocation with OpenTelemetry's attributes for functions.
//!
//! Each item repeats the module's `doc(cfg)`, because the documentation of crates that re-export it shows only its own.

use std::borrow::Cow;
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
/// a function after the response has been acknowledged and the span is closed: to flush spans before Lambda freezes the
/// process.
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
    set_parent: Option<SetParent>,
}

/// Sets the parent of a span from a `traceparent`.
type SetParent = fn(&Span, &str);

impl<F: Fn() + Clone> OpenTelemetryLayer<F> {
    /// A layer that flushes by `flush_fn`.
    pub fn new(flush_fn: F) -> Self {
        Self { flush_fn, trigger: OpenTelemetryFaasTrigger::default(), set_parent: None }
    }

    /// Sets the attribute `faas.trigger`.
    pub fn with_trigger(self, trigger: OpenTelemetryFaasTrigger) -> Self {
        Self { trigger, ..self }
    }

    /// Sets the parent of each invocation's span: `set_parent` receives the span and a
    /// [`traceparent`](https://www.w3.org/TR/trace-context/#traceparent-header), that of the invocation if Lambda sends one,
    /// otherwise the X-Ray trace in the same form. It is not called without either.
    ///
    /// This crate does not depend on OpenTelemetry, so the conversion is the function's:
    ///
    /// ```text
    /// layer.with_parent(|span, traceparent| {
    ///     let headers = HashMap::from([("traceparent".to_owned(), traceparent.to_owned())]);
    ///     let _ = span.set_parent(TraceContextPropagator::new().extract(&headers));
    /// })
    /// ```
    pub fn with_parent(self, set_parent: fn(&Span, &str)) -> Self {
        Self { set_parent: Some(set_parent), ..self }
    }
}

impl<S, F: Fn() + Clone> Layer<S> for OpenTelemetryLayer<F> {
    type Service = OpenTelemetryService<S, F>;

    fn layer(&self, inner: S) -> Self::Service {
        OpenTelemetryService {
            inner,
            flush_fn: self.flush_fn.clone(),
            trigger: self.trigger,
            set_parent: self.set_parent,
            coldstart: true,
        }
    }
}

/// The service of [`OpenTelemetryLayer`].
#[cfg(feature = "opentelemetry")]
#[derive(Debug, Clone)]
pub struct OpenTelemetryService<S, F> {
    inner: S,
    flush_fn: F,
    trigger: OpenTelemetryFaasTrigger,
    set_parent: Option<SetParent>,
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
        if let Some(set_parent) = self.set_parent
            && let Some(traceparent) = traceparent(&invocation)
        {
            set_parent(&span, &traceparent);
        }
        self.coldstart = false;
        let inner = span.in_scope(|| self.inner.call(invocation));
        OpenTelemetryFuture { inner: Some(inner), span: Some(span), flush_fn: self.flush_fn.clone() }
    }
}

/// The invocation's trace in W3C's form.
fn traceparent(invocation: &LambdaInvocation) -> Option<Cow<'_, str>> {
    let context = &invocation.context;
    let sent = context.other_headers.get("lambda-runtime-traceparent").map(String::as_str);
    let sent = sent.or_else(|| invocation.parts.headers.get("traceparent")?.to_str().ok());
    sent.map(Cow::Borrowed).or_else(|| Some(from_xray(context.xray_trace_id.as_deref()?)?.into()))
}

/// `Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1` as
/// `00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01`. `None` for a trace without a parent.
fn from_xray(trace_id: &str) -> Option<String> {
    let field = |name: &str| {
        let mut fields = trace_id.split(';').filter_map(|field| field.trim().split_once('='));
        fields.find(|(known, _)| *known == name).map(|(_, value)| value)
    };
    let is_hex = |text: &str, length: usize| {
        text.len() == length && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let (time, unique) = field("Root")?.strip_prefix("1-")?.split_once('-')?;
    let parent = field("Parent")?;
    let sampled = if field("Sampled") == Some("1") { "01" } else { "00" };
    let is_valid = is_hex(time, 8) && is_hex(unique, 24) && is_hex(parent, 16);
    is_valid.then(|| format!("00-{time}{unique}-{parent}-{sampled}"))
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
        // A future that is polled after its completion may never return.
        let Some(inner) = this.inner.as_mut().as_pin_mut() else { return Poll::Pending };
        let output = ready!(inner.poll(cx));
        drop(entered);
        // Close the span, and everything that refers to it, so that the flush includes it.
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

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use bytes::Bytes;
    use tower::service_fn;

    use super::*;
    use crate::error::Error;
    use crate::invocation::context;

    const XRAY: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";

    fn invocation(headers: &[(&str, &str)], other: Option<&str>, xray: Option<&str>) -> LambdaInvocation {
        let (mut parts, ()) = http::Response::new(()).into_parts();
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        parts.headers = headers.collect::<http::HeaderMap>();
        let other = other.map(|value| ("lambda-runtime-traceparent".to_owned(), value.to_owned()));
        let context = context::Context {
            other_headers: other.into_iter().collect(),
            xray_trace_id: xray.map(str::to_owned),
            ..context::Context::default()
        };
        LambdaInvocation { parts, body: Bytes::new(), context }
    }

    #[test]
    fn an_xray_trace_is_converted_and_one_of_another_form_is_not() {
        let traceparent = |sampled| Some(format!("00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-{sampled}"));
        assert_eq!(from_xray(XRAY), traceparent("01"));
        assert_eq!(from_xray(&XRAY.replace("Sampled=1", "Sampled=0")), traceparent("00"));
        assert_eq!(from_xray(&format!("Self=x; {}", XRAY.replace(";Sampled=1", ";Lineage=a:0"))), traceparent("00"));
        for other in ["", "Root=1", "Root=1-5759e988-bd86", &XRAY.replace("5759", "575G"), &XRAY.replace("Parent", "P")]
        {
            assert_eq!(from_xray(other), None, "{other}");
        }
    }

    #[test]
    fn lambdas_parent_takes_precedence_over_that_of_xray() {
        static PARENTS: Mutex<Vec<String>> = Mutex::new(Vec::new());
        let layer = OpenTelemetryLayer::new(|| ()).with_parent(|_, parent| PARENTS.lock().unwrap().push(parent.into()));
        let mut service = layer.layer(service_fn(async |_: LambdaInvocation| Ok::<_, Error>(())));
        for invocation in [
            invocation(&[("traceparent", "plain")], Some("other"), Some(XRAY)),
            invocation(&[("traceparent", "plain")], None, Some(XRAY)),
            invocation(&[], None, Some(XRAY)),
            invocation(&[], None, None),
        ] {
            drop(service.call(invocation));
        }
        let xray = "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01";
        assert_eq!(*PARENTS.lock().unwrap(), ["other", "plain", xray]);
    }
}
