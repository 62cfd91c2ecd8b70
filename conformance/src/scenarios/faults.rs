//! Faults of the emulator: each invocation ends once, an interrupted stream is incomplete, and the next event is served.

use std::ops::RangeInclusive;

use super::letters;
use super::sources::{PROTOCOL, RIE_REFUSALS, RIE_STREAMING, rfc9110, rfc9112};
use crate::expectation::payload_of;
use crate::{Content, Feature, Scenario, Source, Transcript};

pub(super) fn add(all: &mut Vec<Scenario>) {
    events(all);
    acknowledgements(all);
    interrupted(all);
    slow(all);
    fatal(all);
}

/// Faults on the way of an event.
fn events(all: &mut Vec<Scenario>) {
    for how in ["close", "reset", "half-close"] {
        for (id, fault, next_requests) in [
            ("at-the-first-request", "connection 1: HOW of the request", 3),
            ("in-the-first-request", "connection 1: HOW at 20 of the request", 3),
            ("at-a-request", "next 1: HOW of the request", 4),
        ] {
            all.push(served(&format!("{how}-{id}"), &fault.replace("HOW", how), rfc9112("9.5"), 2, next_requests));
        }
        for (id, fault) in [("at-an-event", "next 1: HOW"), ("in-an-event", "next 1: HOW at 40")] {
            let scenario = served(&format!("{how}-{id}"), &fault.replace("HOW", how), rfc9112("9.5"), 2, 4);
            all.push(scenario.requires(Feature::OneWorker));
        }
    }
    // Of several workers, any may receive the event, and not only the one whose request was the first.
    all.extend(
        [
            served("garbled-event", "next 1: garble", rfc9112("4"), 2, 4),
            served("stalled-event", "next 1: stall 20ms at 40", rfc9112("2.2"), 1, 3),
            served("delayed-event", "next 1: delay 20ms", rfc9112("2.2"), 1, 3),
            served("dribbled-event", "next 1: dribble", rfc9112("2.2"), 1, 3),
            served("dribbled-connection", "connection 1: dribble 20 every 1ms", rfc9112("2.2"), 1, 3),
        ]
        .map(|scenario| scenario.requires(Feature::OneWorker)),
    );
    all.extend([
        served("dribbled-requests", "connection 1: dribble of the request", rfc9112("2.2"), 1, 3),
        served("204-for-an-event", "next 1: reply 204", PROTOCOL, 1, 4),
        served("204-that-closes", "next 1: reply 204 (Connection: close)", PROTOCOL, 2, 4),
        served("200-for-an-event", "next 1: reply 200 {}", PROTOCOL, 1, 4),
        served("early-200-for-an-event", "next 1: reply 200 at 0 {}", PROTOCOL, 2, 4),
    ]);
}

fn served(id: &str, fault: &str, source: Source, connections: usize, next_requests: u64) -> Scenario {
    Scenario::should(format!("fault-{id}"), format!("an event is served in spite of: {fault}"), source)
        .emulated(fault, "[1]")
        .expect_response("a", "[1]")
        .expect_connections(connections..=connections)
        .expect_next_requests(next_requests)
}

/// Faults of an acknowledgement. The response or error has arrived and counts, though it may be sent again.
fn acknowledgements(all: &mut Vec<Scenario>) {
    let lost = rfc9110("9.2.2");
    let late = rfc9112("2.2");
    for (id, fault, source, connections) in [
        ("closed", "close of the reply", lost, 2),
        ("reset", "reset of the reply", lost, 2),
        ("half-closed", "half-close of the reply", lost, 2),
        ("closed-midway", "close at 20 of the reply", lost, 2),
        ("reset-midway", "reset at 20 of the reply", lost, 2),
        ("half-closed-midway", "half-close at 20 of the reply", lost, 2),
        ("garbled", "garble of the reply", rfc9112("4"), 2),
        ("stalled", "stall 20ms at 20 of the reply", late, 1),
        ("delayed", "delay 20ms", late, 1),
        ("dribbled", "dribble of the reply", late, 1),
        ("slow-to-come", "dribble of the request", late, 1),
        ("202", "reply 202", RIE_REFUSALS, 1),
        ("400", "reply 400", RIE_REFUSALS, 1),
        ("400-that-closes", "reply 400 (Connection: close)", RIE_REFUSALS, 2),
        ("403", "reply 403", RIE_REFUSALS, 1),
        ("410", "reply 410", RIE_REFUSALS, 1),
        ("413", "reply 413", RIE_REFUSALS, 1),
    ] {
        let scenario = |to: &str, payload: &str| {
            let fault = format!("{to} 1: {fault}");
            let title = format!("an invocation ends once in spite of: {fault}");
            Scenario::should(format!("fault-{to}-acknowledgement-{id}"), title, source)
                .emulated(fault, payload)
                .expect_connections(connections..=connections)
                .expect_next_requests(3)
        };
        all.extend([
            scenario("response", "[1]").expect_response("a", "[1]"),
            scenario("error", r#"{"do":"error"}"#).expect_error(
                "a",
                "Function.OutOfStock",
                "OutOfStock",
                "no apples left",
            ),
        ]);
    }
}

