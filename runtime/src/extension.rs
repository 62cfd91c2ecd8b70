//! The extension that makes Lambda say when it is about to end the process.
//!
//! A process without a registered extension gets SIGKILL straight away. With one it gets SIGTERM first, and some 300 ms.
//! See [Shutdown phase](https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-shutdown).

use http::HeaderValue;
use lambda_runtime_proto::client::{self, Event, ReplyKind};

use crate::connection::{Connection, PAUSE};
use crate::{Address, Error, Executor, RunError};

/// A registered extension that subscribes to no events.
pub(crate) struct Extension<X: Executor> {
    connection: Connection<X>,
    identifier: HeaderValue,
}

impl<X: Executor + Default> Extension<X> {
    /// Registers it. The process must not have asked for its first invocation yet.
    pub(crate) async fn register() -> Result<Self, Error> {
        const NAME: HeaderValue = HeaderValue::from_static("_lambda-rust-runtime-no-op-graceful-shutdown-helper");
        let address = Address::from_env()?;
        let config = client::Config::new(address.authority.clone()).base_path(address.base_path.clone());
        let mut connection = Connection::new(X::default(), address, config);
        connection.client.register_extension(&NAME, r#"{"events":[]}"#)?;
        loop {
            let Event::Reply(answer) = connection.event(|_, _| {}).await? else { continue };
            if answer.kind() != ReplyKind::Accepted {
                return Err(RunError::refused(&answer).into());
            }
            let identifier = answer.headers().get("lambda-extension-identifier");
            let Some(identifier) = identifier.and_then(|value| HeaderValue::from_bytes(value).ok()) else {
                return Err("the API registers extensions without a header Lambda-Extension-Identifier".into());
            };
            return Ok(Self { connection, identifier });
        }
    }

    /// Says that it is ready, which ends Lambda's wait for it, and waits for ever. Returns only on failure.
    pub(crate) async fn run(mut self) -> Error {
        loop {
            if let Err(misuse) = self.connection.client.next_extension_event(&self.identifier) {
                return misuse.into();
            }
            match self.connection.event(|_, _| {}).await {
                Ok(Event::Reply(answer)) if answer.kind() != ReplyKind::Accepted => {
                    return RunError::refused(&answer).into();
                }
                // No event is subscribed to, so nothing should come: but if something does, it may come again and again.
                Ok(_) => self.connection.sleep(PAUSE).await,
                Err(error) => return error.into(),
            }
        }
    }
}
