//! A function that executes its events, for tests of the command.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

#[path = "../../../emulator/tests/common/mod.rs"]
mod common;

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use common::{Runtime, failure};
use lambda_runtime_proto::client::{Invocation, StreamHead};
use serde_json::Value;

fn main() {
    let name = std::env::args().next().map(std::path::PathBuf::from).unwrap();
    if name.file_name().is_some_and(|name| name == "external") {
        return external_extension();
    }
    if let Some(path) = std::env::var_os("SLOW_UNTIL") {
        // The first process does not start in time.
        if std::fs::File::create_new(path).is_ok() {
            hang();
        }
    }
    let mut runtime = Runtime::connect_to(&std::env::var("AWS_LAMBDA_RUNTIME_API").unwrap());
    if let Some(path) = std::env::var_os("PID_FILE") {
        let mut file = std::fs::File::options().create(true).append(true).open(path).unwrap();
        writeln!(file, "{}", std::process::id()).unwrap();
    }
    if std::env::var_os("EXIT_WITHIN_EVENT").is_some() {
        runtime.request_event();
        runtime.socket.peek(&mut [0]).unwrap();
        std::process::exit(0);
    }
    if std::env::var_os("FAIL_TO_START").is_some() {
        runtime.client.init_error(failure("Function.NoConfig", "TABLE is not set")).unwrap();
        runtime.reply();
        std::process::exit(1);
    }
    if std::env::var_os("REGISTER").is_some() {
        let name = http::HeaderValue::from_static("grace");
        runtime.client.register_extension(&name, r#"{"events":[]}"#).unwrap();
        runtime.reply();
    }
    if std::env::var_os("EXTENSION").is_some() {
        let name = http::HeaderValue::from_static("flush");
        runtime.client.register_extension(&name, r#"{"events":["INVOKE"]}"#).unwrap();
        let reply = runtime.reply();
        let identifier = reply.headers().get("lambda-extension-identifier").unwrap();
        let identifier = http::HeaderValue::from_bytes(identifier).unwrap();
        std::thread::spawn(move || extension(&identifier));
    }
    loop {
        let invocation = runtime.next();
        let event: Value = serde_json::from_slice(&invocation.body()).unwrap();
        handle(&mut runtime, invocation, &event);
    }
}

/// An external extension, which prints its events until it is shut down.
fn external_extension() {
    let mut api = Runtime::connect_to(&std::env::var("AWS_LAMBDA_RUNTIME_API").unwrap());
    let name = http::HeaderValue::from_static("external");
    api.client.register_extension(&name, r#"{"events":["INVOKE","SHUTDOWN"]}"#).unwrap();
    let reply = api.reply();
    assert_eq!(reply.status(), 200, "{:?}", reply.body());
    let identifier =
        http::HeaderValue::from_bytes(reply.headers().get("lambda-extension-identifier").unwrap()).unwrap();
    loop {
        api.client.next_extension_event(&identifier).unwrap();
        let event: &Value = &serde_json::from_slice(&api.reply().body()).unwrap();
        assert!(event["deadlineMs"].as_u64().unwrap() > 1_700_000_000_000);
        // In pieces, during which the function and the emulator write lines, too.
        eprint!("extension: ");
        std::thread::sleep(Duration::from_millis(20));
        eprintln!("{} {}", event["eventType"], event["shutdownReason"]);
        if event["eventType"] == "SHUTDOWN" {
            return;
        }
    }
}

/// An extension that takes its time.
fn extension(identifier: &http::HeaderValue) {
    let mut api = Runtime::connect_to(&std::env::var("AWS_LAMBDA_RUNTIME_API").unwrap());
    loop {
        api.client.next_extension_event(identifier).unwrap();
        api.reply();
        std::thread::sleep(Duration::from_millis(2500));
        eprintln!("flushed");
    }
}

/// Executes the event: `{"fail":…}`, `{"exit":…}`, `{"crash":…}`, `{"hang":…}`, `{"stream":…}`, `{"log":…}`, `{"print":…}`,
/// `{"pid":…}`, `{"trace":…}`, or echoes it, and then exits (`{"last":true}`) or hangs (`{"hang_after":true}`).
fn handle(runtime: &mut Runtime, invocation: Invocation, event: &Value) {
    if let Some(message) = event["fail"].as_str() {
        runtime.fail(invocation, failure("Function.Oops", message));
    } else if let Some(code) = event["exit"].as_i64() {
        std::process::exit(i32::try_from(code).unwrap());
    } else if event["crash"] == true {
        std::process::abort();
    } else if event["hang"] == true {
        hang();
    } else if let Some(words) = event["stream"].as_array() {
        stream(runtime, invocation, event, words);
    } else if let Some(line) = event["log"].as_str() {
        // Half of it on each.
        let (start, end) = line.split_at(line.len() / 2);
        print!("{start}");
        std::io::stdout().flush().unwrap();
        eprintln!("{end}");
        runtime.respond(invocation, "null");
    } else if let Some(text) = event["print"].as_str() {
        print!("{text}");
        std::io::stdout().flush().unwrap();
        runtime.respond(invocation, "null");
    } else if event["pid"] == true {
        runtime.respond(invocation, std::process::id().to_string());
    } else if event["trace"] == true {
        let trace_id =
            invocation.headers().get("lambda-runtime-trace-id").map(String::from_utf8_lossy).unwrap_or_default();
        let body = Value::from(trace_id).to_string();
        runtime.respond(invocation, body);
    } else {
        let body = invocation.body();
        runtime.respond(invocation, body);
        // Work after the response must not be cut off.
        eprintln!("responded");
        if event["last"] == true {
            std::process::exit(0);
        }
        if event["hang_after"] == true {
            hang();
        }
    }
}

fn hang() -> ! {
    eprintln!("hanging");
    loop {
        std::thread::park();
    }
}

/// Streams words. `"until"` names a file that must exist before the second; `"abort"` fails after the last.
fn stream(runtime: &mut Runtime, invocation: Invocation, event: &Value, words: &[Value]) {
    let stream = match event["prelude"].as_object() {
        None => runtime.stream(invocation),
        Some(prelude) => {
            let prelude = Bytes::from(serde_json::to_vec(prelude).unwrap());
            runtime.stream_with(invocation, StreamHead::Http { prelude })
        }
    };
    for (n, word) in words.iter().enumerate() {
        while n == 1 && event["until"].as_str().is_some_and(|path| !Path::new(path).exists()) {
            std::thread::sleep(Duration::from_millis(1));
        }
        runtime.chunk(&stream, word.as_str().unwrap().to_owned());
    }
    match event["abort"].as_str() {
        None => runtime.client.finish(stream).unwrap(),
        Some(message) => runtime.client.abort(stream, failure("Function.Midway", message)).unwrap(),
    }
    runtime.reply();
}
