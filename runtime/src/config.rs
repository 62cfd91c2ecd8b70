//! The function's configuration.

use serde::{Deserialize, Serialize};

/// What the environment says of the function. See
/// [Defined runtime environment variables](https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime).
#[derive(Debug, Default, Clone, Eq, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// Its name: `AWS_LAMBDA_FUNCTION_NAME`.
    pub function_name: String,
    /// The memory that it may use, in MB: `AWS_LAMBDA_FUNCTION_MEMORY_SIZE`.
    pub memory: i32,
    /// The version that runs, `$LATEST` or a number: `AWS_LAMBDA_FUNCTION_VERSION`.
    pub version: String,
    /// The log stream of this environment: `AWS_LAMBDA_LOG_STREAM_NAME`.
    pub log_stream: String,
    /// The log group of the function: `AWS_LAMBDA_LOG_GROUP_NAME`.
    pub log_group: String,
}

impl Config {
    /// Reads the environment. Lambda always sets these variables; where one is missing or no number, as in a local
    /// run, its field is empty or 0.
    pub fn from_env() -> Self {
        let text = |name| std::env::var(name).unwrap_or_default();
        Config {
            function_name: text("AWS_LAMBDA_FUNCTION_NAME"),
            memory: text("AWS_LAMBDA_FUNCTION_MEMORY_SIZE").parse().unwrap_or_default(),
            version: text("AWS_LAMBDA_FUNCTION_VERSION"),
            log_stream: text("AWS_LAMBDA_LOG_STREAM_NAME"),
            log_group: text("AWS_LAMBDA_LOG_GROUP_NAME"),
        }
    }
}
