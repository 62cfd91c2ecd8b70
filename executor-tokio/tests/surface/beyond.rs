//! Uses every public item that `lambda_runtime` does not have. Included by the tests of every executor.

use std::borrow::Cow;
use std::cell::Cell;
use std::future::pending;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::{Stream, stream};
use lambda_runtime::layers::{DeadlineLayer, TracingLayer};
use lambda_runtime::streaming::{Body, BodyError};
use lambda_runtime::tower::{Layer as _, ServiceExt as _};
use lambda_runtime::{
    Address, AddressError, BadEvent, ClientApplication, ClientContext, CognitoIdentity, Context, Diagnostic, Error,
    Executor as _, FunctionResponse, Handler, IntoFunctionResponse, LambdaEvent, LambdaInvocation, PlainStream,
    RawEvent, RawResponse, RunError, Runtime, Service, run, run_concurrent, service_fn,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::items::runtime::invocation;
use crate::{block_on, echo};

#[test]
fn events_and_responses_need_not_be_json() {
    async fn raw(event: LambdaEvent<RawEvent>) -> Result<RawResponse, Error> {
        Ok(RawResponse::new("application/octet-stream".parse()?, event.payload.0))
    }

    async fn plain(
        _event: LambdaEvent<RawEvent>,
    ) -> Result<PlainStream<impl Stream<Item = Result<Bytes, Error>>>, Error> {
        Ok(PlainStream::new("text/plain".parse()?, stream::iter([Ok(Bytes::from("chunk"))])))
    }

    let _ = || run(service_fn(raw));
    let _ = || run(service_fn(plain));
    let event = LambdaEvent::new(RawEvent(Bytes::from("no json")), Context::default());
    let RawResponse { content_type, body } = block_on(raw(event)).unwrap();
    assert_eq!((content_type.as_bytes(), &body[..]), (&b"application/octet-stream"[..], &b"no json"[..]));
    let PlainStream { content_type, stream } = PlainStream::new(content_type, Body::from(body));
    let response = PlainStream { content_type, stream }.into_response();
    assert!(matches!(response, FunctionResponse::StreamingResponse(_)));
}

#[test]
fn a_decoded_event_may_borrow_from_its_bytes() {
    #[derive(Debug, Deserialize)]
    struct Order<'e> {
        item: &'e str,
        #[serde(borrow)]
        note: Cow<'e, str>,
        #[serde(borrow)]
        details: &'e RawValue,
    }

    async fn handler(event: LambdaEvent<RawEvent>) -> Result<String, Error> {
        let Order { item, note, details } = event.payload.json()?;
        let borrowed = [item, details.get()].map(|text| event.payload.0.as_ptr_range().contains(&text.as_ptr()));
        Ok(format!("{item}; {note}; {details}; {borrowed:?}"))
    }

    let _ = || run(service_fn(handler));
    let result = |event: &'static str| {
        block_on(handler(LambdaEvent::new(RawEvent(Bytes::from(event)), Context::default()))).map_err(Diagnostic::from)
    };
    let order = result(r#"{"item":"pear","note":"\"ripe\"","details":{ "a" : 1 }}"#).unwrap();
    assert_eq!(order, r#"pear; "ripe"; { "a" : 1 }; [true, true]"#);
    let error = result(r#"{"item":7}"#).unwrap_err();
    assert_eq!(error.error_type, "Runtime.BadEvent");
    assert!(error.error_message.contains("Order"), "{error:?}");
    assert!(error.error_message.contains("at item: invalid type: integer `7`"), "{error:?}");

    let error: BadEvent = RawEvent(Bytes::from("7 8")).json::<u8>().unwrap_err();
    assert_eq!(error.to_string(), "the event does not fit u8: trailing characters at line 1 column 3");
    assert_eq!(Diagnostic::from(error).error_type, "Runtime.BadEvent");
}

#[test]
fn handlers_that_are_not_send_run_concurrently_on_one_thread() {
    let _ = || async {
        let count = Rc::new(Cell::new(0));
        let handler = service_fn(move |_: LambdaEvent<RawEvent>| {
            count.set(count.get() + 1);
            let count = Rc::clone(&count);
            async move { Ok::<_, Error>(count.get()) }
        });
        Runtime::new(handler).run_concurrent_local().await
    };
}

#[test]
fn a_runtime_accepts_the_address_of_an_api() {
    let address: Address = "127.0.0.1:9001".parse().unwrap();
    let _ = || Runtime::new(service_fn(echo)).address(address.clone()).pipelining(true).run();
    let _: Result<Address, AddressError> = Address::from_env();
    assert_eq!(address.clone(), address);
    assert_eq!(address.to_string(), "127.0.0.1:9001");
    let error: AddressError = "https://127.0.0.1:9001".parse::<Address>().unwrap_err();
    assert!(matches!(RunError::from(error), RunError::Address(_)));
}

#[test]
fn a_context_returns_the_remaining_time() {
    let mut context = Context::default();
    assert_eq!(context.remaining_time(), None);
    context.deadline = in_ms(Duration::from_secs(60));
    assert!(context.remaining_time() > Some(Duration::ZERO));
}

/// Returns a deadline this far in the future.
fn in_ms(time: Duration) -> u64 {
    (SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap() + time).as_millis().try_into().unwrap()
}

#[test]
fn every_part_of_a_context_can_be_constructed() {
    let mut context = Context::default();
    context.identity = Some(CognitoIdentity { identity_id: "i".into(), identity_pool_id: "p".into() });
    context.client_context = Some(ClientContext {
        client: ClientApplication { app_title: "title".into(), ..ClientApplication::default() },
        ..ClientContext::default()
    });
    assert_eq!(context.client_context.unwrap().client.app_title, "title");
}

#[test]
fn an_invocation_can_be_ended_before_its_deadline() {
    let _ = || {
        let layer = DeadlineLayer::new(Duration::from_millis(100));
        Runtime::new(service_fn(echo)).layer(layer.clone()).layer(TracingLayer::new()).run()
    };
    let _ = DeadlineLayer::new(Duration::ZERO).layer(service_fn(echo)).clone();

    let never = service_fn(async |_: LambdaInvocation| pending::<Result<(), Error>>().await);
    let mut invocation = invocation();
    invocation.context.deadline = in_ms(Duration::from_millis(50));
    let ended = block_on(DeadlineLayer::new(Duration::from_millis(100)).layer(never).oneshot(invocation));
    assert!(ended.unwrap_err().to_string().contains("100 ms before its deadline"));
}

#[test]
fn an_implausible_deadline_is_ignored() {
    // Longer than the time to any deadline that the layer would respect.
    let slow = service_fn(async |_: LambdaInvocation| {
        crate::Named.sleep(Duration::from_millis(20)).await;
        Ok::<(), Error>(())
    });
    // None, a duration instead of a deadline, and the deadline of AWS's documentation.
    for deadline in [0, 600_000, 1_542_409_706_888] {
        let mut invocation = invocation();
        invocation.context.deadline = deadline;
        block_on(DeadlineLayer::new(Duration::ZERO).layer(slow).oneshot(invocation)).unwrap();
    }
}

#[test]
fn the_error_of_a_body_returns_its_source() {
    let error = BodyError::new("the source ran dry");
    assert_eq!(format!("{error} {error:?}"), "the source ran dry \"the source ran dry\"");
    assert_eq!(error.into_inner().to_string(), "the source ran dry");
}

#[test]
#[cfg(all(unix, feature = "graceful-shutdown"))]
fn shutdown_can_be_awaited() {
    use lambda_runtime::Signal;

    let _ = || async {
        let shutdown = lambda_runtime::graceful_shutdown().await?;
        match shutdown.await {
            Signal::Terminate => println!("{} from Lambda", Signal::Terminate.name()),
            Signal::Interrupt => println!("Ctrl-C"),
        }
        Ok::<(), Error>(())
    };
}

#[test]
fn dropping_a_task_cancels_it() {
    use std::sync::Arc;

    use lambda_runtime::Spawn as _;

    let held = Arc::new(());
    let in_task = Arc::clone(&held);
    block_on(async move {
        let task = crate::Named.spawn(async move {
            let _held = in_task;
            std::future::pending::<()>().await;
        });
        drop(task);
        while Arc::strong_count(&held) > 1 {
            crate::Named.sleep(Duration::from_millis(1)).await;
        }
    });
}

#[test]
fn a_generic_function_needs_one_bound_for_a_handler() {
    async fn serve<H: Handler<T>, T>(handler: H) -> Result<(), Error> {
        wait!(run(handler))
    }

    async fn serve_concurrently<H, T>(handler: H) -> Result<(), Error>
    where
        H: Handler<T, Future: Send> + Clone + Send + 'static,
        T: 'static,
    {
        wait!(run_concurrent(handler))
    }

    fn runtime<H: Handler<T>, T>(handler: H) -> Runtime<impl Service<LambdaInvocation, Response = (), Error = Error>> {
        Runtime::new(handler)
    }

    let _ = || serve(service_fn(echo));
    let _ = || serve_concurrently(service_fn(echo));
    let _ = || runtime(service_fn(echo)).layer(TracingLayer::new()).run();
}

/// The compiler erases the lifetimes of values that are held across an `await`, which can make a future not `Send`.
#[test]
fn run_is_send_in_an_async_block_even_if_the_handler_borrows() {
    #[derive(Serialize)]
    struct Greeting<'c>(&'c str);

    async fn greet<'c>(name: &'c str, _event: LambdaEvent<RawEvent>) -> Result<Greeting<'c>, Error> {
        Ok(Greeting(name))
    }

    fn is_send<T: Send + 'static>(_: T) {}

    let _ = || {
        is_send(async {
            let name = String::new();
            wait!(run(service_fn(|event| greet(&name, event))))
        });
        is_send(async {
            let name = String::new();
            wait!(run(service_fn(async |event: LambdaEvent<RawEvent>| greet(&name, event).await.map(|_| ()))))
        });
        is_send(async {
            let name = String::new();
            let name = &name;
            Runtime::new(service_fn(move |event| async move { greet(name, event).await }))
                .layer(TracingLayer::new())
                .run()
                .await
        });
        is_send(async { wait!(run_concurrent(service_fn(|event| greet("static", event)))) });
    };
}

