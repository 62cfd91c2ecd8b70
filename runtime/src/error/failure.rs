//! A failed invocation before it is posted to /error.

use std::fmt;
use std::ops::Deref;

use http::HeaderValue;
use lambda_runtime_proto::client;
use serde::Serialize;
use tracing::Span;

use super::diagnostic::Diagnostic;
use super::xray;

/// The largest report that Lambda Managed Instances accept on /error. Above 6 MiB the API fails in either mode.
const MAX_REPORT: usize = 1024 * 1024;

/// Within [`MAX_TRAILERS`](client::MAX_TRAILERS), leaves room for base64, for the error type and for both names.
const MAX_REPORT_IN_TRAILERS: usize = 2760;

/// Longer values cannot be deliberate names.
const MAX_TYPE: usize = 256;

/// A diagnostic with details that only the runtime has.
///
/// Boxed, because it is rare and would make every result large.
#[derive(Debug)]
pub struct Failure(Box<Details>);

#[derive(Debug)]
pub struct Details {
    pub(crate) diagnostic: Diagnostic,
    /// `None` unless it is a panic.
    pub(crate) panic: Option<Trace>,
    /// The span that was current. The failure is logged in it, with the fields that layers have recorded.
    span: Span,
}

/// Details of a panic that its payload does not contain.
#[derive(Debug)]
pub(crate) struct Trace {
    /// `file:line:column`
    pub(crate) location: String,
    /// The lines of the backtrace, if `RUST_BACKTRACE` is set.
    pub(crate) stack: Vec<String>,
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
    /// A failure that the runtime itself detected. `error_type` has the form `Runtime.Name`.
    pub(crate) fn runtime(error_type: &str, error_message: impl Into<String>) -> Self {
        Diagnostic { error_type: error_type.to_owned(), error_message: error_message.into() }.into()
    }

    /// Adds the details of a panic.
    pub(crate) fn with_panic(mut self, panic: Trace) -> Self {
        self.0.panic = Some(panic);
        self
    }

    pub(crate) fn into_diagnostic(self) -> Diagnostic {
        self.0.diagnostic
    }

    /// The location of a panic: `file:line:column`.
    pub(crate) fn location(&self) -> Option<&str> {
        self.panic.as_ref().map(|panic| &*panic.location)
    }

    /// The lines of a panic's backtrace.
    pub(crate) fn stack_trace(&self) -> &[String] {
        self.panic.as_ref().map_or(&[], |panic| &panic.stack)
    }

    /// Calls `log` with the diagnostic, in the span of the failure.
    pub(crate) fn in_span(&self, log: impl FnOnce(&Diagnostic)) {
        self.span.in_scope(|| log(&self.diagnostic));
    }

    /// For a request to /error, /init/error or /restore/error.
    pub(crate) fn to_proto(&self) -> client::Failure {
        let report = self.to_report(MAX_REPORT);
        let Diagnostic { error_type, error_message } = &self.diagnostic;
        let error = (up_to(MAX_TYPE, error_type), up_to(xray::MAX_MESSAGE, error_message));
        match xray::cause(error, self.location(), self.stack_trace()) {
            Some(cause) => report.xray_cause(cause),
            None => report,
        }
    }

    /// For the trailers of a stream.
    pub(crate) fn to_trailers(&self) -> client::Failure {
        self.to_report(MAX_REPORT_IN_TRAILERS)
    }

    /// Truncates to `limit`: first the outer end of the stack trace, then the end of the message.
    fn to_report(&self, limit: usize) -> client::Failure {
        const CUT: &str = " [truncated]";
        let Diagnostic { error_type, error_message } = &self.diagnostic;
        let report = |error_message: &str, stack_trace: &[String]| {
            let error_type = up_to(MAX_TYPE, error_type);
            // Three strings always serialize.
            serde_json::to_vec(&Report { error_message, error_type, stack_trace }).unwrap_or_else(|_| b"{}".to_vec())
        };
        let mut lines = self.stack_trace();
        let mut body = report(error_message, lines);
        while body.len() > limit && !lines.is_empty() {
            lines = lines.get(..lines.len() / 2).unwrap_or_default();
            body = report(error_message, lines);
        }
        let mut kept = error_message.len().min(limit);
        while body.len() > limit && kept > 0 {
            kept = kept / 4 * 3;
            body = report(&format!("{}{CUT}", up_to(kept, error_message)), lines);
        }
        client::Failure::new(header(error_type), body)
    }
}