/// A response that is longer than what the emulator skips after a refusal.
const LARGE: &str = r#"{"do":"large","bytes":600000}"#;
const STREAM: &str = r#"{"do":"stream","chunks":64,"bytes":65536}"#;
/// The position of a fault in them.
const AT: usize = 100_000;

/// Responses that break off.
fn interrupted(all: &mut Vec<Scenario>) {
    for (id, how, source, large_connections, stream_received) in [
        // The buffered response is sent again. It is refused before it was read, which closes another connection.
        ("closed", "close", RIE_STREAMING, 3, AT..=AT),
        ("reset", "reset", RIE_STREAMING, 3, AT..=AT),
        ("half-closed", "half-close", RIE_STREAMING, 3, AT..=AT),
        ("refused", "reply 413", RIE_REFUSALS, 2, AT + 1..=usize::MAX),
    ] {
        let scenario = |what: &str, payload: &str, connections: usize, received: RangeInclusive<usize>| {
            let fault = format!("response 1: {how} at {AT}");
            let title = format!("a {what} is incomplete after: {fault}");
            let slug = what.replace(' ', "-");
            Scenario::should(format!("fault-{slug}-{id}"), title, source)
                .emulated(fault, payload)
                .expect_connections(connections..=connections)
                .expect_next_requests(3)
                .expect_incomplete("a", received)
        };
        all.extend([
            scenario("large response", LARGE, large_connections, 0..=0),
            scenario("stream", STREAM, 2, stream_received).requires(Feature::Streaming),
        ]);
    }
}

/// Faults that a response survives.
fn slow(all: &mut Vec<Scenario>) {
    let scenario = |what: &str, id: &str, fault: &str| {
        Scenario::should(format!("fault-{what}-{id}"), format!("a {what} is sent in spite of: {fault}"), rfc9112("2.2"))
            .expect_connections(1..=1)
    };
    for (id, fault) in [
        ("dribbled", format!("response 1: dribble {} every 1ms", 65536)),
        ("stalled-midway", format!("response 1: stall 20ms at {AT}")),
        ("stalled", "response 1: stall 20ms".to_owned()),
    ] {
        all.extend([
            scenario("response", id, &fault)
                .emulated(fault.clone(), LARGE)
                .expect_next_requests(3)
                .expect_response("a", Content::LargeString(600_000)),
            scenario("stream", id, &fault)
                .emulated(fault.clone(), STREAM)
                .expect_next_requests(3)
                .requires(Feature::Streaming)
                .expect_stream("a", letters(64, 65536)),
        ]);
    }
    // The runtime does not notice that bytes were changed on their way.
    let garbled = format!("response 1: garble 3 at {AT}");
    all.extend([
        scenario("response", "garbled", &garbled)
            .emulated(garbled.clone(), LARGE)
            .expect_next_requests(3)
            .expect_that("a response of 600002 bytes", |transcript| received(transcript, 600_002)),
        scenario("stream", "garbled", &garbled)
            .emulated(garbled.clone(), STREAM)
            .expect_next_requests(3)
            .requires(Feature::Streaming)
            .expect_that("a stream with three changed bytes", |transcript| {
                let body = transcript.of("a").next().map(|request| &request.body).ok_or("no response")?;
                let changed = payload_of(body)?.iter().filter(|byte| !byte.is_ascii_lowercase()).count();
                if changed == 3 { Ok(()) } else { Err(format!("{changed} changed bytes")) }
            }),
    ]);
}

fn received(transcript: &Transcript, bytes: usize) -> Result<(), String> {
    match transcript.of("a").next() {
        Some(response) if response.complete && response.received == bytes => Ok(()),
        Some(response) => Err(response.to_string()),
        None => Err("no response".to_owned()),
    }
}

/// Faults that end the function. Among several workers they end one of them, which is started again.
fn fatal(all: &mut Vec<Scenario>) {
    for (id, fault, source, text) in [
        ("500", "next 1: reply 500 {\"errorMessage\":\"no\",\"errorType\":\"Broken\"}", RIE_REFUSALS, "500 Broken: no"),
        ("403-in-plain-text", "next 1: reply 403 (Content-Type: text/plain) go away", RIE_REFUSALS, "403 go away"),
        ("early-500", "next 1: reply 500 at 0", RIE_REFUSALS, "500"),
        (
            "500-to-a-response",
            "response 1: reply 500 {\"errorMessage\":\"no\",\"errorType\":\"Broken\"}",
            RIE_REFUSALS,
            "500 Broken: no",
        ),
        ("garbled-request", "connection 1: garble of the request", rfc9110("15.5.1"), "400"),
    ] {
        let scenario =
            Scenario::should(format!("fault-{id}"), format!("the function ends with an error after: {fault}"), source)
                .requires(Feature::OneWorker)
                .emulated(fault, "[1]")
                .ends_with([text]);
        // The emulator refuses bytes that are not HTTP with 400, which another runtime may survive.
        all.push(if id == "garbled-request" { scenario.requires(Feature::Rust) } else { scenario });
    }
}