#[test]
fn the_error_of_a_handler_need_not_be_debug() {
    struct Quiet;

    impl From<Quiet> for Diagnostic {
        fn from(_: Quiet) -> Self {
            Diagnostic { error_type: "Quiet".into(), error_message: String::new() }
        }
    }

    let _ = || run(service_fn(async |_: LambdaEvent<RawEvent>| Err::<(), _>(Quiet)));
}

/// A custom executor needs these items, and no others.
#[test]
fn an_executor_can_be_written_in_another_crate() {
    use lambda_runtime::{Executor, Spawn, Transport, catch_panic};

    fn serves<X: Executor<Transport: Transport> + Default>() {
        let _ = || lambda_runtime_base::Runtime::<_, X>::new(service_fn(echo)).run();
    }

    fn serves_concurrently<X: Spawn + Default>() {
        let _ = || lambda_runtime_base::Runtime::<_, X>::new(service_fn(echo)).run_concurrent();
    }

    let _ = (serves::<crate::Named>, serves_concurrently::<crate::Named>);
    assert_eq!(block_on(catch_panic(async { 7 })), Ok(7));
}

#[test]
#[cfg(all(feature = "current", feature = "wait-until"))]
fn the_current_invocation_and_work_after_the_response_have_types() {
    use lambda_runtime::{Current, Metadata, Scope, WaitUntilError, current};

    let scope = |current: &Current| -> Scope<std::future::Ready<()>> { current.scope(std::future::ready(())) };
    assert!(current().as_ref().map(scope).is_none());
    let error: WaitUntilError = Context::default().wait_until(async {}).unwrap_err();
    assert_eq!(error.clone(), error);
    assert_eq!(Metadata::default().availability_zone_id, None);
    let context = Context::default();
    assert_eq!((context.content_type, context.other_headers.len()), (None, 0));
}

#[test]
#[cfg(feature = "tracing")]
fn the_log_is_a_layer_of_a_custom_subscriber() {
    use lambda_runtime::tracing::subscriber::layer::{Layer as _, SubscriberExt as _};
    use lambda_runtime::tracing::subscriber::registry;
    use lambda_runtime::tracing::{LogFilter, LogFormat, LogLayer, subscriber::fmt};

    let console = fmt::layer().with_writer(std::io::sink);
    let layer = LogLayer::new(LogFormat::Json).with_writer(std::io::sink).with_filter(LogFilter::from_env());
    let _ = registry().with(console).with(layer);
    let _ = registry().with(LogLayer::from_env());
}
