//! Functions whose behaviour is compared between the two runtimes.

use std::future::{Ready, ready};
use std::task::{Context as TaskContext, Poll};

use bytes::Bytes;
use futures_util::{Stream, stream};
use runtime::layers::{OpenTelemetryFaasTrigger as Trigger, OpenTelemetryLayer, TracingLayer};
use runtime::tower::layer::{Layer, layer_fn};
use runtime::tower::util::ServiceFn;
use runtime::{
    Config, Context, Error, LambdaEvent, LambdaInvocation, Runtime, Service, StreamResponse, run, run_concurrent,
    service_fn, tracing,
};
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, json};

/// Serves the function named by the first argument.
#[tokio::main]
pub(crate) async fn serve() -> Result<(), Error> {
    match std::env::args().nth(1).unwrap_or_default().as_str() {
        "describe" => run(service_fn(describe)).await,
        "logs" => {
            tracing::init_default_subscriber();
            tracing::info!(n = 1, "message");
            tracing::debug!("details");
            tracing::error!("failure");
            Ok(())
        }
        "spans" => {
            tracing::init_default_subscriber();
            in_spans(TracingLayer::new(), "").await?;
            in_spans(TracingLayer::new(), "blue").await?;
            in_spans(OpenTelemetryLayer::new(|| ()), "").await?;
            let layer = OpenTelemetryLayer::new(|| tracing::info!("flushed")).with_trigger(Trigger::PubSub);
            in_spans(layer, "blue").await
        }
        "describe-concurrently" => run_concurrent(service_fn(describe)).await,
        "takes-a-number" => run(service_fn(async |event: LambdaEvent<u8>| Ok::<_, Error>(event.payload))).await,
        "panics-at-the-event" => run(service_fn(async |_: LambdaEvent<Undecodable>| Ok::<_, Error>(()))).await,
        "fails" => run(service_fn(fails)).await,
        "panics" => run(service_fn(panics)).await,
        "is-never-ready" => run(NeverReady).await,
        "does-not-serialize" => run(service_fn(async |_: LambdaEvent<Value>| Ok::<_, Error>(Unserializable))).await,
        "streams-nothing-but-an-error" => run(streaming(|n| [Err("interrupted")].get(n).copied())).await,
        "interrupts-a-stream" => run(streaming(|n| [Ok("chunk"), Err("interrupted")].get(n).copied())).await,
        "panics-in-a-stream" => run(streaming(|n| Some(Ok(["chunk"][n])))).await,
        "layer-fails" => Runtime::new(service_fn(describe)).layer(layer_fn(|_| Returns(Err("layer")))).run().await,
        "layer-returns" => Runtime::new(service_fn(describe)).layer(layer_fn(|_| Returns(Ok(())))).run().await,
        name => Err(format!("unknown function {name:?}").into()),
    }
}

/// Calls the layer with two invocations, one without and one with a trace id; an empty tenant id means none.
async fn in_spans<L>(layer: L, tenant_id: &str) -> Result<(), Error>
where
    L: Layer<ServiceFn<fn(LambdaInvocation) -> Ready<Result<(), Error>>>>,
    L::Service: Service<LambdaInvocation, Error = Error>,
{
    let mut service = layer.layer(service_fn(|_| {
        tracing::info!("inside");
        tracing::Span::current().record("otel.kind", "SERVER");
        tracing::info!("of a server");
        ready(Ok(()))
    }));
    for trace_id in [None, Some("Root=1-2-3")] {
        let (parts, ()) = http::Response::new(()).into_parts();
        let mut context = Context::default();
        context.request_id = "id".to_owned();
        context.env_config = Config { function_name: "f".to_owned(), ..Config::default() }.into();
        context.xray_trace_id = trace_id.map(str::to_owned);
        context.tenant_id = Some(tenant_id.to_owned()).filter(|id| !id.is_empty());
        service.call(LambdaInvocation { parts, body: Bytes::new(), context }).await?;
    }
    Ok(())
}

async fn describe(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let trace_id = std::env::var("_X_AMZN_TRACE_ID").ok();
    Ok(json!({ "payload": event.payload, "context": event.context, "trace_id": trace_id }))
}

async fn fails(event: LambdaEvent<Value>) -> Result<u8, Error> {
    Ok(event.payload.to_string().parse()?)
}

async fn panics(_event: LambdaEvent<Value>) -> Result<u8, Error> {
    panic!("message")
}

/// A function that streams `item(0)`, `item(1)` and so on, until it returns `None`.
fn streaming(
    item: fn(usize) -> Option<Result<&'static str, &'static str>>,
) -> impl Service<LambdaEvent<Value>, Response = StreamResponse<impl Stream<Item = Item> + Unpin + Send>, Error = Error>
{
    service_fn(move |_| {
        let items = (0..).map_while(item).map(|item| item.map(Bytes::from).map_err(Error::from));
        ready(Ok(StreamResponse::from(stream::iter(items))))
    })
}

type Item = Result<Bytes, Error>;

struct Undecodable;

impl<'de> Deserialize<'de> for Undecodable {
    fn deserialize<D: Deserializer<'de>>(_deserializer: D) -> Result<Self, D::Error> {
        panic!("message")
    }
}

struct Unserializable;

impl Serialize for Unserializable {
    fn serialize<S: Serializer>(&self, _serializer: S) -> Result<S::Ok, S::Error> {
        Err(S::Error::custom("message"))
    }
}

struct NeverReady;

impl Service<LambdaEvent<Value>> for NeverReady {
    type Response = ();
    type Error = Error;
    type Future = Ready<Result<(), Error>>;

    fn poll_ready(&mut self, _cx: &mut TaskContext<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Err("message".into()))
    }

    fn call(&mut self, _event: LambdaEvent<Value>) -> Self::Future {
        ready(Ok(()))
    }
}

/// The service of a layer that does not call the inner one.
struct Returns(Result<(), &'static str>);

impl Service<LambdaInvocation> for Returns {
    type Response = ();
    type Error = Error;
    type Future = Ready<Result<(), Error>>;

    fn poll_ready(&mut self, _cx: &mut TaskContext<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _invocation: LambdaInvocation) -> Self::Future {
        ready(self.0.map_err(Error::from))
    }
}
