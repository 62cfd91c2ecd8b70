//! A failed invocation, on its way to /error.

use std::fmt;

use bytes::Bytes;
use http::HeaderValue;
use lambda_runtime_proto::client;
use serde::Serialize;
use tracing::Span;

use crate::Diagnostic;
use crate::log::error;

/// A diagnostic and what the runtime knows besides.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) diagnostic: Diagnostic,
    pub(crate) stack_trace: Vec<String>,
    /// Where it was found. It is logged there, with the request id and what else layers have put into their spans.
    span: Span,
}

/// The body of /error, /init/error and of an error trailer. See
/// [Invocation error](https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html#runtimes-api-invokeerror).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    error_message: &'a str,
    error_type: &'a str,
    stack_trace: &'a [String],
}

impl Failure {
    /// A failure that the runtime itself found: `error_type` has the form `Runtime.Name`.
    pub(crate) fn runtime(error_type: &str, error_message: impl Into<String>) -> Self {
        Diagnostic { error_type: error_type.to_owned(), error_message: error_message.into() }.into()
    }

    /// Logs it, behind words that say of what.
    pub(crate) fn log(&self, of_what: fmt::Arguments<'_>) {
        self.span.in_scope(|| error!("{of_what}: {self}"));
    }

    pub(crate) fn to_proto(&self) -> client::Failure {
        let Diagnostic { error_type, error_message } = &self.diagnostic;
        let report = Report { error_message, error_type, stack_trace: &self.stack_trace };
        // Three strings always serialize.
        let body = serde_json::to_vec(&report).map_or_else(|_| Bytes::from_static(b"{}"), Bytes::from);
        client::Failure::new(header(error_type), body)
    }
}

/// The error's type and its words.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.diagnostic.error_type, self.diagnostic.error_message)
    }
}

impl<D: Into<Diagnostic>> From<D> for Failure {
    fn from(diagnostic: D) -> Self {
        Self { diagnostic: diagnostic.into(), stack_trace: Vec::new(), span: Span::current() }
    }
}

/// The error type in a form that the API keeps: `Function.Name` or `Runtime.Name` with a name of letters. A path
/// (`std::io::Error`) is reduced to its last name.
fn header(error_type: &str) -> HeaderValue {
    let (prefix, name) = match error_type.split_once('.') {
        Some((prefix @ ("Runtime" | "Function"), name)) => (prefix, name),
        _ => ("Function", error_type),
    };
    let name = name.split('<').next().unwrap_or_default().rsplit("::").next().unwrap_or_default();
    let mut letters: String = name.chars().filter(char::is_ascii_alphabetic).collect();
    if let Some(first) = letters.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    if letters.len() < 2 {
        letters = "Error".to_owned();
    }
    HeaderValue::try_from(format!("{prefix}.{letters}")).unwrap_or(HeaderValue::from_static("Function.Error"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_type_becomes_one_that_the_api_keeps() {
        for (error_type, expected) in [
            ("Function.Panic", "Function.Panic"),
            ("Runtime.BadEvent", "Runtime.BadEvent"),
            ("OutOfStock", "Function.OutOfStock"),
            ("std::io::error::Error", "Function.Error"),
            ("alloc::string::String", "Function.String"),
            ("alloc::vec::Vec<core::option::Option<u8>>", "Function.Vec"),
            ("snake_case", "Function.Snakecase"),
            ("&str", "Function.Str"),
            ("Äpfel\r\nX: y", "Function.PfelXy"),
            ("42", "Function.Error"),
            ("", "Function.Error"),
            ("Other.Thing", "Function.OtherThing"),
        ] {
            assert_eq!(header(error_type), expected, "{error_type:?}");
        }
    }

    #[test]
    fn the_report_is_the_json_of_the_runtime_api() {
        let failure = Failure::from(Diagnostic { error_type: "T".into(), error_message: "\"m\"".into() }).to_proto();
        assert_eq!(&failure.body[..], br#"{"errorMessage":"\"m\"","errorType":"T","stackTrace":[]}"#);
    }
}
