//! Errors as Lambda and its callers see them.

use std::any::type_name;
use std::error::Error as StdError;
use std::fmt::{self, Write as _};

use serde::{Deserialize, Serialize};

use super::Error;
use super::bad_event::BadEvent;

/// A failed invocation as the caller of the function sees it: a type and a message.
///
/// Boxed errors, strings and `std::io::Error` convert to it. For your own error type, implement `From` and choose the
/// type:
///
/// ```
/// use lambda_runtime_base::{Diagnostic, LambdaEvent};
///
/// #[derive(Debug)]
/// struct OutOfStock(&'static str);
///
/// impl From<OutOfStock> for Diagnostic {
///     fn from(error: OutOfStock) -> Diagnostic {
///         Diagnostic { error_type: "OutOfStock".into(), error_message: format!("no {} left", error.0) }
///     }
/// }
///
/// async fn handler(_event: LambdaEvent<()>) -> Result<(), OutOfStock> {
///     Err(OutOfStock("apples"))
/// }
/// ```
#[derive(Debug, Eq, PartialEq, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Diagnostic {
    /// The kind of error, for callers and alarms.
    ///
    /// For a boxed error, the name at the start of the `Debug` output of the innermost cause that has one: a type such as
    /// `ParseIntError`, or a variant.
    pub error_type: String,
    /// The message: for a boxed error, its `Display` output, followed by those of its causes unless it contains them.
    pub error_message: String,
}

impl Diagnostic {
    pub(crate) fn of(error: &(dyn StdError + 'static)) -> Self {
        let error_type = chain(error).filter_map(type_of).last().unwrap_or_else(|| "Error".to_owned());
        let mut error_message = error.to_string();
        for cause in chain(error).skip(1).map(ToString::to_string) {
            if !error_message.contains(&cause) {
                error_message.push_str(": ");
                error_message.push_str(&cause);
            }
        }
        Diagnostic { error_type, error_message }
    }
}

/// The error and its causes, outermost first.
fn chain<'e>(error: &'e (dyn StdError + 'static)) -> impl Iterator<Item = &'e (dyn StdError + 'static)> {
    // An error that returns itself as its source has an endless chain.
    const MAX_CAUSES: usize = 100;
    std::iter::successors(Some(error), |&error| error.source()).take(MAX_CAUSES)
}

/// The best guess at the name of a `dyn Error`'s type: the identifier at the start of its `Debug` output, which is the name
/// if `Debug` is derived.
fn type_of(error: &(dyn StdError + 'static)) -> Option<String> {
    if error.is::<std::io::Error>() {
        return Some(type_name::<std::io::Error>().to_owned());
    }
    if error.is::<BadEvent>() {
        return Some(BadEvent::ERROR_TYPE.to_owned());
    }
    let debug = debug_prefix(error);
    let end = debug.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(debug.len());
    let (name, rest) = debug.split_at_checked(end)?;
    let is_name = name.starts_with(|c: char| c.is_ascii_uppercase());
    let is_derived = matches!(rest.trim_start().chars().next(), None | Some('(' | '{'));
    (is_name && is_derived).then(|| name.to_owned())
}

/// The start of an error's `Debug` output, which may be as large as the data that the error holds.
fn debug_prefix(error: &dyn StdError) -> String {
    /// Longer identifiers are truncated.
    const MAX_PREFIX: usize = 128;

    struct Prefix(String);

    impl fmt::Write for Prefix {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            let room = MAX_PREFIX.saturating_sub(self.0.len());
            self.0.extend(text.chars().take(room));
            // An error ends the formatting.
            if self.0.len() < MAX_PREFIX { Ok(()) } else { Err(fmt::Error) }
        }
    }

    let mut prefix = Prefix(String::new());
    let _ = write!(prefix, "{error:?}");
    prefix.0
}

impl From<Error> for Diagnostic {
    fn from(error: Error) -> Self {
        Diagnostic::of(error.as_ref())
    }
}

impl From<Box<dyn StdError>> for Diagnostic {
    fn from(error: Box<dyn StdError>) -> Self {
        Diagnostic::of(error.as_ref())
    }
}

impl From<BadEvent> for Diagnostic {
    fn from(error: BadEvent) -> Self {
        Diagnostic::of(&error)
    }
}

impl From<std::io::Error> for Diagnostic {
    fn from(error: std::io::Error) -> Self {
        Diagnostic::of(&error)
    }
}

#[cfg(feature = "anyhow")]
#[cfg_attr(docsrs, doc(cfg(feature = "anyhow")))]
impl From<anyhow::Error> for Diagnostic {
    fn from(error: anyhow::Error) -> Self {
        Diagnostic::of(error.as_ref())
    }
}

#[cfg(feature = "eyre")]
#[cfg_attr(docsrs, doc(cfg(feature = "eyre")))]
impl From<eyre::Report> for Diagnostic {
    fn from(error: eyre::Report) -> Self {
        Diagnostic::of(error.as_ref())
    }
}

#[cfg(feature = "miette")]
#[cfg_attr(docsrs, doc(cfg(feature = "miette")))]
impl From<miette::Report> for Diagnostic {
    fn from(error: miette::Report) -> Self {
        let error: Box<dyn StdError + Send + Sync> = error.into();
        Diagnostic::of(error.as_ref())
    }
}

impl From<std::convert::Infallible> for Diagnostic {
    fn from(error: std::convert::Infallible) -> Self {
        match error {}
    }
}

impl From<String> for Diagnostic {
    fn from(error_message: String) -> Self {
        Diagnostic { error_type: type_name::<String>().to_owned(), error_message }
    }
}

impl From<&'static str> for Diagnostic {
    fn from(error_message: &'static str) -> Self {
        Diagnostic { error_type: type_name::<&'static str>().to_owned(), error_message: error_message.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    enum Outer {
        Wrapped(Inner),
    }

    #[derive(Debug)]
    struct Inner;

    impl fmt::Display for Outer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("outer message")
        }
    }

