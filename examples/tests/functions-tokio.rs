//! Tests of functions: the emulator serves the Runtime API, and the function runs as a task in the test's process.
//!
//!     cargo test -p examples --test functions-tokio

use lambda_runtime_emulator::Emulator;
use lambda_runtime_tokio::streaming::{Body, Response, channel};
use lambda_runtime_tokio::{Diagnostic, Error, LambdaEvent, PlainStream, Runtime, service_fn};
use serde_json::json;

/// Returns a buffered response.
async fn shout(event: LambdaEvent<String>) -> Result<String, Diagnostic> {
    if event.payload.is_empty() {
        return Err(Diagnostic { error_type: "Silence".into(), error_message: "there is nothing to shout".into() });
    }
    Ok(event.payload.to_uppercase())
}

/// Returns a streamed response with a metadata prelude.
async fn spell(event: LambdaEvent<String>) -> Result<Response<Body>, Error> {
    let (mut sender, body) = channel();
    tokio::spawn(async move {
        for letter in event.payload.chars() {
            if letter.is_whitespace() {
                return sender.send_error("unexpected whitespace");
            }
            let _ = sender.send_data(format!("{letter}.").into()).await;
        }
    });
    Ok(Response::from(body))
}

/// Returns a streamed response that is not the body of an HTTP response.
async fn table(event: LambdaEvent<u32>) -> Result<PlainStream<Body>, Error> {
    let rows: String = (1..=event.payload).map(|row| format!("{row},{}\n", row * row)).collect();
    Ok(PlainStream::new("text/csv".parse()?, Body::from(rows)))
}

#[tokio::test]
async fn a_response_contains_the_return_value_of_the_handler() -> Result<(), Error> {
    let emulator = Emulator::start()?;
    // The function is a task on the same thread: `invoke` would block it, `invoke_async` does not.
    tokio::spawn(Runtime::new(service_fn(shout)).address(emulator.endpoint().parse()?).run());

    let outcome = emulator.invoke_async(r#""hello""#).await?;
    assert!(outcome.is_complete());
    assert_eq!(outcome.json()?, "HELLO");
    Ok(())
}

#[tokio::test]
async fn an_error_has_a_type_and_a_message() -> Result<(), Error> {
    let emulator = Emulator::start()?;
    tokio::spawn(Runtime::new(service_fn(shout)).address(emulator.endpoint().parse()?).run());

    let outcome = emulator.invoke_async(r#""""#).await?;
    let error = outcome.error().ok_or("the invocation did not fail")?;
    assert_eq!((error.error_type(), error.message().as_str()), ("Function.Silence", "there is nothing to shout"));
    // The cause that X-Ray shows.
    let cause: serde_json::Value = serde_json::from_str(error.xray_cause().ok_or("the error has no cause for X-Ray")?)?;
    let exception = json!({ "type": "Silence", "message": "there is nothing to shout", "stack": [] });
    assert_eq!(cause["exceptions"], json!([exception]));

    // The function serves the next invocation.
    assert_eq!(emulator.invoke_async(r#""hello""#).await?.json()?, "HELLO");
    Ok(())
}

#[tokio::test]
async fn a_stream_has_a_prelude_and_a_payload() -> Result<(), Error> {
    let emulator = Emulator::start()?;
    tokio::spawn(Runtime::new(service_fn(spell)).address(emulator.endpoint().parse()?).run());

    let outcome = emulator.invoke_async(r#""abc""#).await?;
    assert!(outcome.is_complete() && outcome.is_streamed());
    assert_eq!(outcome.payload(), "a.b.c.");
    let prelude: serde_json::Value = serde_json::from_slice(&outcome.prelude().ok_or("the response has no prelude")?)?;
    assert_eq!(prelude["statusCode"], json!(200));
    Ok(())
}

#[tokio::test]
async fn a_stream_that_fails_midway_is_a_partial_response_and_an_error() -> Result<(), Error> {
    let emulator = Emulator::start()?;
    tokio::spawn(Runtime::new(service_fn(spell)).address(emulator.endpoint().parse()?).run());

    let outcome = emulator.invoke_async(r#""ab c""#).await?;
    assert!(!outcome.is_complete());
    assert_eq!(outcome.payload(), "a.b.");
    assert_eq!(outcome.error().ok_or("the invocation did not fail")?.message(), "unexpected whitespace");
    Ok(())
}

#[tokio::test]
async fn a_plain_stream_has_a_content_type_and_no_prelude() -> Result<(), Error> {
    let emulator = Emulator::start()?;
    tokio::spawn(Runtime::new(service_fn(table)).address(emulator.endpoint().parse()?).run());

    let outcome = emulator.invoke_async("3").await?;
    let head = outcome.head().ok_or("the invocation has no response")?;
    assert_eq!((head.content_type(), head.is_streamed(), head.has_prelude()), (Some("text/csv"), true, false));
    assert_eq!(outcome.text(), "1,1\n2,4\n3,9\n");
    Ok(())
}
