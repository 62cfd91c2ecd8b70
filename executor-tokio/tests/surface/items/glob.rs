//! The names do not get into the way of a file that imports them all.

use bytes::Bytes;
use lambda_runtime::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Event {
    name: String,
}

#[test]
fn a_file_may_import_everything() {
    async fn handler(event: LambdaEvent<Event>) -> Result<StreamResponse<streaming::Body>, Error> {
        Ok(StreamResponse::from(streaming::Body::from(Bytes::from(event.payload.name))))
    }

    let _ = || run(service_fn(handler));
}
