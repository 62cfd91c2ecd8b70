//! AWS's SDK for Rust invokes a function in the command: each call, each error and a stream.
//!
//! `aws-sdk EMULATOR FUNCTION`, where FUNCTION is the test function of the command.

use std::error::Error;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use aws_sdk_lambda::Client;
use aws_sdk_lambda::config::retry::RetryConfig;
use aws_sdk_lambda::config::{Credentials, Region};
use aws_sdk_lambda::error::ProvideErrorMetadata;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{
    InvocationType, InvokeWithResponseStreamResponseEvent as StreamEvent, LogType, ResponseStreamingInvocationType,
};
use serde_json::{Value, json};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// A command that serves, until it is dropped.
struct Emulator {
    child: Child,
    client: Client,
}

impl Emulator {
    fn start(options: &[&str]) -> Result<Self> {
        let [_, emulator, function] = &std::env::args().collect::<Vec<_>>()[..] else {
            return Err("usage: aws-sdk EMULATOR FUNCTION".into());
        };
        let mut child = Command::new(emulator)
            .args(["--port", "0"])
            .args(options)
            .arg("--")
            .arg(function)
            .stderr(Stdio::piped())
            .spawn()?;
        let mut lines = BufReader::new(child.stderr.take().ok_or("no stderr")?).lines();
        let address = loop {
            let line = lines.next().ok_or("the emulator has ended")??;
            if let Some((_, url)) = line.split_once("curl http://") {
                break url.trim_end_matches('/').to_owned();
            }
        };
        std::thread::spawn(move || lines.for_each(drop));
        let config = aws_sdk_lambda::Config::builder()
            .behavior_version_latest()
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("any", "any", None, None, "test"))
            .retry_config(RetryConfig::disabled())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .endpoint_url(format!("http://{address}"))
            .build();
        Ok(Self { child, client: Client::from_conf(config) })
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn blob(json: &Value) -> Blob {
    Blob::new(json.to_string())
}

fn json_of(blob: Option<&Blob>) -> Result<Value> {
    Ok(serde_json::from_slice(blob.ok_or("no payload")?.as_ref())?)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    invoke().await?;
    errors().await?;
    streams().await?;
    println!("ok   AWS's SDK for Rust");
    Ok(())
}

async fn invoke() -> Result<()> {
    let emulator = Emulator::start(&[])?;
    let client = &emulator.client;

    let reply = client.invoke().function_name("function").payload(blob(&json!({"a": 1}))).send().await?;
    assert_eq!((reply.status_code(), reply.function_error()), (200, None));
    assert_eq!(json_of(reply.payload())?, json!({"a": 1}));
    assert_eq!((reply.executed_version(), reply.log_result()), (Some("$LATEST"), None));

    let arn = "arn:aws:lambda:us-east-1:123456789012:function:function";
    let event = blob(&json!({"log": "a line"}));
    let call = client.invoke().function_name(arn).qualifier("prod").log_type(LogType::Tail).payload(event);
    assert!(call.send().await?.log_result().is_some_and(|log| !log.is_empty()));

    let failed =
        client.invoke().function_name("function").payload(blob(&json!({"fail": "no such name"}))).send().await?;
    assert_eq!((failed.status_code(), failed.function_error()), (200, Some("Unhandled")));
    assert_eq!(json_of(failed.payload())?["errorMessage"], "no such name");

    for (kind, status) in [(InvocationType::Event, 202), (InvocationType::DryRun, 204)] {
        let reply =
            client.invoke().function_name("function").invocation_type(kind).payload(blob(&json!(1))).send().await?;
        assert_eq!(reply.status_code(), status);
    }
    let reply = client
        .invoke()
        .function_name("function")
        .client_context("eyJjdXN0b20iOnt9fQ==")
        .tenant_id("blue")
        .send()
        .await?;
    assert_eq!(json_of(reply.payload())?, json!({}));
    println!("ok   Invoke");
    Ok(())
}

async fn errors() -> Result<()> {
    let emulator = Emulator::start(&["--name", "mine"])?;
    let code = async |name: &str, payload: Blob| {
        let call = emulator.client.invoke().function_name(name).payload(payload);
        let error = call.send().await.expect_err("it must fail").into_service_error();
        (error.code().unwrap_or_default().to_owned(), error.message().unwrap_or_default().to_owned(), error)
    };
    let (code_, message, error) = code("mine", Blob::new("{")).await;
    assert!(error.is_invalid_request_content_exception(), "{error:?}");
    assert_eq!(code_, "InvalidRequestContentException");
    assert!(message.starts_with("Could not parse request body into json"), "{message}");
    let (_, _, error) = code("other", Blob::new("{}")).await;
    assert!(error.is_resource_not_found_exception(), "{error:?}");
    let (_, _, error) = code("mine", blob(&Value::from("x".repeat(6 * 1024 * 1024)))).await;
    assert!(error.is_request_too_large_exception(), "{error:?}");

    // The queue is filled with large events.
    let large = || blob(&json!({"hang": true, "padding": "x".repeat(1_000_000)}));
    let mut full = None;
    for _ in 0..200 {
        let call =
            emulator.client.invoke().function_name("mine").invocation_type(InvocationType::Event).payload(large());
        if let Err(error) = call.send().await {
            full = Some(error.into_service_error());
            break;
        }
    }
    assert!(full.as_ref().is_some_and(|error| error.is_too_many_requests_exception()), "{full:?}");
    println!("ok   errors of Invoke");
    Ok(())
}

async fn streams() -> Result<()> {
    let emulator = Emulator::start(&[])?;
    let until = std::env::temp_dir().join(format!("aws-sdk-{}", std::process::id()));
    let path = until.to_str().ok_or("the path is not text")?;
    let start = async |event: Value| {
        let call = emulator.client.invoke_with_response_stream().function_name("function").payload(blob(&event));
        call.invocation_type(ResponseStreamingInvocationType::RequestResponse).log_type(LogType::Tail).send().await
    };

    // The first chunk arrives before the function writes the second.
    let mut stream = start(json!({"stream": ["one", "two"], "until": path})).await?;
    assert_eq!(
        (stream.status_code(), stream.response_stream_content_type()),
        (200, Some("application/vnd.amazon.eventstream"))
    );
    let mut words = Vec::new();
    let complete = loop {
        match stream.event_stream.recv().await?.ok_or("the stream is interrupted")? {
            StreamEvent::PayloadChunk(chunk) => {
                words.push(String::from_utf8(chunk.payload().ok_or("no payload")?.as_ref().to_vec())?);
                if words == ["one"] {
                    assert!(!Path::new(path).exists());
                    std::fs::write(path, "")?;
                }
            }
            StreamEvent::InvokeComplete(complete) => break complete,
            other => return Err(format!("unexpected {other:?}").into()),
        }
    };
    std::fs::remove_file(path)?;
    assert_eq!(words, ["one", "two"]);
    assert_eq!((complete.error_code(), complete.error_details()), (None, None));
    assert!(complete.log_result().is_some());
    assert!(stream.event_stream.recv().await?.is_none());

    for (event, code, chunks) in [
        (json!({"stream": ["part"], "abort": "it broke"}), Some("Function.Midway"), 1),
        (json!({"fail": "at once"}), Some("Function.Oops"), 0),
        (json!({"buffered": true}), None, 1),
    ] {
        let mut stream = start(event).await?;
        let mut found = 0;
        while let Some(event) = stream.event_stream.recv().await? {
            match event {
                StreamEvent::PayloadChunk(_) => found += 1,
                StreamEvent::InvokeComplete(complete) => {
                    assert_eq!(complete.error_code(), code);
                    assert_eq!(complete.error_details().is_some(), code.is_some());
                }
                other => return Err(format!("unexpected {other:?}").into()),
            }
        }
        assert_eq!(found, chunks);
    }

    let call = emulator.client.invoke_with_response_stream().function_name("function").payload(Blob::new("{"));
    let error = call.send().await.expect_err("it must fail").into_service_error();
    assert!(error.is_invalid_request_content_exception(), "{error:?}");
    println!("ok   InvokeWithResponseStream");
    Ok(())
}
