//! Environment variables.

pub(crate) mod address;
pub(crate) mod config;
pub(crate) mod trace_id;

use std::collections::HashMap;
use std::ffi::OsString;

/// The address of the Runtime API.
pub(crate) const RUNTIME_API: &str = "AWS_LAMBDA_RUNTIME_API";

/// The number of workers.
pub(crate) const MAX_CONCURRENCY: &str = "AWS_LAMBDA_MAX_CONCURRENCY";

/// How the execution environment was initialised: `on-demand`, `provisioned-concurrency`, `snap-start` or
/// `lambda-managed-instances`.
pub(crate) const INITIALIZATION_TYPE: &str = "AWS_LAMBDA_INITIALIZATION_TYPE";

/// The source of environment variables.
#[derive(Debug, Clone, Default)]
pub(crate) enum Environment {
    /// The process.
    #[default]
    Process,
    /// These variables and no others.
    Given(HashMap<String, OsString>),
}

impl Environment {
    pub(crate) fn get(&self, name: &str) -> Option<OsString> {
        match self {
            Environment::Process => std::env::var_os(name),
            Environment::Given(variables) => variables.get(name).cloned(),
        }
    }

    /// The variable's value, if it is UTF-8.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.get(name)?.into_string().ok()
    }
}
