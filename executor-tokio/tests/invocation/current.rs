//! `current` in every part of a function. Included by the tests of every executor.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use lambda_runtime::tower::layer::layer_fn;
use lambda_runtime::{
    Current, Error, LambdaEvent, LambdaInvocation, PlainStream, Runtime, Service, current, service_fn,
};
use lambda_runtime_emulator::{Emulator, Event};
use serde_json::{Value, json};

use crate::{block_on, sleep, spawn};

fn current_id() -> String {
    current().map_or("none".into(), |current| current.request_id().to_owned())
}

#[test]
fn the_current_invocation_has_the_values_of_the_context() {
    let emulator = Emulator::builder().reserve_port().start().unwrap();
    let address = emulator.endpoint().parse().unwrap();
    let handler = async |event: LambdaEvent<Value>| {
        let (context, current) = (event.context, current().ok_or("no current invocation")?);
        let same = current.request_id() == context.request_id
            && current.xray_trace_id() == context.xray_trace_id.as_deref()
            && current.tenant_id() == context.tenant_id.as_deref()
            && current.deadline() == context.deadline()
            && current.remaining_time().is_some();
        Ok::<_, Error>(json!([same, current.tenant_id(), current.xray_trace_id()]))
    };
    std::thread::spawn(move || block_on(Runtime::new(service_fn(handler)).address(address).run()));
    let event = Event::new("1").tenant_id("blue").trace_id("Root=1-a");
    assert_eq!(emulator.invoke(event).unwrap().json().unwrap(), json!([true, "blue", "Root=1-a"]));
    // No value of the previous invocation remains.
    let event = Event::new("1").without("lambda-runtime-trace-id");
    assert_eq!(emulator.invoke(event).unwrap().json().unwrap(), json!([true, null, null]));
    assert!(current().is_none());
}

/// A layer that records the current invocation in `call` and in each poll.
#[derive(Clone)]
struct Recording<S>(S, Arc<Mutex<Vec<String>>>);

impl<S> Service<LambdaInvocation> for Recording<S>
where
    S: Service<LambdaInvocation, Response = (), Error = Error, Future: Send + 'static>,
{
    type Response = ();
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, invocation: LambdaInvocation) -> Self::Future {
        let log = Arc::clone(&self.1);
        log.lock().unwrap().push(format!("call {}", current_id()));
        let inner = self.0.call(invocation);
        Box::pin(async move {
            inner.await?;
            log.lock().unwrap().push(format!("end {}", current_id()));
            Ok(())
        })
    }
}

#[test]
fn layers_and_streams_have_a_current_invocation() {
    let emulator = Emulator::builder().reserve_port().start().unwrap();
    let address = emulator.endpoint().parse().unwrap();
    let handler = async |_: LambdaEvent<Value>| {
        let chunks = stream::iter(0..3).then(|_| {
            let mut is_first = true;
            poll_fn(move |cx| {
                if std::mem::take(&mut is_first) {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Poll::Ready(Ok::<_, Error>(Bytes::from(current_id())))
            })
        });
        Ok::<_, Error>(PlainStream::new("text/plain".parse()?, chunks.boxed()))
    };
    let log = Arc::new(Mutex::new(Vec::new()));
    let recorded = Arc::clone(&log);
    let layer = layer_fn(move |inner| Recording(inner, Arc::clone(&recorded)));
    std::thread::spawn(move || block_on(Runtime::new(service_fn(handler)).layer(layer).address(address).run()));
    assert_eq!(emulator.invoke(Event::new("1").request_id("a")).unwrap().text(), "aaa");
    assert_eq!(emulator.invoke(Event::new("1").request_id("b")).unwrap().text(), "bbb");
    let log = log.lock().unwrap();
    assert_eq!(log[..3], ["call a", "end a", "call b"]);
}

/// A layer that moves the service to another thread.
#[derive(Clone)]
struct Elsewhere<S>(S);

impl<S> Service<LambdaInvocation> for Elsewhere<S>
where
    S: Service<LambdaInvocation, Response = (), Error = Error, Future: Send + 'static> + Clone + Send + 'static,
{
    type Response = ();
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, invocation: LambdaInvocation) -> Self::Future {
        let mut inner = self.0.clone();
        Box::pin(async move {
            let (sender, ended) = std::sync::mpsc::channel();
            std::thread::spawn(move || {
                let outcome = block_on(async move { inner.call(invocation).await });
                let _ = sender.send(outcome);
            });
            loop {
                match ended.try_recv() {
                    Ok(outcome) => return outcome,
                    Err(_) => sleep(Duration::from_millis(1)).await,
                }
            }
        })
    }
}

