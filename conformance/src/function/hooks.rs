//! Initialisation and SnapStart hooks that fail on request.

use std::env;
use std::sync::Arc;

use lambda_runtime_base::{BoxFuture, Diagnostic, Error, SnapStartResource};

use super::handler::out_of_stock;

/// The function's own initialisation: it fails if `CONFORMANCE_INIT` is `error`.
///
/// # Errors
///
/// The variable asks for one.
pub async fn initialization() -> Result<(), Diagnostic> {
    match env::var("CONFORMANCE_INIT").as_deref() {
        Ok("error") => Err(out_of_stock()),
        _ => Ok(()),
    }
}

/// SnapStart hooks of which one fails if `CONFORMANCE_INIT` is its name: `before snapshot` or `after restore`.
#[derive(Debug)]
pub struct FailingHooks {
    failing: Option<String>,
}

impl FailingHooks {
    /// Reads the variable.
    pub fn from_environment() -> Arc<Self> {
        Arc::new(Self { failing: env::var("CONFORMANCE_INIT").ok() })
    }

    fn hook(&self, name: &str) -> Result<(), Error> {
        match self.failing.as_deref() == Some(name) {
            true => Err(out_of_stock().error_message.into()),
            false => Ok(()),
        }
    }
}

impl SnapStartResource for FailingHooks {
    fn before_snapshot(&self) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async { self.hook("before snapshot") })
    }

    fn after_restore(&self) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async { self.hook("after restore") })
    }
}
