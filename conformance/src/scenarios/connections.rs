//! Connections that break or close, and bytes that are not HTTP.

use std::time::Duration;

use lambda_runtime_proto::Endpoint::{Error, Next, Response};

use super::sources::{CUSTOM_RUNTIME, NEXT, PROTOCOL, RIE_REFUSALS, rfc9110, rfc9112};
use crate::messages::{USUAL_HEADERS, accepted, event, reply_with};
use crate::{Content, Feature, Level, Scenario, Source, Step, Steps};

pub(super) fn add(all: &mut Vec<Scenario>) {
    unreachable(all);
    broken(all);
    closing(all);
    ended_meanwhile(all);
    not_http(all);
}

fn acknowledge() -> Steps {
    Steps::new().read(Response).accept()
}

/// APIs that are given up. A worker among several is started again first, which takes a minute in all.
fn unreachable(all: &mut Vec<Scenario>) {
    all.extend([
        Scenario::should(
            "unreachable",
            "an API that cannot be reached ends the function, with its address and the number of attempts in the error",
            CUSTOM_RUNTIME,
        )
        .requires(Feature::OneWorker)
        .ends_with(["127.0.0.1:", "cannot be reached", "(attempts: "]),
        Scenario::may("never-http", "an API that never sends HTTP ends the function", PROTOCOL)
            .requires(Feature::OneWorker)
            .connections(vec![Steps::new().read(Next).send(&b"SSH-2.0-OpenSSH\r\n"[..]); 20])
            .ends_with(["127.0.0.1:", "is not HTTP/1", "in a row"])
            .expect_connections(2..=19),
        // After a time in which any runtime has started, on a busy machine too.
        Scenario::should("late-api", "an API that starts late is waited for", PROTOCOL)
            .connection(Steps::new().step(Step::ListenAfter(Duration::from_secs(3))).served("1"))
            .expect_response("a", "1"),
    ]);
}

/// Every way to break a connection, at every point.
fn broken(all: &mut Vec<Scenario>) {
    let whole = event("a", "[1,2,3]");
    let large = r#"{"do":"large","bytes":5000000}"#;
    for (slug, fault, breaks) in [
        ("closed", "closed", Steps::new()),
        ("reset", "reset", Steps::new().reset()),
        ("half-closed", "half closed", Steps::new().half_close().pause(Duration::from_millis(20))),
    ] {
        // Opinions differ on whether to resend a response that may have arrived.
        let scenario = |id: &str, when: &str, source: Source, steps: Steps| {
            let level = if id.contains("the-acknowledgement") { Level::May } else { Level::Should };
            Scenario::new(level, format!("{slug}-{id}"), format!("a connection may be {fault} {when}"), source)
                .connection(steps.then(breaks.clone()))
        };
        let interrupted = rfc9112("9.5");
        let resent = rfc9110("9.2.2");
        let next = || Steps::new().read(Next);
        let responded = || Steps::new().event("[1]").read(Response);
        all.extend([
            scenario("before-the-first-request", "before the first request", interrupted, Steps::new()).reconnects(),
            scenario("before-an-event", "while waiting for an event", interrupted, next()).reconnects(),
            scenario("between-events", "between two invocations", interrupted, Steps::new().served("1"))
                .reconnects()
                .expect_response("a", "1"),
            scenario("in-the-head", "in the head of an event", rfc9112("8"), next().send(whole[..30].to_vec()))
                .reconnects(),
            scenario(
                "in-the-body",
                "in the body of an event",
                rfc9112("8"),
                next().send(whole[..whole.len() - 3].to_vec()),
            )
            .reconnects(),
            scenario("after-an-event", "after the event", resent, Steps::new().event("[1]"))
                .connection(acknowledge())
                .expect_response("a", "[1]"),
            scenario("before-the-acknowledgement", "before the acknowledgement", resent, responded())
                .connection(acknowledge())
                .expect_response("a", "[1]")
                .expect_attempts("a", 2),
            scenario(
                "in-the-acknowledgement",
                "in the acknowledgement",
                resent,
                responded().send(accepted()[..20].to_vec()),
            )
            .connection(acknowledge())
            .expect_response("a", "[1]")
            .expect_attempts("a", 2),
            scenario(
                "in-a-large-response",
                "in a large response",
                resent,
                Steps::new().event(large).read_at_least(Response, 1000),
            )
            .connection(acknowledge())
            .expect_response("a", Content::LargeString(5_000_000))
            .expect_attempts("a", 2),
        ]);
    }
}

