//! Closes and reopens a connection around a snapshot, on smol; the lesson is [`snapstart`](examples::snapstart).
//!
//!     cargo emulate --snapstart --event '{}' -- cargo run -q -p examples --bin snapstart-smol

use std::sync::Arc;

use examples::snapstart::{Connection, handler};
use lambda_runtime_smol::{Error, Runtime, block_on, service_fn};

fn main() -> Result<(), Error> {
    let connection = Arc::new(Connection::default());
    let shared = Arc::clone(&connection);
    block_on(
        Runtime::new(service_fn(move |event| handler(Arc::clone(&shared), event)))
            .register_snapstart_resource(connection)
            .run(),
    )
}
