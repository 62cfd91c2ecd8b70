//! The function's configuration.

use serde::{Deserialize, Serialize};

use super::Environment;

/// The function's configuration, from the environment. See
/// [Defined runtime environment variables](https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime).
#[derive(Debug, Default, Clone, Eq, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// The function's name: `AWS_LAMBDA_FUNCTION_NAME`.
    pub function_name: String,
    /// The memory limit in MB: `AWS_LAMBDA_FUNCTION_MEMORY_SIZE`.
    pub memory: i32,
    /// The version that runs, `$LATEST` or a number: `AWS_LAMBDA_FUNCTION_VERSION`.
    pub version: String,
    /// The log stream of this environment: `AWS_LAMBDA_LOG_STREAM_NAME`.
    pub log_stream: String,
    /// The log group of the function: `AWS_LAMBDA_LOG_GROUP_NAME`.
    pub log_group: String,
}

impl Config {
    /// Reads the environment. Lambda sets all of these variables; if one is missing or not a number, as in a local run, its
    /// field is empty or 0.
    pub fn from_env() -> Self {
        Self::from_environment(&Environment::Process)
    }

    pub(crate) fn from_environment(environment: &Environment) -> Self {
        let text = |name| environment.text(name).unwrap_or_default();
        Config {
            function_name: text("AWS_LAMBDA_FUNCTION_NAME"),
            memory: text("AWS_LAMBDA_FUNCTION_MEMORY_SIZE").parse().unwrap_or_default(),
            version: text("AWS_LAMBDA_FUNCTION_VERSION"),
            log_stream: text("AWS_LAMBDA_LOG_STREAM_NAME"),
            log_group: text("AWS_LAMBDA_LOG_GROUP_NAME"),
        }
    }
}
