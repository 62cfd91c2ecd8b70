//! Faults of the emulator: an event is answered once whatever happens, a stream that is torn looks torn, and the next
//! event is served.

use std::time::Duration;

use lambda_runtime_emulator::{Emulator, End, Fault, Observed, Outcome};

use crate::{Scenario, Start, judge};

pub(super) fn add(all: &mut Vec<Scenario>) {
    events(all);
    acknowledgements(all);
    torn(all);
    slow(all);
    for (fault, words) in [
        ("next 1: reply 500 {\"errorMessage\":\"no\",\"errorType\":\"Broken\"}", "500 Broken: no"),
        ("next 1: reply 403 (Content-Type: text/plain) go away", "403 go away"),
        ("next 1: reply 500 at 0", "500"),
        ("response 1: reply 500 {\"errorMessage\":\"no\",\"errorType\":\"Broken\"}", "500 Broken: no"),
        ("connection 1: garble of the request", "400"),
    ] {
        ends(all, fault, words);
    }
}

/// What happens to an event on its way.
fn events(all: &mut Vec<Scenario>) {
    for how in ["close", "reset", "half-close"] {
        for (when, asks) in [
            ("connection 1: HOW of the request", 3),
            ("connection 1: HOW at 20 of the request", 3),
            ("next 1: HOW of the request", 4),
            ("next 1: HOW", 4),
            ("next 1: HOW at 40", 4),
        ] {
            answered(all, &when.replace("HOW", how), "[1]", Expected { connections: 2, asks });
        }
    }
    for (fault, connections, asks) in [
        ("next 1: garble", 2, 4),
        ("next 1: stall 20ms at 40", 1, 3),
        ("next 1: delay 20ms", 1, 3),
        ("next 1: dribble", 1, 3),
        ("connection 1: dribble of the request", 1, 3),
        ("connection 1: dribble 20 every 1ms", 1, 3),
        ("next 1: reply 204", 1, 4),
        ("next 1: reply 204 (Connection: close)", 2, 4),
        ("next 1: reply 200 {}", 1, 4),
        ("next 1: reply 200 at 0 {}", 2, 4),
    ] {
        answered(all, fault, "[1]", Expected { connections, asks });
    }
}

