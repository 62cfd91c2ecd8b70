//! `tracing` and its default subscriber.

use std::future::ready;
use std::sync::Mutex;

use lambda_runtime::tracing::{self, Instrument as _, Level, debug, error, info, info_span, subscriber, trace, warn};
use lambda_runtime::tracing::{init_default_subscriber, init_default_subscriber_with_writer};

use crate::block_on;

#[test]
fn tracing_and_tracing_subscriber_are_reexported_as_one_module() {
    block_on(ready(()).instrument(info_span!("span", n = 1)));
    trace!(n = 1, "message");
    debug!(n = 1, "message");
    info!("message");
    warn!("message");
    error!("message");
    tracing::event!(Level::INFO, "message");
    let _ = || subscriber::fmt().json().with_max_level(Level::INFO).with_ansi(false).init();
    let _ = || subscriber::EnvFilter::from_default_env();
}

#[test]
fn the_default_subscriber_accepts_any_writer() {
    let _ = init_default_subscriber as fn();
    let _ = || init_default_subscriber_with_writer(std::io::stderr);
    let _ = || init_default_subscriber_with_writer(Mutex::new(Vec::<u8>::new()));
}
