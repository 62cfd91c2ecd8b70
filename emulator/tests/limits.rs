//! Whatever clients send, the memory that the emulator uses for it is limited.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::io::Write as _;
use std::net::{Shutdown, TcpStream};
use std::thread;

use common::{Http, LIMIT, Runtime, failure};
use lambda_runtime_emulator::{Emulator, Error, MAX_EVENT};

#[test]
fn refused_requests_leave_little_behind() {
    let emulator = Emulator::start().unwrap();
    let long = "x".repeat(900_000);
    let mut http = Http::to_runtime_api(&emulator);
    for n in 0..20 {
        let headers = format!("User-Agent: {n}{}\r\n", "y".repeat(100_000));
        assert_eq!(http.post(&format!("/{long}"), &headers, "").status, 404);
        let path = format!("/2018-06-01/runtime/invocation/{long}/response");
        assert_eq!(http.post(&path, &headers, "").status, 400);
    }
    let observed = emulator.observed();
    let of_refusals = observed.refusals.iter().map(|refusal| refusal.path.len() + refusal.message.len());
    let of_agents = observed.user_agents.iter().map(String::len);
    assert_eq!((observed.refusals.len(), observed.user_agents.len()), (40, 20));
    let retained: usize = of_refusals.chain(of_agents).sum();
    assert!(retained < 100 * 1200, "{retained} bytes");
    assert!(observed.refusals.first().is_some_and(|refusal| refusal.path.starts_with("/xxx")));
}

#[test]
fn start_up_errors_leave_little_behind() {
    let emulator = Emulator::start().unwrap();
    for _ in 0..120 {
        let mut runtime = Runtime::connect(&emulator);
        runtime.client.init_error(failure("Function.NoConfig", &"x".repeat(100_000))).unwrap();
        assert_eq!(runtime.reply().status(), 202);
        drop(runtime);
        emulator.runtime_exited("Runtime exited with error: exit status 1");
    }
    let errors = emulator.observed().init_errors;
    assert_eq!(errors.len(), 100);
    assert!(errors.iter().all(|error| error.body().len() == 64 * 1024));
}

#[test]
fn the_queue_is_limited_in_events() {
    let emulator = Emulator::builder().max_queued_events(2).start().unwrap();
    let _queued = [(); 2].map(|()| emulator.start_invocation("{}").unwrap());
    assert_eq!(emulator.start_invocation("{}").unwrap_err(), Error::QueueFull);
    // The delivery of an event makes room for another.
    let _event = Runtime::connect(&emulator).next();
    emulator.start_invocation("{}").map(drop).unwrap();
    assert_eq!(emulator.start_invocation("{}").unwrap_err(), Error::QueueFull);
}

#[test]
fn the_queue_is_limited_in_bytes() {
    // Events in flight count, except for one of the largest size per concurrent invocation.
    let emulator = Emulator::builder().max_queued_bytes(10).start().unwrap();
    let alone = emulator.start_invocation(vec![b'x'; MAX_EVENT + 50]).unwrap();
    assert_eq!(emulator.start_invocation("{}").unwrap_err(), Error::QueueFull);
    let mut runtime = Runtime::connect(&emulator);
    let event = runtime.next();
    assert_eq!(emulator.start_invocation("{}").unwrap_err(), Error::QueueFull);
    runtime.respond(event, "1");
    assert!(alone.wait().unwrap().is_complete());

    let _queued = emulator.start_invocation(vec![b'x'; MAX_EVENT]).unwrap();
    emulator.start_invocation(vec![b'x'; 10]).map(drop).unwrap();
    assert_eq!(emulator.start_invocation("1").unwrap_err(), Error::QueueFull);
}

#[test]
fn connections_beyond_the_limit_are_refused() {
    let emulator = Emulator::start().unwrap();
    let connections: Vec<_> = (0..300).map(|_| TcpStream::connect(emulator.endpoint()).unwrap()).collect();
    let mut beyond = Http::connect(emulator.endpoint());
    assert_eq!((beyond.read_head().status, beyond.is_over()), (503, true));
    assert!(emulator.observed().connections < 300);
    drop(connections);
    assert!(emulator.wait_until(LIMIT, |observed| observed.open_connections == 0));
    assert_eq!(Http::to_runtime_api(&emulator).get("/").status, 404);
}

#[test]
fn a_response_that_is_too_large_and_has_no_end_gets_a_reply() {
    let emulator = Emulator::start().unwrap();
    let event = lambda_runtime_emulator::Event::new("{}").request_id("id");
    let invocation = emulator.start_invocation(event).unwrap();
    let mut http = Http::to_runtime_api(&emulator);
    http.get("/2018-06-01/runtime/invocation/next");
    http.write(
        "POST /2018-06-01/runtime/invocation/id/response HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n",
    );
    let chunk = format!("100000\r\n{}\r\n", "x".repeat(0x0010_0000));
    thread::scope(|scope| {
        let mut socket = http.reader.get_ref().try_clone().unwrap();
        scope.spawn(move || while socket.write_all(chunk.as_bytes()).is_ok() {});
        assert_eq!(http.read().status, 413);
        http.reader.get_ref().shutdown(Shutdown::Both).unwrap();
    });
    assert_eq!(invocation.wait().unwrap().error().unwrap().error_type(), "Function.ResponseSizeTooLarge");
}

#[test]
fn a_request_for_an_event_with_a_body_without_an_end_gets_a_reply() {
    let emulator = Emulator::start().unwrap();
    let mut http = Http::to_runtime_api(&emulator);
    http.write(
        "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n",
    );
    for _ in 0..5 {
        http.write(format!("10000\r\n{}\r\n", "x".repeat(0x10000)));
    }
    assert_eq!(http.read().status, 413);
}
