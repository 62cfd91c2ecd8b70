//! The internal extension that makes Lambda announce the end of the process.
//!
//! A process without a registered extension receives SIGKILL immediately. With one it receives SIGTERM first, about 300 ms
//! earlier. See
//! [Shutdown phase](https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-shutdown).

use http::HeaderValue;
use lambda_runtime_proto::client::{self, Event, ReplyKind};

use crate::connection::{Connection, REPEAT_DELAY};
use crate::env::address::Address;
use crate::error::{Error, RunError};
use crate::executor::Executor;

/// A registered extension that subscribes to no events.
pub(crate) struct Extension<X: Executor> {
    connection: Connection<X>,
    identifier: HeaderValue,
}

impl<X: Executor> Extension<X> {
    /// Registers it, before the process requests its first invocation.
    pub(crate) async fn register(executor: X, address: Address) -> Result<Self, Error> {
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
