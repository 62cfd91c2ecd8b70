//! Closes and reopens a connection around a snapshot, without an async runtime; the lesson is
//! [`snapstart`](examples::snapstart).
//!
//!     cargo emulate --snapstart --event '{}' -- cargo run -q -p examples --bin snapstart-blocking

use std::sync::Arc;

use examples::snapstart::Connection;
use lambda_runtime_blocking::{Error, LambdaEvent, Runtime, block_on, sync_fn};
use serde_json::{Value, json};

fn main() -> Result<(), Error> {
    let connection = Arc::new(Connection::default());
    let shared = Arc::clone(&connection);
    let handler = sync_fn(move |_event: LambdaEvent<Value>| -> Result<Value, Error> {
        Ok(json!({ "opened_after_restore": shared.opened() }))
    });
    block_on(Runtime::new(handler).register_snapstart_resource(connection).run())
}
