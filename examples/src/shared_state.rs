//! State that is set up once and shared by all invocations: a counter here, usually a client or a connection pool. `run`
//! serves one invocation at a time, so the state does not have to be `Send`.

use std::cell::Cell;
use std::rc::Rc;

use lambda_runtime_base::{Error, LambdaEvent};
use serde_json::{Value, json};

pub async fn handler(count: Rc<Cell<u32>>, event: LambdaEvent<Value>) -> Result<Value, Error> {
    count.set(count.get() + 1);
    Ok(json!({ "invocations": count.get(), "request_id": event.context.request_id }))
}
