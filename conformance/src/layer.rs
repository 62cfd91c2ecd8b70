//! A layer that gets in the way of an invocation if the event asks for it.

use std::future::{Future, poll_fn, ready};
use std::pin::Pin;
use std::task::{Context, Poll};

use lambda_runtime_base::tower::{Layer, Service};
use lambda_runtime_base::{Error, LambdaInvocation};
use serde_json::Value;

/// Does what the event's `layer` says, and nothing for an event without.
#[derive(Debug, Clone, Copy)]
pub struct Meddling;

impl<S> Layer<S> for Meddling {
    type Service = Meddler<S>;

    fn layer(&self, inner: S) -> Meddler<S> {
        Meddler { inner, not_ready: false }
    }
}

/// The service of [`Meddling`].
#[derive(Debug, Clone)]
pub struct Meddler<S> {
    inner: S,
    not_ready: bool,
}

impl<S> Service<LambdaInvocation> for Meddler<S>
where
    S: Service<LambdaInvocation, Response = (), Error = Error>,
    S::Future: 'static,
{
    type Response = ();
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<(), Error>>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if std::mem::take(&mut self.not_ready) {
            return Poll::Ready(Err("the layer is not ready".into()));
        }
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut invocation: LambdaInvocation) -> Self::Future {
        let event: Value = serde_json::from_slice(&invocation.body).unwrap_or_default();
        match event["layer"].as_str() {
            None => Box::pin(self.inner.call(invocation)),
            Some("refuse") => Box::pin(ready(Err("the layer refuses".into()))),
            Some("refuse without words") => Box::pin(ready(Err(Wordless.into()))),
            Some("panic") => panic!("the layer was asked to panic"),
            Some("panic later") => Box::pin(async { panic!("the layer was asked to panic") }),
            Some("drop") => Box::pin(ready(Ok(()))),
            Some("forget the extensions") => {
                invocation.parts.extensions.clear();
                Box::pin(self.inner.call(invocation))
            }
            Some("leave early") => {
                let mut inner = Box::pin(self.inner.call(invocation));
                Box::pin(poll_fn(move |cx| {
                    let _ = inner.as_mut().poll(cx);
                    Poll::Ready(Ok(()))
                }))
            }
            Some("fail afterwards") => {
                let inner = self.inner.call(invocation);
                Box::pin(async {
                    inner.await?;
                    Err("the layer fails afterwards".into())
                })
            }
            Some("not ready for the next") => {
                self.not_ready = true;
                Box::pin(self.inner.call(invocation))
            }
            Some(other) => panic!("no such thing for a layer to do: {other}"),
        }
    }
}

/// An error that panics when it is to say what happened.
#[derive(Debug)]
struct Wordless;

impl std::fmt::Display for Wordless {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        panic!("there are no words for it")
    }
}

impl std::error::Error for Wordless {}
