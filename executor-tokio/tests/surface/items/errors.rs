//! Errors of handlers.

use std::convert::Infallible;
use std::fmt;

use lambda_runtime::{Diagnostic, Error, LambdaEvent, run, service_fn};
use serde_json::{Value, json};

#[derive(Debug)]
struct OutOfStock(&'static str);

impl From<OutOfStock> for Diagnostic {
    fn from(error: OutOfStock) -> Diagnostic {
        Diagnostic { error_type: "OutOfStock".into(), error_message: format!("no {} left", error.0) }
    }
}

#[derive(Debug)]
pub(crate) struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it is broken")
    }
}

impl std::error::Error for Broken {}

#[test]
fn a_handler_fails_with_anything_that_becomes_a_diagnostic() {
    async fn fail<E>(event: LambdaEvent<Value>, error: E) -> Result<Value, E> {
        if event.payload.is_null() { Err(error) } else { Ok(event.payload) }
    }

    let _ = || run(service_fn(|event| fail(event, OutOfStock("apples"))));
    let _ = || run(service_fn(|event| fail(event, Error::from(Broken))));
    let _ = || run(service_fn(|event| fail::<Box<dyn std::error::Error>>(event, Broken.into())));
    let _ = || run(service_fn(|event| fail(event, String::from("broken"))));
    let _ = || run(service_fn(|event| fail(event, "broken")));
    let _ = || run(service_fn(|event| fail(event, std::io::Error::other("broken"))));
    let _ = || run(service_fn(|event: LambdaEvent<Value>| async { Ok::<_, Infallible>(event.payload) }));
    let _ = || {
        let diagnostic = Diagnostic { error_type: "Type".into(), error_message: "message".into() };
        run(service_fn(move |event| fail(event, diagnostic.clone())))
    };
}

#[test]
fn a_diagnostic_contains_the_message_of_the_error() {
    let message = |diagnostic: Diagnostic| diagnostic.error_message;
    assert_eq!(message(OutOfStock("apples").into()), "no apples left");
    assert_eq!(message(Error::from(Broken).into()), "it is broken");
    assert_eq!(message(Box::<dyn std::error::Error>::from(Broken).into()), "it is broken");
    assert_eq!(message(String::from("broken").into()), "broken");
    assert_eq!(message("broken".into()), "broken");
    assert_eq!(message(std::io::Error::other("broken").into()), "broken");
    let _ = |error: Infallible| Diagnostic::from(error);
}

#[test]
fn a_diagnostic_is_json_in_camel_case() {
    let diagnostic: lambda_runtime::diagnostic::Diagnostic = OutOfStock("apples").into();
    let json = serde_json::to_value(&diagnostic).unwrap();
    assert_eq!(json, json!({ "errorType": "OutOfStock", "errorMessage": "no apples left" }));
    assert_eq!(serde_json::from_value::<Diagnostic>(json).unwrap(), diagnostic.clone());
    assert!(format!("{diagnostic:?}").contains("OutOfStock"));
}

#[test]
#[cfg(feature = "anyhow")]
fn a_handler_fails_with_anyhow() {
    async fn handler(event: LambdaEvent<String>) -> Result<u8, anyhow::Error> {
        Ok(event.payload.parse()?)
    }

    let _ = || run(service_fn(handler));
    assert_eq!(Diagnostic::from(anyhow::anyhow!("broken")).error_message, "broken");
}

#[test]
#[cfg(feature = "eyre")]
fn a_handler_fails_with_eyre() {
    async fn handler(event: LambdaEvent<String>) -> Result<u8, eyre::Report> {
        Ok(event.payload.parse()?)
    }

    let _ = || run(service_fn(handler));
    assert_eq!(Diagnostic::from(eyre::eyre!("broken")).error_message, "broken");
}

#[test]
#[cfg(feature = "miette")]
fn a_handler_fails_with_miette() {
    async fn handler(event: LambdaEvent<String>) -> Result<u8, miette::Report> {
        event.payload.parse().map_err(|_| miette::miette!("not a number"))
    }

    let _ = || run(service_fn(handler));
    assert_eq!(Diagnostic::from(miette::miette!("broken")).error_message, "broken");
}
