//! Whatever callers send, the memory that the emulator uses for it is limited.

#![allow(clippy::unwrap_used, clippy::panic, clippy::string_slice, reason = "tests")]

#[path = "../../emulator/tests/common/mod.rs"]
mod common;
#[path = "support/served.rs"]
mod served;

use std::time::Instant;

use common::{Http, LIMIT, Runtime};
use lambda_emulator::front::Settings;
use lambda_runtime_emulator::{Emulator, MAX_EVENT};
use served::{INVOKE, Served};

#[test]
fn a_call_is_429_when_the_queue_is_full() {
    let settings = Settings { max_buffered: MAX_EVENT, ..Settings::default() };
    let served = Served::with(Emulator::builder().max_queued_bytes(0), settings);
    let payload = format!("\"{}\"", "x".repeat(1_000_000));
    // A refusal within a large body ends the connection.
    let call = |kind: &str| served.connect().post(INVOKE, &format!("X-Amz-Invocation-Type: {kind}\r\n"), &payload);
    let mut accepted = 0;
    let refused = loop {
        let received = call("Event");
        if received.status != 202 {
            break received;
        }
        accepted += 1;
        assert!(accepted < 80, "connections are not limited");
    };
    assert_eq!((refused.status, refused.header("x-amzn-errortype")), (429, Some("TooManyRequestsException")));
    assert_eq!(call("RequestResponse").status, 429);
    assert!(accepted > 2, "{accepted}");
    assert_eq!(served.observed().queued, accepted);

    let mut runtime = Runtime::connect(&served);
    let event = runtime.next();
    runtime.respond(event, "1");
    let until = Instant::now() + LIMIT;
    while call("Event").status != 202 {
        assert!(Instant::now() < until, "an invocation that has ended still counts");
    }
}

#[test]
fn uploads_that_are_not_complete_count() {
    let settings = Settings { max_buffered: MAX_EVENT, ..Settings::default() };
    let served = Served::with(Emulator::builder().max_queued_bytes(0), settings);
    let upload = || {
        let body = format!("\"{}\"", "x".repeat(MAX_EVENT * 2 / 3));
        let head = format!(
            "POST {INVOKE} HTTP/1.1\r\nHost: localhost\r\nX-Amz-Invocation-Type: DryRun\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let mut http = served.connect();
        http.write(head);
        http.write(&body[..body.len() - 1]);
        http
    };
    let complete = |mut http: Http| {
        http.write("\"");
        http.read().status
    };
    // The emulator may read the second of the two before the first.
    let until = Instant::now() + LIMIT;
    loop {
        let first = upload();
        let statuses = [complete(upload()), complete(first)];
        assert!(statuses.iter().all(|status| [204, 429].contains(status)), "{statuses:?}");
        if statuses.contains(&429) {
            break;
        }
        assert!(Instant::now() < until, "the limit was not reached in time");
    }
    assert_eq!(complete(upload()), 204);
}

#[test]
fn stopping_ends_callers_that_wait() {
    let served = Served::start();
    let mut callers = [(); 2].map(|()| served.call(INVOKE, "", "{}"));
    assert!(served.wait_until(LIMIT, |observed| observed.queued == 2));
    let mut idle = served.connect();
    drop(served);
    assert!(idle.is_over());
    for caller in &mut callers {
        caller.reader.buffer();
        assert!(caller.is_over() || caller.has_ended() || caller.read_head().status == 502);
    }
}
