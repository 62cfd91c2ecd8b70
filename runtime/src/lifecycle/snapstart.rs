//! SnapStart: hooks around the snapshot that Lambda takes of an initialised function.
//!
//! [SnapStart](https://docs.aws.amazon.com/lambda/latest/dg/snapstart.html) starts a function from a snapshot of its
//! memory. After the restore, earlier state may be stale: connections are closed, credentials have expired, and values
//! that should be unique are the same in every copy. A [`SnapStartResource`] has a hook before and a hook after.
//!
//! Register a resource **before those that depend on it**. Before the snapshot resources are released in reverse order,
//! after the restore they are set up in the order of registration:
//!
//! ```text
//! registered:      credentials → pool → cache
//! before_snapshot: cache → pool → credentials
//! after_restore:   credentials → pool → cache
//! ```
//!
//! Without SnapStart the hooks never run.
//!
//! ```
//! use lambda_runtime_base::{BoxFuture, Error, SnapStartResource};
//!
//! struct Pool;
//!
//! impl SnapStartResource for Pool {
//!     fn before_snapshot(&self) -> BoxFuture<'_, Result<(), Error>> {
//!         Box::pin(async {
//!             // close the connections
//!             Ok(())
//!         })
//!     }
//!
//!     fn after_restore(&self) -> BoxFuture<'_, Result<(), Error>> {
//!         Box::pin(async {
//!             // open them again
//!             Ok(())
//!         })
//!     }
//! }
//! ```

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use lambda_runtime_proto::client::{Event, ReplyKind};

use crate::connection::Connection;
use crate::env::{Environment, INITIALIZATION_TYPE};
use crate::error::diagnostic::Diagnostic;
use crate::error::failure::Failure;
use crate::error::{Error, RunError};
use crate::executor::{BoxFuture, Executor};
use crate::lifecycle::metadata;
use crate::logging::messages;
use crate::panics;

/// A resource that must be released before the snapshot and set up again after the restore. By default, the hooks do
/// nothing.
pub trait SnapStartResource: Send + Sync {
    /// Called before the snapshot is taken, in reverse order of registration. An error ends the initialisation and is
    /// reported as `Runtime.BeforeSnapshotError`.
    fn before_snapshot(&self) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async { Ok(()) })
    }

    /// Called after the restore, in order of registration. An error ends the process and is reported as
    /// `Runtime.AfterRestoreError`.
    fn after_restore(&self) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async { Ok(()) })
    }
}

pub(crate) fn is_enabled(environment: &Environment) -> bool {
    environment.get(INITIALIZATION_TYPE).is_some_and(|value| value == "snap-start")
}

/// Runs the hooks, and waits for the restore between them.
pub(crate) async fn run<X: Executor>(
    connection: &mut Connection<X>,
    resources: &[Arc<dyn SnapStartResource>],
) -> Result<(), Error> {
    for resource in resources.iter().rev() {
        if let Err(error) = guarded(async { resource.before_snapshot().await }).await {
            let _ = connection.client.init_error(report("Runtime.BeforeSnapshotError", &error));
            connection.report().await;
            return Err(error);
        }
    }
    restored(connection).await?;
    // No connection survives the snapshot, and it may be restored elsewhere.
    connection.drop_transport();
    metadata::invalidate();
    for resource in resources {
        if let Err(error) = guarded(async { resource.after_restore().await }).await {
            let _ = connection.client.restore_error(report("Runtime.AfterRestoreError", &error));
            connection.report().await;
            return Err(error);
        }
    }
    Ok(())
}

/// Turns a panic of the hook into an error.
async fn guarded(hook: impl Future<Output = Result<(), Error>>) -> Result<(), Error> {
    let mut hook = pin!(hook);
    let poll = |cx: &mut Context<'_>| match panics::catch("a SnapStart hook", || hook.as_mut().poll(cx)) {
        Ok(poll) => poll,
        Err(failure) => Poll::Ready(Err(failure.into_diagnostic().error_message.into())),
    };
    poll_fn(poll).await
}

/// Waits until Lambda has restored the environment.
async fn restored<X: Executor>(connection: &mut Connection<X>) -> Result<(), Error> {
    // Refused only after the first /next.
    let _ = connection.client.restore_next();
    loop {
        let Event::Reply(reply) = connection.event().await? else { continue };
        if reply.kind() == ReplyKind::Accepted {
            return Ok(());
        }
        let error: Error = RunError::refused(&reply).into();
        let _ = connection.client.init_error(report("Runtime.BeforeSnapshotError", &error));
        connection.report().await;
        return Err(error);
    }
}

