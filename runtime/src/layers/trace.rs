//! A span around each invocation.

use std::task::{Context, Poll};

use tower::{Layer, Service};
use tracing::instrument::Instrumented;
use tracing::{Instrument as _, Span};

use crate::error::Error;
use crate::invocation::context;
use crate::invocation::event::LambdaInvocation;

/// Handles each invocation in the span of [`request_span`].
#[derive(Debug, Default, Clone)]
pub struct TracingLayer {}

impl TracingLayer {
    /// Creates the layer. It has no options.
    pub fn new() -> Self {
        Self::default()
    }
}

impl<S> Layer<S> for TracingLayer {
    type Service = TracingService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        TracingService { inner }
    }
}

/// The service of [`TracingLayer`].
#[derive(Debug, Clone)]
pub struct TracingService<S> {
    inner: S,
}

impl<S> Service<LambdaInvocation> for TracingService<S>
where
    S: Service<LambdaInvocation, Response = (), Error = Error>,
{
    type Response = ();
    type Error = Error;
    type Future = Instrumented<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, invocation: LambdaInvocation) -> Self::Future {
        let span = request_span(&invocation.context);
        // Makes it the parent of spans that the inner services open.
        let future = {
            let _entered = span.enter();
            self.inner.call(invocation)
        };
        future.instrument(span)
    }
}

/// The span of an invocation: its request id and, if the API sent them, its X-Ray trace id and tenant id.
pub fn request_span(context: &context::Context) -> Span {
    let span = tracing::info_span!(
        target: "lambda_runtime",
        "Lambda runtime invoke",
        requestId = context.request_id,
        xrayTraceId = tracing::field::Empty,
        tenantId = tracing::field::Empty
    );
    if let Some(trace_id) = &context.xray_trace_id {
        span.record("xrayTraceId", trace_id);
    }
    if let Some(tenant_id) = &context.tenant_id {
        span.record("tenantId", tenant_id);
    }
    span
}
