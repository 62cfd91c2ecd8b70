//! Logging for functions: `tracing`, `tracing-subscriber`, and a subscriber that follows Lambda's settings.

use std::env;
use std::io::stdout;

pub use ::tracing::*;
/// For custom subscribers.
pub use tracing_subscriber as subscriber;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

pub use super::filter::LogFilter;
pub use super::layer::LogLayer;
pub use super::line::LogFormat;

/// Sets a global subscriber that writes to stdout, from where Lambda takes its log: a [`LogLayer`] with a [`LogFilter`].
///
/// It follows [Lambda's log settings](https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html):
/// `AWS_LAMBDA_LOG_FORMAT` (`JSON`, or text), `AWS_LAMBDA_LOG_LEVEL`, and `RUST_LOG`. With
/// `LAMBDA_RUNTIME_LOG_FORMAT=original` the lines have the format of `lambda_runtime` 1.5, whose JSON is nested.
///
/// # Panics
///
/// If a global subscriber is set already.
pub fn init_default_subscriber() {
    init_default_subscriber_with_writer(stdout);
}

/// Like [`init_default_subscriber`], with another writer.
///
/// # Panics
///
/// If a global subscriber is set already.
pub fn init_default_subscriber_with_writer<Writer>(writer: Writer)
where
    Writer: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    let (format, filter) = (LogFormat::from_env(), LogFilter::from_env());
    if !env::var("LAMBDA_RUNTIME_LOG_FORMAT").is_ok_and(|format| format.eq_ignore_ascii_case("original")) {
        let layer = LogLayer::new(format).with_writer(writer);
        return tracing_subscriber::registry().with(layer.with_filter(filter)).init();
    }
    // In Lambda stderr is the same pipe, so printing an error about a line that cannot be written would panic.
    let layer = tracing_subscriber::fmt::layer()
        .with_target(false)
        .without_time()
        .with_writer(writer)
        .log_internal_errors(false);
    match format {
        LogFormat::Json => tracing_subscriber::registry().with(layer.json().with_filter(filter)).init(),
        LogFormat::Text => tracing_subscriber::registry().with(layer.with_filter(filter)).init(),
    }
}
