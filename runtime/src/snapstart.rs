//! SnapStart: hooks around the snapshot that Lambda takes of an initialised function.
//!
//! [SnapStart](https://docs.aws.amazon.com/lambda/latest/dg/snapstart.html) starts a function from a snapshot of its
//! memory. What was set up before may be stale afterwards: connections are gone, credentials have expired, and what
//! should be unique is the same in every copy. A [`SnapStartResource`] has a hook on either side.
//!
//! Resources are registered **foundations first**. Before the snapshot they are released in reverse order, after the
//! restore they are set up in the order of registration:
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
//! use lambda_runtime_core::{BoxFuture, Error, SnapStartResource};
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

use lambda_runtime_proto::client::{Event, Meaning};

use crate::connection::Connection;
use crate::failure::Failure;
use crate::{BoxFuture, Diagnostic, Error, Executor, RunError, panics};

/// A resource that must be put away before the snapshot and set up again after the restore. Each hook does nothing by
/// default.
pub trait SnapStartResource: Send + Sync {
    /// Called before the snapshot is taken, in reverse order of registration. An error ends the start-up; it is
    /// reported as `Runtime.BeforeSnapshotError`.
    fn before_snapshot(&self) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async { Ok(()) })
    }

    /// Called after the restore, in order of registration. An error ends the process; it is reported as
    /// `Runtime.AfterRestoreError`.
    fn after_restore(&self) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async { Ok(()) })
    }
}

pub(crate) fn is_on() -> bool {
    std::env::var("AWS_LAMBDA_INITIALIZATION_TYPE").is_ok_and(|value| value == "snap-start")
}

/// Runs the hooks, and between them waits for the restore.
pub(crate) async fn pass<X: Executor>(
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
    // No connection survives the snapshot.
    connection.hang_up();
    for resource in resources {
        if let Err(error) = guarded(async { resource.after_restore().await }).await {
            let _ = connection.client.restore_error(report("Runtime.AfterRestoreError", &error));
            connection.report().await;
            return Err(error);
        }
    }
    Ok(())
}

/// A hook that panics has failed.
async fn guarded(hook: impl Future<Output = Result<(), Error>>) -> Result<(), Error> {
    let mut hook = pin!(hook);
    let poll = |cx: &mut Context<'_>| match panics::catch("a SnapStart hook", || hook.as_mut().poll(cx)) {
        Ok(poll) => poll,
        Err(failure) => Poll::Ready(Err(failure.diagnostic.error_message.into())),
    };
    poll_fn(poll).await
}

/// Waits until Lambda has restored the environment.
async fn restored<X: Executor>(connection: &mut Connection<X>) -> Result<(), Error> {
    // Refused only after the first /next, which is yet to come.
    let _ = connection.client.restore_next();
    loop {
        let Event::Answered(answer) = connection.event(|_, _| {}).await? else { continue };
        if answer.meaning() == Meaning::Accepted {
            return Ok(());
        }
        let error: Error = RunError::refused(&answer).into();
        let _ = connection.client.init_error(report("Runtime.BeforeSnapshotError", &error));
        connection.report().await;
        return Err(error);
    }
}

fn report(error_type: &str, error: &Error) -> lambda_runtime_proto::client::Failure {
    Failure::runtime(error_type, Diagnostic::of(error.as_ref()).error_message).to_proto()
}