    impl fmt::Display for Inner {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("inner message")
        }
    }

    impl StdError for Outer {
        fn source(&self) -> Option<&(dyn StdError + 'static)> {
            let Outer::Wrapped(inner) = self;
            Some(inner)
        }
    }

    impl StdError for Inner {}

    #[test]
    fn a_boxed_error_has_the_type_of_its_innermost_cause_and_the_messages_of_all() {
        let diagnostic = Diagnostic::from(Error::from(Outer::Wrapped(Inner)));
        assert_eq!(diagnostic.error_type, "Inner");
        assert_eq!(diagnostic.error_message, "outer message: inner message");
    }

    #[test]
    fn an_error_that_is_its_own_cause_is_reported_once() {
        #[derive(Debug)]
        struct Circular;

        impl fmt::Display for Circular {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("round and round")
            }
        }

        impl StdError for Circular {
            fn source(&self) -> Option<&(dyn StdError + 'static)> {
                Some(self)
            }
        }

        let diagnostic = Diagnostic::from(Error::from(Circular));
        assert_eq!((&*diagnostic.error_type, &*diagnostic.error_message), ("Circular", "round and round"));
    }

    #[test]
    fn an_error_of_std_keeps_its_name() {
        let error: Error = "x".parse::<i32>().unwrap_err().into();
        assert_eq!(Diagnostic::from(error).error_type, "ParseIntError");
        let error = std::io::Error::other("no disk");
        assert_eq!(
            Diagnostic::from(error),
            Diagnostic { error_type: "std::io::error::Error".into(), error_message: "no disk".into() }
        );
    }

    #[test]
    fn a_boxed_string_has_no_type() {
        assert_eq!(
            Diagnostic::from(Error::from("just text")),
            Diagnostic { error_type: "Error".into(), error_message: "just text".into() }
        );
    }

    #[test]
    fn it_serializes_as_lambdas_json() {
        let diagnostic = Diagnostic { error_type: "T".into(), error_message: "m".into() };
        assert_eq!(serde_json::to_string(&diagnostic).unwrap(), r#"{"errorType":"T","errorMessage":"m"}"#);
    }
}
