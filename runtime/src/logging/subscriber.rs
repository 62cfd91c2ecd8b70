//! Logging for functions: `tracing`, `tracing-subscriber`, and a subscriber that follows Lambda's settings.

use std::env;
use std::io::stdout;

pub use ::tracing::*;
/// To build subscribers of your own.
pub use tracing_subscriber as subscriber;
use tracing_subscriber::filter::{EnvFilter, LevelFilter};
use tracing_subscriber::fmt::MakeWriter;

/// Sets a global subscriber that writes to stdout, from where Lambda takes its log.
///
/// It follows [Lambda's log settings](https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html):
/// `AWS_LAMBDA_LOG_FORMAT` (`JSON`, or text), `AWS_LAMBDA_LOG_LEVEL`, and where that is not set `RUST_LOG`; `INFO` where
/// neither is.
///
/// # Panics
///
/// If a global subscriber is set already.
pub fn init_default_subscriber() {
    init_default_subscriber_with_writer(stdout);
}

/// The same as [`init_default_subscriber`], with a writer of your choice.
///
/// # Panics
///
/// If a global subscriber is set already.
pub fn init_default_subscriber_with_writer<Writer>(writer: Writer)
where
    Writer: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    let level = env::var("AWS_LAMBDA_LOG_LEVEL").or_else(|_| env::var("RUST_LOG"));
    // Not by way of an empty text, which would be a level: ERROR.
    let level = level.ok().and_then(|level| level.parse().ok()).unwrap_or(LevelFilter::INFO);
    let filter = EnvFilter::builder().with_default_directive(level.into()).from_env_lossy();
    // What cannot be written is lost: to say so on stderr would panic where that cannot be written either, and in Lambda
    // stdout and stderr are one pipe.
    let subscriber = tracing_subscriber::fmt()
        .with_target(false)
        .without_time()
        .with_env_filter(filter)
        .with_writer(writer)
        .log_internal_errors(false);
    if env::var("AWS_LAMBDA_LOG_FORMAT").is_ok_and(|format| format.eq_ignore_ascii_case("json")) {
        subscriber.json().init();
    } else {
        subscriber.init();
    }
}
