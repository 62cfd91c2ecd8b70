//! Events that are not copied: the decoded type borrows from the event's bytes, and a part that is only forwarded is not
//! decoded at all.

use std::borrow::Cow;

use lambda_runtime_base::{Error, LambdaEvent, RawEvent, RawResponse};
use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct Order<'e> {
    // Borrowed unless the text contains an escape sequence.
    #[serde(borrow)]
    customer: Cow<'e, str>,
    #[serde(borrow)]
    details: &'e RawValue,
}

pub async fn handler(event: LambdaEvent<RawEvent>) -> Result<RawResponse, Error> {
    let order: Order<'_> = event.payload.json()?;
    eprintln!("{} ordered", order.customer);
    Ok(RawResponse::new("application/json".parse()?, order.details.get().to_owned()))
}
