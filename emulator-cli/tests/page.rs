//! The status page. `.ci/status-page` uses it in a browser.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

#[path = "../../emulator/tests/common/mod.rs"]
mod common;
#[path = "support/served.rs"]
mod served;

use common::{Http, Runtime};
use lambda_emulator::front::{Access, Settings};
use lambda_runtime_emulator::Emulator;
use serde_json::Value;
use served::{INVOKE, Served};

#[test]
fn the_page_and_its_files_are_served() {
    let served = Served::start();
    for (path, content_type, contains) in [
        ("/_emulator/", "text/html; charset=utf-8", "<title>lambda-emulator</title>"),
        ("/_emulator/page.js", "text/javascript; charset=utf-8", "EventSource"),
        ("/_emulator/page.css", "text/css; charset=utf-8", "color-scheme"),
        ("/_emulator/settings.json", "application/json", "eventbridge"),
    ] {
        let received = served.connect().get(path);
        assert_eq!((received.status, received.header("content-type")), (200, Some(content_type)));
        assert!(received.text().contains(contains), "{path}");
        assert!(
            received.header("content-security-policy").unwrap().starts_with("default-src 'none'; script-src 'self';")
        );
    }
    let received = served.connect().get("/_emulator");
    assert_eq!((received.status, received.header("location")), (308, Some("/_emulator/")));
    assert_eq!(served.connect().get("/_emulator/other").status, 404);
    assert_eq!(served.connect().post("/_emulator/", "", "").status, 405);
    assert_eq!(served.observed().queued, 0);
}

#[test]
fn paths_that_resemble_those_of_the_page_reach_the_function() {
    let served = Served::start();
    let mut caller = served.connect();
    caller.write("GET /_emulators HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let event: Value = serde_json::from_slice(&Runtime::connect(&served).next().body()).unwrap();
    assert_eq!(event["rawPath"], "/_emulators");
}

#[test]
fn pages_of_permitted_origins_cannot_read_the_status_page() {
    let access = Access { origins: vec!["http://localhost:3000".to_owned()], ..Access::default() };
    let served = Served::with(Emulator::builder(), Settings { access, ..Settings::default() });
    let mut http = served.connect();
    http.write("GET /_emulator/events HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost:3000\r\n\r\n");
    assert_eq!(http.read().status, 403);
}

/// The next message of a stream of events.
fn message(stream: &mut Http) -> Value {
    loop {
        let chunk = String::from_utf8(stream.read_chunk().unwrap()).unwrap();
        if let Some(data) = chunk.strip_prefix("data: ") {
            return serde_json::from_str(data).unwrap();
        }
    }
}

#[test]
fn the_stream_contains_past_and_new_invocations() {
    let served = Served::start();
    let mut runtime = Runtime::connect(&served);
    let mut caller = served.call(INVOKE, "", r#"{"a":1}"#);
    let event = runtime.next();
    let id = event.request_id().to_owned();
    let mut stream = served.connect();
    stream.write("GET /_emulator/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(stream.read_head().header("content-type"), Some("text/event-stream"));
    let first = message(&mut stream);
    assert_eq!((&first["id"], &first["status"]), (&Value::from(id), &Value::from("running")));
    assert_eq!(first["event"]["text"], r#"{"a":1}"#);
    runtime.respond(event, "[2]");
    caller.read();
    let last =
        std::iter::repeat_with(|| message(&mut stream)).find(|message| message["response"]["length"] == 3).unwrap();
    assert_eq!((&last["source"], &last["response"]["text"]), (&Value::from("Invoke"), &Value::from("[2]")));
    // Stopping does not wait for those who watch.
    drop(served);
    while stream.read_chunk().is_some_and(|chunk| !chunk.is_empty()) {}
}
