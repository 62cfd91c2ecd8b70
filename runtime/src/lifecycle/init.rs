//! Initialisation of the function: a failure is reported to Lambda before the process ends.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use lambda_runtime_proto::client;

use crate::connection::Connection;
use crate::env::Environment;
use crate::env::address::Address;
use crate::error::Error;
use crate::error::diagnostic::Diagnostic;
use crate::error::failure::Failure;
use crate::executor::Executor;
use crate::logging::messages;
use crate::panics;

/// The executors' `initialize`. Without an address, that of the environment is used.
#[doc(hidden)]
pub async fn initialize<X, T, E>(
    executor: X,
    address: Option<Address>,
    initialization: impl Future<Output = Result<T, E>>,
) -> Result<T, Error>
where
    X: Executor,
    E: Into<Diagnostic>,
{
    panics::install_hook();
    let mut initialization = pin!(initialization);
    let poll = |cx: &mut std::task::Context<'_>| {
        let polled = panics::catch("the initialization", || {
            initialization.as_mut().poll(cx).map(|result| result.map_err(|error| Failure::from(error.into())))
        });
        polled.unwrap_or_else(|failure| Poll::Ready(Err(failure)))
    };
    let failure = match poll_fn(poll).await {
        Ok(initialized) => return Ok(initialized),
        Err(failure) => failure,
    };
    messages::initialization_failed(&failure);
    // Without an API, as in a local run, the log is all there is.
    if let Some(address) = address.or_else(|| Address::from_environment(&Environment::Process).ok()) {
        let config = client::Config::new(address.authority().clone()).base_path(address.base_path().clone());
        let mut connection = Connection::new(executor, address, config);
        // Never refused: it is the first request of this connection.
        let _ = connection.client.init_error(failure.to_proto());
        connection.report().await;
    }
    Err(InitError(failure.into_diagnostic()).into())
}

/// The initialisation failed. `Debug` prints the same text as `Display`, as for [`RunError`](crate::RunError).
struct InitError(Diagnostic);

impl fmt::Display for InitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let InitError(Diagnostic { error_type, error_message }) = self;
        write!(f, "the initialization failed: {error_type}: {error_message}")
    }
}

impl fmt::Debug for InitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for InitError {}
