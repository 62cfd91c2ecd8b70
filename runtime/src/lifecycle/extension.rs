//! The internal extension that makes Lambda announce the end of the process.
//!
//! A process without a registered extension receives SIGKILL immediately. With one it receives SIGTERM first, about 300 ms
//! earlier. See
//! [Shutdown phase](https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-shutdown).

use std::time::Duration;

use http::HeaderValue;
use lambda_runtime_proto::client::{self, Event, ReplyKind};

use crate::connection::{Connection, REPEAT_DELAY};
use crate::env::address::Address;
use crate::error::{Error, RunError};
use crate::executor::{Executor, timeout};

/// Time for the registration.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A registered extension that subscribes to no events.
pub(crate) struct Extension<X: Executor> {
    connection: Connection<X>,
    identifier: HeaderValue,
}

impl<X: Executor> Extension<X> {
    /// Registers it, before the process requests its first invocation.
    ///
    /// An API that does not reply must not delay the first invocation forever.
    pub(crate) async fn register(executor: X, address: Address) -> Result<Self, Error> {
        let timed_out =
            || format!("the API at {address} did not reply to the registration of an extension within {TIMEOUT:?}");
        let sleep = executor.sleep(TIMEOUT);
        let registered = timeout(sleep, Self::try_register(executor, address.clone())).await;
        registered.unwrap_or_else(|| Err(timed_out().into()))
    }

    async fn try_register(executor: X, address: Address) -> Result<Self, Error> {
        const NAME: HeaderValue = HeaderValue::from_static("_lambda-rust-runtime-no-op-graceful-shutdown-helper");
        let config = client::Config::new(address.authority().clone()).base_path(address.base_path().clone());
        let mut connection = Connection::new(executor, address, config);
        connection.client.register_extension(&NAME, r#"{"events":[]}"#)?;
        loop {
            let Event::Reply(reply) = connection.event().await? else { continue };
            if reply.kind() != ReplyKind::Accepted {
                return Err(RunError::refused(&reply).into());
            }
            let identifier = reply.headers().get("lambda-extension-identifier");
            let Some(identifier) = identifier.and_then(|value| HeaderValue::from_bytes(value).ok()) else {
                return Err("the API registered the extension without a header Lambda-Extension-Identifier".into());
            };
            return Ok(Self { connection, identifier });
        }
    }

    /// Requests events, which ends Lambda's wait for the extension; there are none. Returns only on failure.
    pub(crate) async fn run(mut self) -> Error {
        loop {
            if let Err(misuse) = self.connection.client.next_extension_event(&self.identifier) {
                return misuse.into();
            }
            match self.connection.event().await {
                Ok(Event::Reply(reply)) if reply.kind() != ReplyKind::Accepted => {
                    return RunError::refused(&reply).into();
                }
                // An event that was not subscribed to may arrive again at once.
                Ok(_) => self.connection.sleep(REPEAT_DELAY).await,
                Err(error) => return error.into(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{Pending, pending, ready};
    use std::io::{self, IoSlice};
    use std::task::{Context, Poll};

    use futures_util::FutureExt as _;

    use super::*;
    use crate::executor::{BoxFuture, Transport};

    /// Connecting takes forever, and only the time for the registration passes.
    #[derive(Clone)]
    struct Unresponsive;

    impl Executor for Unresponsive {
        type Transport = Never;
        type Connect = Pending<io::Result<Never>>;
        type Sleep = BoxFuture<'static, ()>;

        fn connect(&self, _: &str, _: u16) -> Self::Connect {
            pending()
        }

        fn sleep(&self, duration: Duration) -> Self::Sleep {
            if duration == TIMEOUT { Box::pin(ready(())) } else { Box::pin(pending()) }
        }
    }

    enum Never {}

    impl Transport for Never {
        fn poll_read(&mut self, _: &mut Context<'_>, _: &mut [u8]) -> Poll<io::Result<usize>> {
            match *self {}
        }

        fn poll_write_vectored(&mut self, _: &mut Context<'_>, _: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
            match *self {}
        }
    }

    #[test]
    fn a_registration_without_a_reply_times_out() {
        let address = "127.0.0.1:9001".parse().unwrap();
        let registered = Extension::register(Unresponsive, address).now_or_never().expect("time has passed");
        let error = registered.err().unwrap().to_string();
        assert!(error.contains("127.0.0.1:9001") && error.contains("did not reply"), "{error}");
    }
}
