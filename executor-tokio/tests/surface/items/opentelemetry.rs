//! The layer for OpenTelemetry.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use lambda_runtime::layers::{OpenTelemetryFaasTrigger as Trigger, OpenTelemetryLayer};
use lambda_runtime::tower::Layer as _;
use lambda_runtime::{Runtime, Service as _, service_fn};

use super::echo;
use super::runtime::{innermost, invocation};
use crate::block_on;

#[test]
fn the_opentelemetry_layer_flushes_after_each_invocation() {
    let flushes = Arc::new(AtomicUsize::new(0));
    let flush = {
        let flushes = Arc::clone(&flushes);
        move || {
            flushes.fetch_add(1, Ordering::Relaxed);
        }
    };
    let layer = OpenTelemetryLayer::new(flush).with_trigger(Trigger::Http);
    let mut service = layer.layer(innermost());
    block_on(service.call(invocation())).unwrap();
    block_on(service.call(invocation())).unwrap();
    assert_eq!(flushes.load(Ordering::Relaxed), 2);

    let triggers = [Trigger::default(), Trigger::Http, Trigger::PubSub, Trigger::Timer, Trigger::Other];
    assert_eq!(triggers.map(|trigger| trigger.to_string()), ["datasource", "http", "pubsub", "timer", "other"]);
    let _ = || Runtime::new(service_fn(echo)).layer(OpenTelemetryLayer::new(|| {})).run();
}
