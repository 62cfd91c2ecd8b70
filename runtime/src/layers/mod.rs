//! Tower layers for invocations.

mod deadline;
#[cfg(feature = "opentelemetry")]
mod opentelemetry;
pub mod trace;

pub use deadline::{DeadlineFuture, DeadlineLayer, DeadlineService};
#[cfg(feature = "opentelemetry")]
pub use opentelemetry::{OpenTelemetryFaasTrigger, OpenTelemetryFuture, OpenTelemetryLayer, OpenTelemetryService};
pub use trace::TracingLayer;
