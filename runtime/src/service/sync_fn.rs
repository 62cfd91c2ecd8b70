//! Plain functions as handlers.

use std::fmt;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use tower::Service;

use crate::invocation::event::LambdaEvent;

/// Makes a handler of a function or closure that is not `async`.
///
/// ```
/// use lambda_runtime_base::{Error, Executor, LambdaEvent, Runtime, sync_fn};
///
/// fn shout(event: LambdaEvent<String>) -> Result<String, Error> {
///     Ok(event.payload.to_uppercase())
/// }
///
/// async fn serve<X: Executor + Default>() -> Result<(), Error> {
///     Runtime::<_, X>::new(sync_fn(shout)).run().await
/// }
/// ```
///
/// The function blocks the thread that polls the runtime, as intended with `lambda-runtime-blocking`. On other executors, use
/// it only for short computations.
pub fn sync_fn<F, A, R, E>(f: F) -> SyncFn<F>
where
    F: FnMut(LambdaEvent<A>) -> Result<R, E>,
{
    SyncFn(f)
}

/// The service of [`sync_fn`].
#[derive(Clone, Copy)]
pub struct SyncFn<F>(F);

impl<F> fmt::Debug for SyncFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SyncFn").finish_non_exhaustive()
    }
}

impl<F, A, R, E> Service<LambdaEvent<A>> for SyncFn<F>
where
    F: FnMut(LambdaEvent<A>) -> Result<R, E>,
{
    type Response = R;
    type Error = E;
    type Future = Ready<Result<R, E>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), E>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, event: LambdaEvent<A>) -> Self::Future {
        ready((self.0)(event))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    #[test]
    fn it_can_be_printed_although_a_function_cannot() {
        let handler = sync_fn(|event: LambdaEvent<u8>| Ok::<_, Error>(event.payload));
        assert_eq!(format!("{handler:?}"), "SyncFn { .. }");
    }
}