/// Logs the failure of a hook, and returns it for the API.
fn report(error_type: &str, error: &Error) -> lambda_runtime_proto::client::Failure {
    let failure = Failure::runtime(error_type, Diagnostic::of(error.as_ref()).error_message);
    messages::snapstart_failed(error_type, &failure.diagnostic.error_message);
    failure.to_proto()
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::FutureExt as _;

    use super::*;
    use crate::in_memory::{InMemory, Written};

    /// Events in order.
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<String>>>);

    impl Log {
        fn note(&self, event: impl Into<String>) {
            self.0.lock().unwrap().push(event.into());
        }

        /// An API that accepts everything, and notes each connection and each request.
        fn api(&self) -> InMemory {
            let (log, last) = (self.clone(), AtomicUsize::new(0));
            InMemory::new(move |connection, request| {
                if last.swap(connection, Ordering::Relaxed) != connection {
                    log.note("connection");
                }
                let mut lines = request.lines();
                let path = lines.next().unwrap().split(' ').nth(1).unwrap().trim_start_matches("/2018-06-01/runtime");
                let error_type = lines.find_map(|line| line.strip_prefix("Lambda-Runtime-Function-Error-Type"));
                log.note(format!("{path}{}", error_type.unwrap_or_default()));
                Written::All(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            })
        }
    }

    /// A resource that fails in the hook of this name.
    struct Resource(&'static str, Option<&'static str>, Log);

    impl Resource {
        fn hook(&self, hook: &'static str) -> BoxFuture<'_, Result<(), Error>> {
            let Resource(name, fails, log) = self;
            log.note(format!("{hook} {name}"));
            Box::pin(async move {
                match fails.is_some_and(|fails| fails == hook) {
                    true if *name == "bomb" => panic!("message"),
                    true => Err("message".into()),
                    false => Ok(()),
                }
            })
        }
    }

    impl SnapStartResource for Resource {
        fn before_snapshot(&self) -> BoxFuture<'_, Result<(), Error>> {
            self.hook("before")
        }

        fn after_restore(&self) -> BoxFuture<'_, Result<(), Error>> {
            self.hook("after")
        }
    }

    /// Runs with a resource named `base`, one that may fail, and one named `top`; then requests an invocation.
    fn run_with(name: &'static str, fails: Option<&'static str>) -> (Result<(), Error>, Vec<String>) {
        let log = Log::default();
        let resources = [("base", None), (name, fails), ("top", None)]
            .map(|(name, fails)| Arc::new(Resource(name, fails, log.clone())) as Arc<dyn SnapStartResource>);
        let mut connection = log.api().connection();
        let result = run(&mut connection, &resources).now_or_never().unwrap();
        if result.is_ok() {
            connection.client.next_invocation().unwrap();
            connection.event().now_or_never().unwrap().unwrap();
        }
        (result, std::mem::take(&mut *log.0.lock().unwrap()))
    }

    #[test]
    fn hooks_run_in_reverse_and_in_order_and_no_connection_survives_the_snapshot() {
        let (result, log) = run_with("pool", None);
        result.unwrap();
        let before = ["before top", "before pool", "before base", "connection", "/restore/next"];
        let after = ["after base", "after pool", "after top", "connection", "/invocation/next"];
        assert_eq!(log, [before, after].concat());
    }

    #[test]
    fn a_failure_before_the_snapshot_is_a_failed_initialisation() {
        for name in ["pool", "bomb"] {
            let (result, log) = run_with(name, Some("before"));
            assert!(result.unwrap_err().to_string().contains("message"));
            let report = "/init/error: Runtime.BeforeSnapshotError";
            assert_eq!(log, ["before top", &format!("before {name}"), "connection", report]);
        }
    }

    #[test]
    fn a_failure_after_the_restore_is_a_failed_restore() {
        for name in ["pool", "bomb"] {
            let (result, log) = run_with(name, Some("after"));
            assert!(result.unwrap_err().to_string().contains("message"));
            let report = "/restore/error: Runtime.AfterRestoreError";
            assert_eq!(log[5..], ["after base", &format!("after {name}"), "connection", report]);
        }
    }
}
