//! A glob import of the crate.

use bytes::Bytes;
use lambda_runtime::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Event {
    name: String,
}

#[test]
fn a_glob_import_does_not_conflict_with_common_names() {
    async fn handler(event: LambdaEvent<Event>) -> Result<StreamResponse<streaming::Body>, Error> {
        Ok(StreamResponse::from(streaming::Body::from(Bytes::from(event.payload.name))))
    }

    let _ = || run(service_fn(handler));
}
