//! Graceful shutdown.

use std::future::ready;

use lambda_runtime::{run, service_fn, spawn_graceful_shutdown_handler};

use super::{echo, is_send};

#[test]
fn a_hook_runs_at_shutdown() {
    let _ = || async {
        let log = String::from("moved in");
        spawn_graceful_shutdown_handler(|| async move { drop(log) }).await;
        wait!(run(service_fn(echo)))
    };
    let _ = || drop(is_send(spawn_graceful_shutdown_handler(|| ready(()))));
}
