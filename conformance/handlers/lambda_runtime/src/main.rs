//! The handler of CONTRACT.md on lambda_runtime.

use std::env;
use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{BoxStream, StreamExt as _, unfold};
use lambda_runtime::{
    Diagnostic, Error, FunctionResponse, LambdaEvent, Runtime, SnapStartResource, StreamResponse, service_fn,
};
use serde_json::{Value, json};
use tokio::time::sleep;

type Payload = BoxStream<'static, Result<Bytes, Error>>;

async fn handle(event: LambdaEvent<Value>) -> Result<FunctionResponse<Value, Payload>, Diagnostic> {
    let payload = &event.payload;
    if let Some(delay) = payload["after_ms"].as_u64() {
        sleep(Duration::from_millis(delay)).await;
    }
    let number = |name: &str| usize::try_from(payload[name].as_u64().unwrap_or_default()).unwrap();
    Ok(FunctionResponse::BufferedResponse(match payload["do"].as_str() {
        None => event.payload,
        Some("context") => serde_json::to_value(&event.context).unwrap(),
        Some("large") => json!("x".repeat(number("bytes"))),
        Some("error") => return Err(out_of_stock()),
        Some("panic") => panic!("asked to panic"),
        Some("exit") => std::process::exit(i32::try_from(number("code")).unwrap()),
        Some("stream") => return Ok(FunctionResponse::StreamingResponse(StreamResponse::from(stream(&event.payload)))),
        Some(other) => panic!("unknown operation: {other}"),
    }))
}

fn out_of_stock() -> Diagnostic {
    Diagnostic { error_type: "OutOfStock".into(), error_message: "no apples left".into() }
}

fn stream(event: &Value) -> Payload {
    let number = |name: &str| event[name].as_u64().unwrap_or_default();
    let (chunks, empty, every) = (number("chunks"), number("empty"), Duration::from_millis(number("every_ms")));
    let size = usize::try_from(number("bytes").max(1)).unwrap();
    let then = event["then"].as_str().map(str::to_owned);
    let state = (0, then);
    unfold(state, move |(n, then)| async move {
        if n < empty {
            return Some((Ok(Bytes::new()), (n + 1, then)));
        }
        if n < empty + chunks {
            sleep(every).await;
            let letter = b'a' + u8::try_from((n - empty) % 26).unwrap();
            return Some((Ok(vec![letter; size].into()), (n + 1, then)));
        }
        match then.as_deref() {
            Some("error") => Some((Err("the source ran dry".into()), (n, None))),
            Some("panic") => panic!("asked to panic midway"),
            Some("nothing") => pending().await,
            _ => None,
        }
    })
    .boxed()
}

struct FailingHooks;

impl FailingHooks {
    fn hook(&self, name: &'static str) -> Pin<Box<dyn Future<Output = Result<(), Error>> + Send + '_>> {
        Box::pin(async move {
            match env::var("CONFORMANCE_INIT") {
                Ok(init) if init == name => Err("no apples left".into()),
                _ => Ok(()),
            }
        })
    }
}

impl SnapStartResource for FailingHooks {
    fn before_snapshot(&self) -> Pin<Box<dyn Future<Output = Result<(), Error>> + Send + '_>> {
        self.hook("before snapshot")
    }

    fn after_restore(&self) -> Pin<Box<dyn Future<Output = Result<(), Error>> + Send + '_>> {
        self.hook("after restore")
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    Runtime::new(service_fn(handle)).register_snapstart_resource(Arc::new(FailingHooks)).run_concurrent().await
}
