//! Closes and reopens a connection around a snapshot, on tokio; the lesson is [`snapstart`](examples::snapstart).
//!
//!     cargo emulate --snapstart --event '{}' -- cargo run -q -p examples --bin snapstart-tokio

use std::sync::Arc;

use examples::snapstart::{Connection, handler};
use lambda_runtime_tokio::{Error, Runtime, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let connection = Arc::new(Connection::default());
    let shared = Arc::clone(&connection);
    Runtime::new(service_fn(move |event| handler(Arc::clone(&shared), event)))
        .register_snapstart_resource(connection)
        .run()
        .await
}