/// The first `limit` bytes of `text`, or a few less if they would end within a character.
fn up_to(limit: usize, text: &str) -> &str {
    (0..=limit.min(text.len())).rev().find_map(|end| text.get(..end)).unwrap_or_default()
}

impl Deref for Failure {
    type Target = Details;

    fn deref(&self) -> &Details {
        &self.0
    }
}

/// The error's type and message.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.diagnostic.error_type, self.diagnostic.error_message)
    }
}

impl<D: Into<Diagnostic>> From<D> for Failure {
    fn from(diagnostic: D) -> Self {
        Self(Box::new(Details { diagnostic: diagnostic.into(), panic: None, span: Span::current() }))
    }
}

/// The error type in a form that the API keeps: `Function.Name` or `Runtime.Name`, where the name consists of letters. A
/// path such as `std::io::Error` is reduced to its last name.
fn header(error_type: &str) -> HeaderValue {
    let (prefix, name) = match error_type.split_once('.') {
        Some((prefix @ ("Runtime" | "Function"), name)) => (prefix, name),
        _ => ("Function", error_type),
    };
    let name = name.split('<').next().unwrap_or_default().rsplit("::").next().unwrap_or_default();
    let mut letters: String = name.chars().filter(char::is_ascii_alphabetic).take(MAX_TYPE).collect();
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
    fn every_error_type_is_converted_to_one_that_the_api_keeps() {
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
    fn a_report_never_exceeds_the_limits_of_the_api() {
        for (character, line) in [("y", "z"), ("\u{1}", "\""), ("\u{1f980}", "\u{e9}")] {
            for lengths in [(0, 0), (10_000, 0), (0, 2_000), (10_000, 2_000), (400_000, 2_000)] {
                let (message, lines) = lengths;
                let diagnostic = Diagnostic {
                    error_type: character.repeat(message),
                    error_message: format!("asked for {}", character.repeat(message)),
                };
                let panic = Trace { location: String::new(), stack: vec![line.repeat(70); lines] };
                let failure = Failure::from(diagnostic).with_panic(panic);
                let (request, trailers) = (failure.to_proto(), failure.to_trailers());
                assert!(request.body.len() <= MAX_REPORT);
                let fields = "Lambda-Runtime-Function-Error-Type: \r\nLambda-Runtime-Function-Error-Body: \r\n\r\n";
                let base64 = trailers.body.len().div_ceil(3) * 4;
                assert!(fields.len() + trailers.error_type.len() + base64 <= client::MAX_TRAILERS, "{lengths:?}");
                for body in [&request.body, &trailers.body] {
                    let report: serde_json::Value = serde_json::from_slice(body).unwrap();
                    assert!(report["errorMessage"].as_str().unwrap().starts_with("asked for"), "{report}");
                    let cut = report["errorMessage"].as_str().unwrap().len() < failure.diagnostic.error_message.len();
                    assert!(
                        !cut || report["stackTrace"].as_array().unwrap().is_empty(),
                        "the stack trace is truncated first"
                    );
                }
            }
        }
    }

    #[test]
    fn a_report_is_the_json_of_the_runtime_api() {
        let failure = Failure::from(Diagnostic { error_type: "T".into(), error_message: "\"m\"".into() }).to_proto();
        assert_eq!(&failure.body[..], br#"{"errorMessage":"\"m\"","errorType":"T","stackTrace":[]}"#);
    }
}
