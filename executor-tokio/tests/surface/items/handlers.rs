//! Handlers that `run` accepts.

use std::cell::Cell;
use std::convert::Infallible;
use std::fmt::Debug;
use std::future::{Future, ready};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll};

use bytes::Bytes;
use futures_util::Stream;
use lambda_runtime::layers::TracingLayer;
use lambda_runtime::tower::ServiceBuilder;
use lambda_runtime::tower::util::{BoxCloneService, BoxService};
use lambda_runtime::{
    Context, Diagnostic, Error, IntoFunctionResponse, LambdaEvent, Runtime, Service, run, service_fn,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::responses::streamed;
use super::{Order, Receipt, echo, is_send, sell};
use crate::block_on;

#[test]
fn run_takes_functions_and_closures() {
    let _ = || async {
        wait!(run(service_fn(echo)))?;
        wait!(run(service_fn(sell)))?;
        wait!(lambda_runtime::run(lambda_runtime::service_fn(async |_: LambdaEvent<()>| Ok::<(), Error>(()))))?;
        wait!(run(service_fn(
            |event: LambdaEvent<Vec<String>>| async move { Ok::<_, Infallible>(event.payload.len()) }
        )))
    };
}

#[test]
fn run_takes_a_handler_that_borrows_from_main() {
    struct Client;

    async fn handler(_client: &Client, event: LambdaEvent<Value>) -> Result<Value, Error> {
        Ok(event.payload)
    }

    let _ = || async {
        let client = Client;
        let client = &client;
        wait!(run(service_fn(move |event: LambdaEvent<Value>| async move { handler(client, event).await })))?;
        wait!(run(service_fn(|event: LambdaEvent<Value>| handler(client, event))))
    };
}

#[test]
fn neither_handler_nor_future_needs_to_be_send() {
    let _ = || async {
        let count = Rc::new(Cell::new(0));
        wait!(run(service_fn(move |_: LambdaEvent<Value>| {
            let count = Rc::clone(&count);
            async move {
                count.set(count.get() + 1);
                ready(()).await;
                Ok::<_, Error>(count.get())
            }
        })))
    };
}

#[test]
fn the_future_of_run_is_send_if_the_handler_is() {
    let _ = || drop(is_send(run(service_fn(echo))));
    let _ = || drop(is_send(Runtime::new(service_fn(sell)).run()));
    let _ = || drop(is_send(Runtime::new(service_fn(streamed)).layer(TracingLayer::new()).run()));
}

#[test]
fn a_handler_may_be_a_custom_service() {
    #[derive(Clone)]
    struct Handler;

    impl Service<LambdaEvent<Order>> for Handler {
        type Response = Receipt;
        type Error = Error;
        type Future = Pin<Box<dyn Future<Output = Result<Receipt, Error>> + Send>>;

        fn poll_ready(&mut self, _cx: &mut TaskContext<'_>) -> Poll<Result<(), Error>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, event: LambdaEvent<Order>) -> Self::Future {
            Box::pin(sell(event))
        }
    }

    let _ = || run(Handler);
    let _ = || run(BoxService::new(service_fn(echo)));
    let _ = || run(BoxCloneService::new(Handler));
}

#[test]
fn a_handler_may_be_wrapped_in_towers_layers() {
    let _ = || {
        run(ServiceBuilder::new()
            .map_request(|event: LambdaEvent<Value>| LambdaEvent::new(event.payload.to_string(), event.context))
            .map_response(|text: String| json!({ "text": text }))
            .service(service_fn(|event: LambdaEvent<String>| async { Ok::<_, Error>(event.payload) })))
    };
}

/// A wrapper with the bounds of the original's `run`.
async fn run_generic<A, F, R, B, S, D, E>(handler: F) -> Result<(), Error>
where
    F: Service<LambdaEvent<A>, Response = R>,
    F::Future: Future<Output = Result<R, F::Error>>,
    F::Error: Into<Diagnostic> + Debug,
    A: for<'de> Deserialize<'de>,
    R: IntoFunctionResponse<B, S>,
    B: Serialize,
    S: Stream<Item = Result<D, E>> + Unpin + Send + 'static,
    D: Into<Bytes> + Send,
    E: Into<Error> + Send + Debug,
{
    wait!(run(handler))
}

#[test]
fn a_generic_function_may_repeat_the_bounds_of_run() {
    let _ = || run_generic(service_fn(echo));
    let _ = || run_generic(service_fn(streamed));
    let _ = || run_generic(service_fn(async |_: LambdaEvent<()>| Ok::<(), Error>(())));
}

#[test]
#[allow(deprecated)]
fn handler_fn_passes_event_and_context_separately() {
    let mut handler = lambda_runtime::handler_fn(|event: Value, context: Context| async move {
        Ok::<_, Error>((event, context.deadline))
    });
    let result = block_on(handler.call(LambdaEvent::new(json!(1), Context::default())));
    assert_eq!(result.unwrap(), (json!(1), 0));
    let _ = || run(handler);
}
