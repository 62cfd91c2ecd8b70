//! The innermost service: decodes the event, calls the handler, and hands over the outcome.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use tower::Service;

use crate::error::Error;
use crate::error::diagnostic::Diagnostic;
use crate::error::failure::Failure;
use crate::invocation::event::LambdaInvocation;
use crate::invocation::running::Running;
use crate::panics;
use crate::service::outcome::Outcome;
use crate::service::responder::{Acknowledgement, Responder};

/// Adapts a [`Handler`](crate::Handler) to a service of [`LambdaInvocation`]s. `Fut` is the handler's future.
///
/// Its future completes when the API has acknowledged the response, so a layer around it observes the end of the
/// invocation, not only that of the handler. It does not fail: failures of the handler are reported to the API.
pub struct HandlerService<H, Fut> {
    handler: H,
    // Functions instead of a bound on `H`: the compiler would have to prove the bound again wherever `run` is awaited in
    // an `async` block that must be `Send`, and fails to do so for handlers that borrow (rust-lang/rust#110338).
    functions: Functions<H, Fut>,
}

/// The parts of the service that know the types of the handler.
pub(crate) struct Functions<H, Fut> {
    pub(crate) poll_ready: fn(&mut H, &mut Context<'_>) -> Poll<Result<(), Diagnostic>>,
    /// Decodes the event and calls the handler.
    pub(crate) call: fn(&mut H, LambdaInvocation) -> Result<Fut, Failure>,
    /// Polls the handler's future.
    pub(crate) poll: fn(Pin<&mut Fut>, &mut Context<'_>) -> Poll<Outcome>,
}

impl<H, Fut> Clone for Functions<H, Fut> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<H, Fut> Copy for Functions<H, Fut> {}

impl<H, Fut> HandlerService<H, Fut> {
    pub(crate) fn new(handler: H, functions: Functions<H, Fut>) -> Self {
        Self { handler, functions }
    }
}

impl<H: Clone, Fut> Clone for HandlerService<H, Fut> {
    fn clone(&self) -> Self {
        Self::new(self.handler.clone(), self.functions)
    }
}

impl<H, Fut> Service<LambdaInvocation> for HandlerService<H, Fut> {
    type Response = ();
    type Error = Error;
    type Future = HandlerFuture<Fut>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        match panics::catch("the handler", || (self.functions.poll_ready)(&mut self.handler, cx)) {
            Ok(ready) => ready.map_err(|diagnostic| NotReady(diagnostic.into()).into()),
            Err(failure) => Poll::Ready(Err(NotReady(failure).into())),
        }
    }

    fn call(&mut self, mut invocation: LambdaInvocation) -> Self::Future {
        let poll = self.functions.poll;
        let responder = invocation.context.running.responder.take();
        let mut running = invocation.context.running.if_moved();
        if responder.is_none() {
            return HandlerFuture { responder, poll, running, stage: Stage::Failed { failure: None } };
        }
        tracing::trace!(
            target: "lambda_runtime",
            body = %String::from_utf8_lossy(&invocation.body),
            "raw JSON event received from Lambda"
        );
        let called = {
            let _entered = running.enter();
            (self.functions.call)(&mut self.handler, invocation)
        };
        let stage = match called {
            Ok(future) => Stage::Handling { future },
            Err(failure) => Stage::Failed { failure: Some(failure) },
        };
        HandlerFuture { responder, poll, running, stage }
    }
}

/// The handler's `poll_ready` failed.
#[derive(Debug)]
pub(crate) struct NotReady(pub(crate) Failure);

impl fmt::Display for NotReady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.diagnostic.error_message)
    }
}

impl std::error::Error for NotReady {}

pin_project! {
    /// The future of [`HandlerService`].
    pub struct HandlerFuture<Fut> {
        // `None` once it is used, or if a layer replaced the context.
        responder: Option<Responder<Outcome>>,
        poll: fn(Pin<&mut Fut>, &mut Context<'_>) -> Poll<Outcome>,
        running: Running,
        #[pin]
        stage: Stage<Fut>,
    }
}

pin_project! {
    #[project = StageProj]
    enum Stage<Fut> {
        Failed { failure: Option<Failure> },
        Handling { #[pin] future: Fut },
        Responded { acknowledgement: Acknowledgement<Outcome> },
    }
}

impl<Fut> Future for HandlerFuture<Fut> {
    type Output = Result<(), Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let outcome = match this.stage.as_mut().project() {
            StageProj::Responded { acknowledgement } => return Pin::new(acknowledgement).poll(cx).map(Ok),
            StageProj::Failed { failure } => failure.take().map(Outcome::Failure),
            StageProj::Handling { future } => {
                let _entered = this.running.enter();
                match panics::catch("the handler", || (this.poll)(future, cx)) {
                    Ok(polled) => Some(ready!(polled)),
                    Err(failure) => Some(Outcome::Failure(failure)),
                }
            }
        };
        let (Some(outcome), Some(responder)) = (outcome, this.responder.take()) else {
            return Poll::Ready(Err(ContextLost.into()));
        };
        match responder.respond(outcome) {
            Ok(mut acknowledgement) => {
                let acknowledged = Pin::new(&mut acknowledgement).poll(cx);
                this.stage.set(Stage::Responded { acknowledgement });
                acknowledged.map(Ok)
            }
            // The invocation has an outcome already, or is over.
            Err(_) => Poll::Ready(Ok(())),
        }
    }
}

/// The invocation reached the handler without its [`Responder`].
#[derive(Debug)]
struct ContextLost;

impl fmt::Display for ContextLost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a layer replaced the context of an invocation (LambdaInvocation::context), which links it to its connection; \
             change the fields of the context instead",
        )
    }
}

impl std::error::Error for ContextLost {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_that_layers_see_name_the_cause() {
        let not_ready = NotReady(Failure::runtime("Runtime.Test", "the pool is empty".to_owned()));
        assert_eq!(not_ready.to_string(), "the pool is empty");
        assert!(ContextLost.to_string().contains("a layer"), "{ContextLost}");
    }
}
