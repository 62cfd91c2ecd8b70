//! Traits that each type implements.

use std::fmt::Debug;
use std::sync::Arc;

use lambda_runtime::layers::TracingLayer;
use lambda_runtime::layers::trace::TracingService;
use lambda_runtime::streaming::{Body, Sender};
use lambda_runtime::{
    BoxFuture, Config, Context, Diagnostic, Error, FunctionResponse, LambdaEvent, LambdaInvocation, MetadataPrelude,
    Runtime, SnapStartResource, StreamResponse, service_fn,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::echo;

fn is_send<T: Send + Unpin + 'static>() {}
fn is_sync<T: Send + Sync + Unpin + 'static>() {}
fn is_clone<T: Clone + Send + Sync + Unpin + 'static>() {}
fn is_debug<T: Debug + Send + Unpin + 'static>() {}
fn is_default<T: Default>() {}
fn is_data<T: Clone + Debug + Eq + Serialize + DeserializeOwned + Send + Sync + Unpin + 'static>() {}

#[test]
fn values_are_plain_data() {
    is_data::<Config>();
    is_data::<Context>();
    is_data::<Diagnostic>();
    is_data::<MetadataPrelude>();
    is_default::<Config>();
    is_default::<Context>();
    is_default::<MetadataPrelude>();
}

#[test]
fn events_and_responses_can_move_between_threads() {
    is_clone::<LambdaEvent<String>>();
    is_debug::<LambdaEvent<String>>();
    is_sync::<LambdaInvocation>();
    is_sync::<FunctionResponse<String, String>>();
    is_sync::<StreamResponse<String>>();
    is_debug::<StreamResponse<Body>>();
    is_debug::<Body>();
    is_default::<Body>();
    is_sync::<Sender>();
    is_sync::<Error>();
    is_send::<BoxFuture<'static, ()>>();
    is_sync::<Arc<dyn SnapStartResource>>();
}

#[test]
fn a_runtime_is_send_if_its_service_is() {
    fn is_free<T: Send + Unpin + 'static>(_: T) {}

    is_sync::<TracingLayer>();
    is_default::<TracingLayer>();
    is_clone::<TracingService<String>>();
    let _ = || is_free(Runtime::new(service_fn(echo)));
    let _ = || is_free(Runtime::new(service_fn(echo)).layer(TracingLayer::new()));
}

/// The future of the tracing layer is `tracing`'s `Instrumented`.
#[test]
#[cfg(feature = "tracing")]
fn the_tracing_layer_instruments_the_inner_future() {
    use lambda_runtime::Service;
    use lambda_runtime::tower::Layer as _;
    use lambda_runtime::tracing::instrument::Instrumented;

    use super::runtime::{innermost, invocation};

    fn call<S: Service<LambdaInvocation, Response = (), Error = Error>>(
        service: &mut TracingService<S>,
        invocation: LambdaInvocation,
    ) -> Instrumented<S::Future> {
        service.call(invocation)
    }

    let mut service = TracingLayer {}.layer(innermost());
    crate::block_on(call(&mut service, invocation())).unwrap();
}

#[test]
#[cfg(feature = "opentelemetry")]
fn the_opentelemetry_layer_is_send_and_sync_if_its_function_is() {
    use lambda_runtime::layers::{OpenTelemetryFaasTrigger, OpenTelemetryLayer};

    fn is_display<T: std::fmt::Display>() {}

    is_sync::<OpenTelemetryLayer<fn()>>();
    is_clone::<OpenTelemetryFaasTrigger>();
    is_default::<OpenTelemetryFaasTrigger>();
    is_display::<OpenTelemetryFaasTrigger>();
}
