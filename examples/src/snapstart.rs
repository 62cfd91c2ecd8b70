//! SnapStart: a resource is closed before the snapshot and reopened after each restore.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use lambda_runtime_base::{BoxFuture, Error, LambdaEvent, SnapStartResource};
use serde_json::{Value, json};

/// A stand-in for a connection to a database.
#[derive(Default)]
pub struct Connection {
    opened: AtomicU32,
}

impl Connection {
    /// The number of times that it was opened after a restore.
    pub fn opened(&self) -> u32 {
        self.opened.load(Ordering::Relaxed)
    }
}

impl SnapStartResource for Connection {
    fn before_snapshot(&self) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async {
            eprintln!("closing the connection before the snapshot");
            Ok(())
        })
    }

    fn after_restore(&self) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async {
            eprintln!("opening the connection after the restore");
            self.opened.fetch_add(1, Ordering::Relaxed);
            Ok(())
        })
    }
}

pub async fn handler(connection: Arc<Connection>, _event: LambdaEvent<Value>) -> Result<Value, Error> {
    Ok(json!({ "opened_after_restore": connection.opened() }))
}