#[test]
fn a_handler_on_another_thread_has_the_current_invocation() {
    let emulator = Emulator::builder().reserve_port().start().unwrap();
    let address = emulator.endpoint().parse().unwrap();
    let handler = |_: LambdaEvent<Value>| {
        let at_call = current_id();
        async move {
            sleep(Duration::from_millis(1)).await;
            Ok::<_, Error>(json!([at_call, current_id()]))
        }
    };
    let runtime = Runtime::new(service_fn(handler)).layer(layer_fn(Elsewhere)).address(address);
    std::thread::spawn(move || block_on(runtime.run()));
    for id in ["a", "b"] {
        assert_eq!(emulator.invoke(Event::new("1").request_id(id)).unwrap().json().unwrap(), json!([id, id]));
    }
}

#[test]
fn each_concurrent_invocation_is_current_in_its_own_code() {
    async fn handler(event: LambdaEvent<u64>) -> Result<Vec<String>, Error> {
        let mut seen = Vec::new();
        for _ in 0..event.payload {
            sleep(Duration::from_millis(1)).await;
            seen.push(current_id());
        }
        Ok(seen)
    }

    for local in [false, true] {
        let emulator = Emulator::builder().reserve_port().concurrency(4).start().unwrap();
        let environment = [("AWS_LAMBDA_RUNTIME_API", emulator.endpoint()), ("AWS_LAMBDA_MAX_CONCURRENCY", "4")];
        let runtime = Runtime::new(service_fn(handler)).environment(environment);
        std::thread::spawn(move || {
            if local { block_on(runtime.run_concurrent_local()) } else { block_on(runtime.run_concurrent()) }
        });
        let invocations: Vec<_> =
            (0..40_u64).map(|n| emulator.start_invocation(Event::new((n % 7).to_string())).unwrap()).collect();
        for (n, invocation) in (0_usize..).zip(invocations) {
            let id = invocation.request_id().to_owned();
            assert_eq!(invocation.wait().unwrap().json().unwrap(), json!(vec![id; n % 7]));
        }
    }
}

#[test]
fn a_spawned_task_has_a_current_invocation_in_its_scope() {
    let emulator = Emulator::builder().reserve_port().start().unwrap();
    let address = emulator.endpoint().parse().unwrap();
    let handler = async |_: LambdaEvent<Value>| {
        let without = spawn(async { current_id() }).await;
        let current: Current = current().ok_or("no current invocation")?;
        let within = current.scope(async {
            let before = current_id();
            sleep(Duration::from_millis(1)).await;
            [before, current_id()]
        });
        Ok::<_, Error>(json!([without, spawn(within).await]))
    };
    std::thread::spawn(move || block_on(Runtime::new(service_fn(handler)).address(address).run()));
    let outcome = emulator.invoke(Event::new("1").request_id("a")).unwrap();
    assert_eq!(outcome.json().unwrap(), json!(["none", ["a", "a"]]));
}

#[test]
fn current_can_outlive_its_invocation() {
    let emulator = Emulator::builder().reserve_port().start().unwrap();
    let address = emulator.endpoint().parse().unwrap();
    let kept = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&kept);
    let handler = move |_: LambdaEvent<Value>| {
        keep.lock().unwrap().extend(current());
        async { Ok::<_, Error>(SystemTime::now()) }
    };
    std::thread::spawn(move || block_on(Runtime::new(service_fn(handler)).address(address).run()));
    for id in ["a", "b", "c"] {
        emulator.invoke(Event::new("1").request_id(id)).unwrap();
    }
    let kept: Vec<_> = kept.lock().unwrap().iter().map(|current| current.request_id().to_owned()).collect();
    assert_eq!(kept, ["a", "b", "c"]);
}

#[test]
fn the_context_has_unknown_headers_of_lambda() {
    let emulator = Emulator::builder().reserve_port().start().unwrap();
    let address = emulator.endpoint().parse().unwrap();
    let handler = async |event: LambdaEvent<Value>| {
        Ok::<_, Error>(json!([event.context.other_headers, event.context.content_type]))
    };
    std::thread::spawn(move || block_on(Runtime::new(service_fn(handler)).address(address).run()));
    let event = Event::new("1").header("lambda-runtime-traceparent", "00-a-b-01").header("x-other", "no");
    let expected = json!([{ "lambda-runtime-traceparent": "00-a-b-01" }, null]);
    assert_eq!(emulator.invoke(event).unwrap().json().unwrap(), expected);
    assert_eq!(emulator.invoke("1").unwrap().json().unwrap(), json!([{}, null]));
}
