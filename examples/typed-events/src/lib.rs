//! Events and responses with the types of [`aws_lambda_events`]; the programs in `bin` run the handlers on each executor.

pub mod http;
pub mod sqs;
