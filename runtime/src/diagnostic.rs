//! Errors, as Lambda and its callers see them.

use std::any::type_name;
use std::error::Error as StdError;

use serde::{Deserialize, Serialize};

use crate::{BadEvent, Error};

/// What went wrong in an invocation: its type and its words, as the caller of the function sees them.
///
/// It is made from any boxed error, from strings and from `std::io::Error`. For an error type of your own, implement
/// `From` and choose the type:
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
    /// The kind of error, by which callers and alarms tell one from another.
    ///
    /// For a boxed error it is the name by which the error's `Debug` output begins (`ParseIntError`, or a variant's
    /// name), taken from the innermost cause that has one.
    pub error_type: String,
    /// The error in words: its `Display` output, and that of its causes where they say more.
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
    // An error that gives itself for its cause has a chain without end.
    const LONGEST: usize = 100;
    std::iter::successors(Some(error), |&error| error.source()).take(LONGEST)
}

/// The name of an error's type, as far as it can be known behind a `dyn Error`: the identifier that derived `Debug`
/// implementations start with.
fn type_of(error: &(dyn StdError + 'static)) -> Option<String> {
    if error.is::<std::io::Error>() {
        return Some(type_name::<std::io::Error>().to_owned());
    }
    if error.is::<BadEvent>() {
        return Some(BadEvent::ERROR_TYPE.to_owned());
    }
    let debug = format!("{error:?}");
    let end = debug.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(debug.len());
    let (name, rest) = debug.split_at_checked(end)?;
    let is_name = name.starts_with(|c: char| c.is_ascii_uppercase());
    let is_derived = matches!(rest.trim_start().chars().next(), None | Some('(' | '{'));
    (is_name && is_derived).then(|| name.to_owned())
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
    use std::fmt;

    #[derive(Debug)]
    enum Outer {
        Wrapped(Inner),
    }

    #[derive(Debug)]
    struct Inner;

    impl fmt::Display for Outer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("outer words")
        }
    }

    impl fmt::Display for Inner {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("inner words")
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
    fn a_boxed_error_is_named_after_its_innermost_cause_and_tells_the_whole_chain() {
        let diagnostic = Diagnostic::from(Error::from(Outer::Wrapped(Inner)));
        assert_eq!(diagnostic.error_type, "Inner");
        assert_eq!(diagnostic.error_message, "outer words: inner words");
    }

    #[test]
    fn an_error_that_gives_itself_for_its_cause_is_told_once() {
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
    fn a_boxed_string_has_no_type_to_show() {
        assert_eq!(
            Diagnostic::from(Error::from("just words")),
            Diagnostic { error_type: "Error".into(), error_message: "just words".into() }
        );
    }

    #[test]
    fn it_is_json_as_lambda_wants_it() {
        let diagnostic = Diagnostic { error_type: "T".into(), error_message: "m".into() };
        assert_eq!(serde_json::to_string(&diagnostic).unwrap(), r#"{"errorType":"T","errorMessage":"m"}"#);
    }
}
