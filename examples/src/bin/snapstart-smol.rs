//! SnapStart: what was set up before the snapshot is put away in front of it and set up anew after the restore.
//!
//!     cargo emulate --snapstart --event '{}' -- cargo run -q -p examples --bin snapstart-smol

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use lambda_runtime_smol::{BoxFuture, Error, LambdaEvent, Runtime, SnapStartResource, service_fn};
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
    smol::block_on(async {
        let connection = Arc::new(Connection::default());
        let handler = {
            let connection = Arc::clone(&connection);
            move |_event: LambdaEvent<Value>| {
                let opened = connection.opened.load(Ordering::Relaxed);
                async move { Ok::<_, Error>(json!({ "opened_after_restore": opened })) }
            }
        };
        Runtime::new(service_fn(handler)).register_snapstart_resource(connection).run().await
    })
}