/// Connections that close in an orderly way, and often.
fn closing(all: &mut Vec<Scenario>) {
    const CLOSE: &str = "Connection: close\r\n";
    let persistence = rfc9112("9.6");
    let event_with = |headers: &str| {
        Steps::new().read(Next).send(format!("HTTP/1.1 200 OK\r\n{USUAL_HEADERS}{headers}Content-Length: 1\r\n\r\n1"))
    };
    let refusal = reply_with(400, CLOSE, r#"{"errorMessage":"m","errorType":"InvalidRequestID"}"#);
    all.extend([
        Scenario::should("event-closes", "an event may close its connection", persistence)
            .connection(event_with(CLOSE))
            .connection(acknowledge())
            .expect_response("a", "1"),
        Scenario::should("close-among-options", "close may be one of several connection options", rfc9110("7.6.1"))
            .connection(event_with("Connection: foo, Close\r\n"))
            .connection(acknowledge())
            .expect_response("a", "1"),
        Scenario::should("http-1-0-event", "an HTTP/1.0 event lasts until its connection ends", rfc9112("6.3"))
            .connection(Steps::new().read(Next).send(format!("HTTP/1.0 200 OK\r\n{USUAL_HEADERS}\r\n1")))
            .connection(acknowledge())
            .expect_response("a", "1"),
        Scenario::should("acknowledgement-closes", "an acknowledgement may close its connection", persistence)
            .connection(Steps::new().event("1").read(Response).send(reply_with(202, CLOSE, "{}")))
            .reconnects()
            .expect_response("a", "1"),
        Scenario::must("refusal-closes", "a refusal may close its connection", RIE_REFUSALS)
            .connection(Steps::new().event("1").read(Response).send(refusal))
            .reconnects()
            .expect_response("a", "1"),
        Scenario::should("204-closes", "204 to /next may close its connection", persistence)
            .connection(Steps::new().read(Next).send(format!("HTTP/1.1 204 No Content\r\n{CLOSE}\r\n")))
            .reconnects(),
        Scenario::may("thousand-closes", "a thousand connections may close while waiting for an event", NEXT)
            .connections(vec![Steps::new().read(Next); 1000])
            .reconnects(),
        Scenario::should("thousand-connections", "a thousand connections may serve one event each", persistence)
            .connections(vec![Steps::new().served("1"); 1000])
            .reconnects()
            .expect_attempts("a", 1000),
    ]);
}

/// Connections that end while the handler runs. The handler runs long enough for that on a busy machine.
fn ended_meanwhile(all: &mut Vec<Scenario>) {
    const TIMEOUT: &[u8] = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    for (slug, level, how, last) in [
        ("closed", Level::Should, "closed", Steps::new()),
        ("timed-out", Level::May, "closed with 408 Request Timeout", Steps::new().send(TIMEOUT)),
    ] {
        let scenario = |what: &str, payload: &str, endpoint| {
            let title = format!("a connection may be {how} while the handler works on a {what}");
            Scenario::new(level, format!("{slug}-during-{what}"), title, rfc9110("15.5.9"))
                .connection(Steps::new().event(payload).then(last.clone()))
                .connection(Steps::new().read(endpoint).accept())
        };
        all.extend([
            scenario("response", r#"{"after_ms":1000}"#, Response).expect_response("a", r#"{"after_ms":1000}"#),
            scenario("stream", r#"{"do":"stream","chunks":3,"after_ms":1000}"#, Response)
                .requires(Feature::Streaming)
                .expect_stream("a", "abc"),
            scenario("error", r#"{"do":"error","after_ms":1000}"#, Error).expect_error(
                "a",
                "Function.OutOfStock",
                "OutOfStock",
                "no apples left",
            ),
        ]);
    }
}

/// Bytes that are not a reply: the connection is closed and the request sent again.
fn not_http(all: &mut Vec<Scenario>) {
    for (slug, what, bytes, source) in [
        ("ssh", "another protocol", "SSH-2.0-OpenSSH\r\n", rfc9112("4")),
        ("http-2", "HTTP/2", "HTTP/2 200\r\n\r\n", rfc9112("2.3")),
        ("bare-lf", "lines that end in LF", "HTTP/1.1 200 OK\nContent-Length: 0\n\n", rfc9112("2.2")),
        (
            "two-lengths",
            "two lengths",
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 1\r\n\r\n",
            rfc9112("6.3"),
        ),
        (
            "malformed-length",
            "a length that is not a number",
            "HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
            rfc9112("6.3"),
        ),
        (
            "length-and-chunked",
            "a length together with chunked",
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n",
            rfc9112("6.3"),
        ),
        (
            "unknown-coding",
            "an unknown transfer coding",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
            rfc9112("6.1"),
        ),
        (
            "malformed-chunk",
            "a malformed chunk size",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
            rfc9112("7.1"),
        ),
        (
            "body-over-the-limit",
            "a body over the limit",
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n",
            PROTOCOL,
        ),
        ("folded-header", "a folded header", "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", rfc9112("5.2")),
        ("switch-of-protocols", "a switch of protocols", "HTTP/1.1 101 Switching Protocols\r\n\r\n", rfc9110("15.2.2")),
    ] {
        // A valid head is an acknowledgement, regardless of the bytes that follow.
        let acknowledges = matches!(slug, "malformed-chunk" | "body-over-the-limit");
        let first = Scenario::may(
            format!("{slug}-for-an-acknowledgement"),
            format!("{what} instead of an acknowledgement is survived"),
            source,
        )
        .connection(Steps::new().event("[1]").read(Response).send(bytes))
        .expect_response("a", "[1]");
        all.extend([
            Scenario::may(format!("{slug}-for-an-event"), format!("{what} instead of an event is survived"), source)
                .connection(Steps::new().read(Next).send(bytes))
                .reconnects(),
            match acknowledges {
                true => first.reconnects().expect_attempts("a", 1),
                false => first.connection(acknowledge()).expect_attempts("a", 2),
            },
        ]);
    }
    all.push(
        Scenario::may("unsolicited-acknowledgement", "an unsolicited acknowledgement is survived", rfc9112("9.2"))
            .connection(Steps::new().event("[1]").read(Response).send([accepted(), accepted()].concat()))
            .reconnects()
            .expect_response("a", "[1]"),
    );
}