/// What happens to an acknowledgement: the answer has arrived and counts, though it may be sent again.
fn acknowledgements(all: &mut Vec<Scenario>) {
    for (to, payload) in [("response", "[1]"), ("error", r#"{"do":"error"}"#)] {
        for (fault, connections) in [
            ("close of the reply", 2),
            ("reset of the reply", 2),
            ("half-close of the reply", 2),
            ("close at 20 of the reply", 2),
            ("reset at 20 of the reply", 2),
            ("half-close at 20 of the reply", 2),
            ("garble of the reply", 2),
            ("stall 20ms at 20 of the reply", 1),
            ("delay 20ms", 1),
            ("dribble of the reply", 1),
            ("dribble of the request", 1),
            ("reply 202", 1),
            ("reply 400", 1),
            ("reply 400 (Connection: close)", 2),
            ("reply 403", 1),
            ("reply 410", 1),
            ("reply 413", 1),
        ] {
            answered(all, &format!("{to} 1: {fault}"), payload, Expected { connections, asks: 3 });
        }
    }
}

/// More than the emulator passes over behind a refusal.
const LARGE: &str = r#"{"do":"large","bytes":600000}"#;
const STREAM: &str = r#"{"do":"stream","chunks":64,"bytes":65536}"#;

/// What ends a response before it has come whole.
fn torn(all: &mut Vec<Scenario>) {
    for how in ["close at", "reset at", "half-close at", "reply 413 at"] {
        let fault = format!("response 1: {how} 100000");
        let is_early = how.starts_with("reply");
        // What was lost is sent again. It is refused before it was read, which ends one more connection.
        let expected = Expected { connections: if is_early { 2 } else { 3 }, asks: 3 };
        let name = format!("a large response is torn by: {fault}");
        survives(all, name, &fault, LARGE, expected, |outcome| {
            assert!(matches!(outcome.end(), End::Truncated(_)));
            assert!(outcome.body().is_empty());
        });
        let expected = Expected { connections: 2, asks: 3 };
        survives(all, format!("a stream is torn by: {fault}"), &fault, STREAM, expected, move |outcome| {
            assert!(matches!(outcome.end(), End::Truncated(_)));
            let received = outcome.body().len();
            assert!(received == 100_000 || is_early && received > 100_000, "{received} bytes");
        });
    }
}

/// What a response comes through whole, if later.
fn slow(all: &mut Vec<Scenario>) {
    for fault in ["dribble 65536 every 1ms", "stall 20ms at 100000", "stall 20ms", "garble 3 at 100000"] {
        let fault = format!("response 1: {fault}");
        let expected = Expected { connections: 1, asks: 3 };
        survives(all, format!("a large response passes: {fault}"), &fault, LARGE, expected, |outcome| {
            assert_eq!((outcome.is_complete(), outcome.body().len()), (true, 600_002));
        });
        let garbled = if fault.contains("garble") { 3 } else { 0 };
        survives(all, format!("a stream passes: {fault}"), &fault, STREAM, expected, move |outcome| {
            assert_eq!((outcome.is_complete(), outcome.payload().len()), (true, 64 * 65536));
            assert_eq!(outcome.payload().iter().filter(|byte| !byte.is_ascii_lowercase()).count(), garbled);
        });
    }
}

/// How often the function asks for something until it is told to end.
#[derive(Clone, Copy)]
struct Expected {
    connections: u64,
    /// Requests for an event.
    asks: u64,
}

#[derive(Debug)]
struct Played {
    outcome: Outcome,
    last: Outcome,
    observed: Observed,
    end: Result<(), String>,
}

/// An event that has its usual answer in spite of a fault.
fn answered(all: &mut Vec<Scenario>, fault: &str, payload: &'static str, expected: Expected) {
    let name = format!("an event of {payload} is answered in spite of: {fault}");
    survives(all, name, fault, payload, expected, move |outcome| match outcome.error() {
        None => assert_eq!(outcome.text(), payload),
        Some(error) => assert_eq!(error.error_type(), "Function.OutOfStock"),
    });
}

/// One event with a fault, and one more.
fn survives(
    all: &mut Vec<Scenario>,
    name: String,
    fault: &str,
    payload: &'static str,
    expected: Expected,
    check: impl Fn(&Outcome) + Send + 'static,
) {
    let last = format!("next {}: reply 403 {{\"errorMessage\":\"enough\",\"errorType\":\"Last\"}}", expected.asks);
    let faults: Vec<Fault> = [fault, &last].map(|fault| fault.parse().unwrap()).into();
    let play = move |start: Start| {
        let emulator = emulator(&faults);
        let address = emulator.endpoint().parse().unwrap();
        let function = std::thread::spawn(move || start(address));
        let outcome = emulator.invoke(payload).unwrap();
        let last = emulator.invoke(r#"{"last":true}"#).unwrap();
        let end = function.join().unwrap();
        judge(&Played { outcome, last, observed: emulator.observed(), end }, |played| {
            assert_eq!(played.observed.faults, faults, "each happens once");
            check(&played.outcome);
            assert_eq!((played.last.is_complete(), played.last.text().as_str()), (true, r#"{"last":true}"#));
            assert!(played.end.as_ref().is_err_and(|words| words.contains("403 Last: enough")));
            assert_eq!(played.observed.connections, expected.connections, "connections");
        });
    };
    all.push(Scenario { name, play: Box::new(play) });
}

/// A fault that the function cannot get over.
fn ends(all: &mut Vec<Scenario>, fault: &str, words: &'static str) {
    let name = format!("run ends, and says why: {fault}");
    let fault: Fault = fault.parse().unwrap();
    let play = move |start: Start| {
        let faults = [fault];
        let emulator = emulator(&faults);
        let invocation = emulator.start_invocation("[1]").unwrap();
        let end = start(emulator.endpoint().parse().unwrap());
        emulator.runtime_exited("run has ended");
        judge(&(end, invocation.wait(), emulator.observed()), |(end, outcome, observed)| {
            assert!(end.as_ref().is_err_and(|found| found.contains(words)));
            assert!(outcome.is_ok(), "the caller is told");
            assert_eq!(observed.faults, faults);
        });
    };
    all.push(Scenario { name, play: Box::new(play) });
}

/// It gives up well before the scenario counts as hanging.
fn emulator(faults: &[Fault]) -> Emulator {
    const LIMIT: Duration = Duration::from_secs(20);
    let builder = Emulator::builder().timeout(LIMIT).claim_timeout(LIMIT);
    builder.faults(faults.iter().cloned()).start().unwrap()
}
