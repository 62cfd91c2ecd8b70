//! Events and responses that are not JSON: bytes and a content type.

use lambda_runtime_base::{Error, LambdaEvent, RawEvent, RawResponse};

pub async fn handler(event: LambdaEvent<RawEvent>) -> Result<RawResponse, Error> {
    let reversed: Vec<u8> = event.payload.0.iter().rev().copied().collect();
    Ok(RawResponse::new("application/octet-stream".parse()?, reversed))
}
