//! The types of `aws_lambda_events` and `lambda_http` read what the command sends: its sample events, and those of the
//! function URL, under an axum application.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command};
use std::sync::Arc;

use aws_lambda_events::eventbridge::EventBridgeEvent;
use aws_lambda_events::lambda_function_urls::LambdaFunctionUrlRequest;
use aws_lambda_events::s3::S3Event;
use aws_lambda_events::sns::SnsEvent;
use aws_lambda_events::sqs::SqsEvent;
use lambda_emulator::front::{Front, Settings};
use lambda_runtime_emulator::Emulator;
use serde_json::{Value, json};

macro_rules! template {
    ($name:literal) => {
        include_str!(concat!("../../../emulator-cli/src/templates/", $name, ".json"))
    };
}

#[test]
fn sample_events_are_those_of_aws_lambda_events() -> Result<(), serde_json::Error> {
    let sqs: SqsEvent = serde_json::from_str(template!("sqs"))?;
    assert_eq!(sqs.records[1].body.as_deref(), Some(r#"{"order":43}"#));
    let sns: SnsEvent = serde_json::from_str(template!("sns"))?;
    assert_eq!(sns.records[0].sns.subject.as_deref(), Some("Disk usage"));
    let s3: S3Event = serde_json::from_str(template!("s3"))?;
    assert_eq!(s3.records[0].s3.object.size, Some(182_044));
    let eventbridge: EventBridgeEvent<Value> = serde_json::from_str(template!("eventbridge"))?;
    assert_eq!((eventbridge.source.as_str(), &eventbridge.detail["order"]), ("com.example.shop", &json!(42)));
    let url: LambdaFunctionUrlRequest = serde_json::from_str(template!("function-url"))?;
    assert_eq!(url.request_context.http.method.as_deref(), Some("POST"));
    assert_eq!(url.cookies.map(|cookies| cookies.len()), Some(2));
    Ok(())
}

/// A `lambda_http` application, and the function URL that invokes it.
struct Application {
    front: Front,
    process: Child,
}

impl Application {
    fn start(variant: &str) -> Self {
        let emulator = Arc::new(Emulator::start().unwrap());
        let mut command = Command::new(env!("CARGO_BIN_EXE_serve"));
        let process = command.arg(variant).envs(emulator.environment()).spawn().unwrap();
        Self { front: Front::start(emulator, Arc::default(), Settings::default()).unwrap(), process }
    }

    /// Head and body of the reply, as they are sent.
    fn request(&self, request: &str) -> (String, String) {
        let mut socket = TcpStream::connect(self.front.address()).unwrap();
        socket.write_all(request.as_bytes()).unwrap();
        let mut reply = String::new();
        // A connection that is reset has sent all that there is.
        let _ = socket.read_to_string(&mut reply);
        let (head, body) = reply.split_once("\r\n\r\n").unwrap();
        (head.to_owned(), body.to_owned())
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

const REQUEST: &str = "POST /a%20path?x=1&y=2&x=3 HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nCookie: a=1; b=2\r\n\
                       Connection: close\r\nContent-Length: 5\r\n\r\nHello";

#[test]
fn an_axum_application_is_served_buffered_and_streamed() {
    for variant in ["run", "run_with_streaming_response"] {
        let application = Application::start(variant);
        let (head, body) = application.request(REQUEST);
        assert!(head.starts_with("HTTP/1.1 201 Created\r\n"), "{variant}: {head}");
        assert_eq!(head.matches("Set-Cookie: ").count(), 2, "{variant}: {head}");
        // Without the framing of chunks.
        let json: String = match head.contains("Transfer-Encoding: chunked") {
            true => body.split("\r\n").enumerate().filter(|(n, _)| n % 2 == 1).map(|(_, chunk)| chunk).collect(),
            false => body,
        };
        let description: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(description["origin"], "API Gateway v2");
        assert_eq!((&description["method"], &description["path"]), (&json!("POST"), &json!("/a%20path")));
        assert_eq!((&description["body"], &description["query"]), (&json!("Hello"), &json!(["x=1", "x=3", "y=2"])));
    }
}

#[test]
fn a_body_that_fails_midway_does_not_look_complete() {
    let application = Application::start("run_with_streaming_response");
    let (head, body) = application.request("GET /truncated HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    assert!(head.contains("Transfer-Encoding: chunked"), "{head}");
    assert!(body.contains("half of it") && !body.ends_with("0\r\n\r\n"), "{body}");
}
