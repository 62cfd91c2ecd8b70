//! SnapStart: a resource is closed before the snapshot and reopened after each restore.
//!
//!     cargo emulate --snapstart --event '{}' -- cargo run -q -p examples --bin snapstart-blocking

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use lambda_runtime_blocking::{BoxFuture, Error, LambdaEvent, Runtime, SnapStartResource, block_on, sync_fn};
use serde_json::{Value, json};

/// Stands for a connection to a database.
#[derive(Default)]
struct Connection {
    opened: AtomicU32,
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

fn main() -> Result<(), Error> {
    let connection = Arc::new(Connection::default());
    let handler = {
        let connection = Arc::clone(&connection);
        move |_event: LambdaEvent<Value>| -> Result<Value, Error> {
            Ok(json!({ "opened_after_restore": connection.opened.load(Ordering::Relaxed) }))
        }
    };
    block_on(Runtime::new(sync_fn(handler)).register_snapstart_resource(connection).run())
}
