//! Responses that cannot be delivered, replies that never end, and events that cannot be received.

use std::time::Duration;

use lambda_runtime_proto::Endpoint::{Error, Next, Response};

use super::sources::{NEXT, PROTOCOL, RESPONSE, rfc9110, rfc9112};
use crate::messages::{USUAL_HEADERS, accepted, reply_with};
use crate::{Feature, Scenario, Steps};

/// A response that does not fit into the buffers of a socket.
const LARGE: &str = r#"{"do":"large","bytes":3000000}"#;

/// The number of times that the runtime sends a response on connections that break: `MAX_SENDS` in
/// `runtime/src/connection/retry.rs`.
const MAX_SENDS: usize = 5;

pub(super) fn add(all: &mut Vec<Scenario>) {
    resends(all);
    acknowledgements(all);
    events(all);
}

/// Connections that break while a response is uploaded.
fn resends(all: &mut Vec<Scenario>) {
    let event = || Steps::new().event(LARGE);
    let upload = || Steps::new().read_at_least(Response, 100_000).reset();
    let uploads = || {
        let again = (1..MAX_SENDS).map(|_| upload());
        [event().then(upload())].into_iter().chain(again).collect::<Vec<_>>()
    };
    all.extend([
        Scenario::should(
            "undeliverable-response",
            "a response that cannot be uploaded is replaced by an error",
            PROTOCOL,
        )
        .requires(Feature::Rust)
        .connections(uploads())
        .connection(Steps::new().read(Error).accept())
        .expect_error(
            "a",
            "Runtime.ResponseNotDelivered",
            "Runtime.ResponseNotDelivered",
            "could not be delivered in 5 attempts",
        )
        .expect_attempts("a", MAX_SENDS + 1),
        Scenario::should("undeliverable-outcome", "an outcome that cannot be delivered at all is given up", PROTOCOL)
            .requires(Feature::Rust)
            .connections(uploads())
            .connection(Steps::new().read(Error).reset())
            .reconnects()
            .expect_attempts("a", MAX_SENDS + 1),
        Scenario::should(
            "response-delivered-late",
            "a response that arrives at the last attempt is not followed by an error",
            PROTOCOL,
        )
        .requires(Feature::Rust)
        .connections(uploads().into_iter().take(MAX_SENDS - 1))
        .connection(Steps::new().read(Response).accept())
        .expect_attempts("a", MAX_SENDS),
        Scenario::may("resent-response-refused", "a response that was sent again may be refused", PROTOCOL)
            .connection(Steps::new().event("[1]").read(Response))
            .connection(Steps::new().read(Response).refuse(403, "InvalidStateTransition"))
            .expect_attempts("a", 2),
    ]);
}

/// Acknowledgements whose body is late, long or missing: the status decides.
fn acknowledgements(all: &mut Vec<Scenario>) {
    let close = reply_with(202, "Connection: close\r\n", "{}");
    let long = [b"HTTP/1.1 202 Accepted\r\nContent-Length: 7000000\r\n\r\n".as_slice(), &[b'x'; 7_000_000]].concat();
    let endless = |status: &str| format!("HTTP/1.1 {status}\r\nContent-Length: 100\r\n\r\n{{");
    all.extend([
        Scenario::should(
            "early-acknowledgement-closes",
            "an acknowledgement before the end of a response counts even if the connection then ends",
            rfc9112("9.6"),
        )
        .connection(Steps::new().event(LARGE).read_at_least(Response, 1000).send(close))
        .reconnects()
        .expect_attempts("a", 1),
        Scenario::should("acknowledgement-with-a-long-body", "the body of an acknowledgement is limited", RESPONSE)
            .connection(Steps::new().event("[1]").read(Response).send(long))
            .reconnects()
            .expect_response("a", "[1]"),
        Scenario::should(
            "acknowledgement-without-end",
            "an acknowledgement counts even if its body never ends",
            RESPONSE,
        )
        .connection(Steps::new().event("[1]").read(Response).send(endless("202 Accepted")).await_close())
        .reconnects()
        .expect_response("a", "[1]"),
        Scenario::should("refusal-without-end", "a refusal counts even if its body never ends", RESPONSE)
            .connection(Steps::new().event("[1]").read(Response).send(endless("400 Bad Request")).await_close())
            .reconnects()
            .expect_response("a", "[1]"),
        Scenario::should(
            "fatal-during-a-stream-that-panics-in-drop",
            "a stream that panics when it is dropped does not hide why the function ends",
            PROTOCOL,
        )
        .requires(Feature::Streaming)
        .requires(Feature::Rust)
        .connection(
            Steps::new()
                .event(r#"{"do":"stream","chunks":1,"then":"nothing","panics_in_drop":true}"#)
                .read_at_least(Response, 1)
                .refuse(500, "InternalServerError"),
        )
        .ends_with(["500 InternalServerError"]),
    ]);
}

/// Replies to /next that cannot be received as an event.
fn events(all: &mut Vec<Scenario>) {
    let head = |length: &str| format!("HTTP/1.1 200 OK\r\n{USUAL_HEADERS}{length}\r\n\r\n").into_bytes();
    let chunked = [head("Transfer-Encoding: chunked"), b"6ACFC0\r\n".to_vec(), vec![b'x'; 7_000_000]].concat();
    let interim = [
        b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n".repeat(1000),
        head("Content-Length: 1"),
        b"1".to_vec(),
    ]
    .concat();
    let timeout = "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    for (id, title, event) in [
        ("event-too-large", "an event over the limit is reported", head("Content-Length: 99999999")),
        ("chunked-event-too-large", "a chunked event over the limit is reported", chunked),
    ] {
        all.push(
            Scenario::should(id, title, NEXT)
                .requires(Feature::Rust)
                .connection(Steps::new().read(Next).send(event))
                .connection(Steps::new().read(Error).accept())
                .expect_error("a", "Runtime.EventTooLarge", "Runtime.EventTooLarge", "larger than 6291556 bytes"),
        );
    }
    all.extend([
        Scenario::may("many-interim-replies", "a thousand interim replies precede an event", rfc9110("15.2"))
            .connection(Steps::new().read(Next).send(interim).read(Response).send(accepted()))
            .expect_response("a", "1"),
        Scenario::may("408-while-waiting", "408 while an event is awaited is a lost connection", rfc9110("15.5.9"))
            .connection(Steps::new().read(Next).pause(Duration::from_millis(20)).send(timeout))
            .reconnects(),
        Scenario::may("408-to-a-response", "a response is sent again after 408", rfc9110("15.5.9"))
            .connection(Steps::new().event("[1]").read(Response).send(timeout))
            .connection(Steps::new().read(Response).accept())
            .expect_response("a", "[1]")
            .expect_attempts("a", 2),
    ]);
}
