//! `Runtime`, layers and SnapStart.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context as TaskContext, Poll};

use bytes::Bytes;
use lambda_runtime::layers::{self, TracingLayer};
use lambda_runtime::snapstart::SnapStartResource;
use lambda_runtime::tower::{self, Layer, ServiceBuilder, ServiceExt as _};
use lambda_runtime::{
    BoxFuture, Context, Diagnostic, Error, LambdaEvent, LambdaInvocation, Runtime, Service, service_fn,
};

use super::{Order, Receipt, echo, sell};
use crate::block_on;

pub(crate) fn invocation() -> LambdaInvocation {
    let (parts, ()) = http::Response::new(()).into_parts();
    let mut context = Context::default();
    context.request_id = "id".into();
    context.xray_trace_id = Some("Root=1-2-3".into());
    context.tenant_id = Some("blue".into());
    LambdaInvocation { parts, body: Bytes::from("{}"), context }
}

/// Takes the place of the rest of the runtime in tests of layers.
pub(crate) fn innermost() -> impl Service<LambdaInvocation, Response = (), Error = Error, Future: Send> + Clone {
    service_fn(async |invocation: LambdaInvocation| {
        assert_eq!(invocation.body, "{}");
        Ok::<(), Error>(())
    })
}

/// A custom layer that counts invocations.
#[derive(Clone, Default)]
pub(crate) struct CountLayer(Arc<AtomicUsize>);

#[derive(Clone)]
pub(crate) struct CountService<S> {
    inner: S,
    count: Arc<AtomicUsize>,
}

impl<S> Layer<S> for CountLayer {
    type Service = CountService<S>;

    fn layer(&self, inner: S) -> CountService<S> {
        CountService { inner, count: Arc::clone(&self.0) }
    }
}

impl<S> Service<LambdaInvocation> for CountService<S>
where
    S: Service<LambdaInvocation, Response = (), Error = Error>,
    S::Future: Send + 'static,
{
    type Response = ();
    type Error = Error;
    type Future = BoxFuture<'static, Result<(), Error>>;

    fn poll_ready(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, invocation: LambdaInvocation) -> Self::Future {
        let LambdaInvocation { parts, body, context } = invocation;
        let handled = self.inner.call(LambdaInvocation { parts, body, context });
        let count = Arc::clone(&self.count);
        Box::pin(async move {
            handled.await?;
            count.fetch_add(1, Ordering::Relaxed);
            Ok(())
        })
    }
}

#[test]
fn a_runtime_accepts_custom_layers_and_towers_layers() {
    let count = CountLayer::default();
    block_on(count.layer(innermost()).oneshot(invocation())).unwrap();
    assert_eq!(count.0.load(Ordering::Relaxed), 1);

    let _ = || async {
        Runtime::new(service_fn(sell))
            .layer(TracingLayer::new())
            .layer(CountLayer::default())
            .layer(tower::layer::layer_fn(|inner| CountService { inner, count: Arc::default() }))
            .layer(ServiceBuilder::new().map_request(|invocation: LambdaInvocation| invocation))
            .run()
            .await
    };
}

/// A runtime that is built in one function and run in another, as `lambda_http` does it.
fn build<F>(handler: F) -> Runtime<impl Service<LambdaInvocation, Response = (), Error = Error>>
where
    F: Service<LambdaEvent<Order>, Response = Receipt> + 'static,
    F::Future: 'static,
    F::Error: Into<Diagnostic> + fmt::Debug,
{
    Runtime::new(handler)
}

async fn run_layered<S>(runtime: Runtime<S>) -> Result<(), Error>
where
    S: Service<LambdaInvocation, Response = (), Error = Error>,
{
    runtime.layer(TracingLayer::default()).run().await
}

#[test]
fn a_function_can_return_a_runtime() {
    let _ = || run_layered(build(service_fn(sell)));
}

#[test]
fn the_tracing_layer_forwards_invocations() {
    let service: layers::trace::TracingService<_> = layers::trace::TracingLayer::default().layer(innermost());
    block_on(service.clone().oneshot(invocation())).unwrap();
    #[cfg(feature = "tracing")]
    let _: lambda_runtime::tracing::Span = layers::trace::request_span(&invocation().context);
}

#[test]
fn snapstart_resources_can_be_registered() {
    struct Nothing;

    impl lambda_runtime::SnapStartResource for Nothing {}

    struct Pool(AtomicUsize);

    impl SnapStartResource for Pool {
        fn before_snapshot(&self) -> BoxFuture<'_, Result<(), Error>> {
            Box::pin(async {
                self.0.fetch_add(1, Ordering::Relaxed);
                Ok(())
            })
        }

        fn after_restore(&self) -> BoxFuture<'_, Result<(), Error>> {
            Box::pin(async { Err("no connections".into()) })
        }
    }

    block_on(Nothing.before_snapshot()).unwrap();
    block_on(Nothing.after_restore()).unwrap();
    let pool: Arc<Pool> = Arc::new(Pool(AtomicUsize::new(0)));
    block_on(pool.before_snapshot()).unwrap();
    assert!(block_on(pool.after_restore()).is_err());
    assert_eq!(pool.0.load(Ordering::Relaxed), 1);

    let _ = || {
        let runtime = Runtime::new(service_fn(echo));
        let _: bool = runtime.is_snapstart();
        runtime
            .register_snapstart_resource(Arc::new(Nothing))
            .register_snapstart_resource(pool.clone())
            .layer(TracingLayer::new())
            .register_snapstart_resource(pool)
            .run()
    };
}
