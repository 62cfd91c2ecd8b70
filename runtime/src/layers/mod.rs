//! Tower layers for invocations.

mod trace;

pub use trace::{TracingLayer, TracingService, request_span};
