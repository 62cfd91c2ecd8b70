//! The application handles the event of a function URL, buffered and streamed.

use std::process::{Child, Command};

use lambda_runtime_emulator::{Emulator, Outcome};
use serde_json::{Value, json};

#[test]
fn a_buffered_response() {
    let outcome = invoke(&[]);
    assert!(outcome.is_complete() && !outcome.is_streamed(), "{outcome:?}");
    let response = outcome.json().unwrap();
    assert_eq!(response["statusCode"], 200);
    assert_eq!(response["body"], r#"{"message":"Hello, World!"}"#);
}

#[test]
fn a_streamed_response() {
    let outcome = invoke(&["streaming"]);
    assert!(outcome.is_complete() && outcome.is_streamed(), "{outcome:?}");
    let prelude: Value = serde_json::from_slice(&outcome.prelude().unwrap()).unwrap();
    assert_eq!(prelude["statusCode"], json!(200));
    assert_eq!(outcome.payload(), r#"{"message":"Hello, World!"}"#);
}

fn invoke(arguments: &[&str]) -> Outcome {
    let emulator = Emulator::start().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_axum-on-smol"));
    let _function = Function(command.args(arguments).envs(emulator.environment()).spawn().unwrap());
    emulator.invoke(include_str!("../../../../examples/events/http.json")).unwrap()
}

struct Function(Child);

impl Drop for Function {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
