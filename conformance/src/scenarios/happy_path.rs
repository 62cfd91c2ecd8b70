//! Events that are served without a fault.

use std::time::Duration;

use lambda_runtime_proto::Endpoint::{self, Next, Response};

use super::sources::{NEXT, QUOTAS, RESPONSE, RIE_EVENT, rfc9110, rfc9112};
use crate::messages::{USUAL_HEADERS, accepted, event};
use crate::{Content, Expectation, Feature, HeaderValue, Scenario, Steps};

pub(super) fn add(all: &mut Vec<Scenario>) {
    all.extend([
        Scenario::must("echo", "the handler's result is sent as JSON", RESPONSE)
            .connection(Steps::new().served(r#"{"a":[1,"ü"]}"#))
            .expect_response("a", r#"{"a":[1,"ü"]}"#)
            .expect_header(Response, "host", HeaderValue::Present)
            .expect_own(header(Response, "content-type", HeaderValue::Is("application/json")))
            .expect_own(header(Response, "user-agent", HeaderValue::Present))
            .expect_own(header(Next, "content-length", HeaderValue::Absent)),
        Scenario::must("hundred-events", "a hundred events are served on one connection", rfc9112("9.3"))
            .connection((0..100).fold(Steps::new(), |steps, _| steps.served("1")))
            .expect_attempts("a", 100),
        Scenario::must("handler-yields", "a handler may be pending", RESPONSE)
            .requires(Feature::Rust)
            .connection(Steps::new().served(r#"{"do":"yield","yields":5}"#))
            .expect_response("a", r#""yielded""#),
        Scenario::must("large-event", "an event of 5 MiB is served", QUOTAS)
            .connection(Steps::new().served(&format!("\"{}\"", "x".repeat(5 << 20))))
            .expect_response("a", Content::LargeString(5 << 20)),
        Scenario::must("large-response", "a response of 5 MB is sent", QUOTAS)
            .connection(Steps::new().served(r#"{"do":"large","bytes":5000000}"#))
            .expect_response("a", Content::LargeString(5_000_000)),
    ]);
    events(all);
    acknowledgements(all);
}

fn header(endpoint: Endpoint, name: &'static str, value: HeaderValue) -> Expectation {
    Expectation::Header { endpoint, name, value }
}

/// Forms in which an event may arrive.
fn events(all: &mut Vec<Scenario>) {
    let chunked = format!(
        "HTTP/1.1 200 OK\r\n{USUAL_HEADERS}Transfer-Encoding: chunked\r\n\r\n\
         1;x=y\r\n[\r\n2\r\n1]\r\n0\r\nTrailer: ignored\r\n\r\n"
    );
    let uppercase = format!("HTTP/1.1 200 OK\r\n{}CONTENT-LENGTH: 3\r\n\r\n[1]", uppercase_names(USUAL_HEADERS));
    let plain = event("a", "[1]");
    let (first, second) = plain.split_at(40);
    let next = || Steps::new().read(Next);
    let forms = [
        (
            // Go's server, on which Lambda's API is built, uses chunks for bodies of unknown length.
            Scenario::must("chunked-event", "an event may have chunked framing", RIE_EVENT),
            next().send(chunked.clone()),
        ),
        (
            Scenario::should("event-byte-by-byte", "an event may arrive byte by byte", rfc9112("2.2")),
            next().send_byte_by_byte(plain.clone()),
        ),
        (
            Scenario::should("chunked-event-byte-by-byte", "a chunked event may arrive byte by byte", rfc9112("7.1")),
            next().send_byte_by_byte(chunked),
        ),
        (
            Scenario::must("event-in-two-parts", "the second part of an event may arrive late", NEXT),
            next().send(first.to_vec()).pause(Duration::from_millis(50)).send(second.to_vec()),
        ),
        (
            Scenario::should("interim-replies", "interim replies before an event are ignored", rfc9110("15.2")),
            next()
                .send(&b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n"[..])
                .send(plain.clone()),
        ),
        (
            Scenario::should("header-name-case", "header names are case-insensitive", rfc9110("5.1")),
            next().send(uppercase),
        ),
        (
            Scenario::should("no-reason-phrase", "the reason phrase may be empty", rfc9112("4")),
            next().send(format!("HTTP/1.1 200 \r\n{USUAL_HEADERS}Content-Length: 3\r\n\r\n[1]")),
        ),
    ];
    all.extend(
        forms
            .into_iter()
            .map(|(scenario, event)| scenario.connection(event.read(Response).accept()).expect_response("a", "[1]")),
    );
}

/// Header lines with their names in upper case.
fn uppercase_names(lines: &str) -> String {
    let lines = lines.split_inclusive("\r\n").filter_map(|line| line.split_once(':'));
    lines.map(|(name, rest)| format!("{}:{rest}", name.to_uppercase())).collect()
}

/// Forms in which an acknowledgement may arrive.
fn acknowledgements(all: &mut Vec<Scenario>) {
    let responded = || Steps::new().event("[1]").read(Response);
    let forms = [
        (
            Scenario::should(
                "acknowledgement-byte-by-byte",
                "an acknowledgement may arrive byte by byte",
                rfc9112("2.2"),
            ),
            responded().send_byte_by_byte(accepted()),
        ),
        (
            Scenario::should("acknowledgement-without-body", "an acknowledgement may have no body", rfc9110("15.3.3")),
            responded().send(&b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"[..]),
        ),
        (
            Scenario::should("chunked-acknowledgement", "an acknowledgement may have chunked framing", rfc9112("7.1")),
            responded().send(&b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nOK\r\n0\r\n\r\n"[..]),
        ),
    ];
    all.extend(forms.into_iter().map(|(scenario, steps)| scenario.connection(steps).expect_response("a", "[1]")));
}
