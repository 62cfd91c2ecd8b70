//! Scripted faults of the Runtime API.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod common;

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::mpsc;
use std::time::Duration;

use common::{Http, LIMIT};
use lambda_runtime_emulator::{Emulator, End, Endpoint, Event, Fault, Invocation, Notice};

const NEXT: &str = "/2018-06-01/runtime/invocation/next";
const RESPONSE: &str = "/2018-06-01/runtime/invocation/id/response";

/// An emulator with these faults and the event `[1]`, whose id is `id`.
fn with(faults: &[&str]) -> (Emulator, Invocation) {
    let faults: Vec<Fault> = faults.iter().map(|fault| fault.parse().unwrap()).collect();
    let emulator = Emulator::builder().faults(faults).start().unwrap();
    let invocation = emulator.start_invocation(Event::new("[1]").request_id("id")).unwrap();
    (emulator, invocation)
}

/// The faults that have happened.
fn happened(emulator: &Emulator) -> Vec<String> {
    emulator.observed().faults.iter().map(Fault::to_string).collect()
}

/// A connection that has requested an event.
fn requesting(emulator: &Emulator) -> TcpStream {
    let mut socket = TcpStream::connect(emulator.endpoint()).unwrap();
    socket.set_read_timeout(Some(LIMIT)).unwrap();
    write!(socket, "GET {NEXT} HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    socket
}

/// Everything that arrives until the connection ends, and whether it ends in a reset.
fn until_it_ends(socket: &mut TcpStream) -> (Vec<u8>, bool) {
    let mut received = Vec::new();
    match socket.read_to_end(&mut received) {
        Ok(_) => (received, false),
        Err(error) if error.kind() == ErrorKind::ConnectionReset => (received, true),
        Err(error) => panic!("{error}, after {} bytes", received.len()),
    }
}

/// Whether nothing more arrives, and the connection is open.
fn is_silent(socket: &mut TcpStream) -> bool {
    socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let read = socket.read(&mut [0]);
    socket.set_read_timeout(Some(LIMIT)).unwrap();
    matches!(read, Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut))
}

/// Requests the event and responds to it on a new connection.
fn serve(emulator: &Emulator) {
    let mut http = Http::to_runtime_api(emulator);
    assert_eq!(http.get(NEXT).text(), "[1]");
    assert_eq!(http.post(RESPONSE, "", "[2]").status, 202);
}

fn begin_stream(http: &mut Http) {
    http.write(format!(
        "POST {RESPONSE} HTTP/1.1\r\nHost: localhost\r\nLambda-Runtime-Function-Response-Mode: streaming\r\n\
         Transfer-Encoding: chunked\r\n\r\n"
    ));
}

#[test]
fn a_reply_ends_at_a_byte_by_a_close_or_a_reset() {
    for (how, is_reset) in [("close", false), ("half-close", false), ("reset", true)] {
        let fault = format!("next 1: {how} at 40 of the reply");
        let (emulator, invocation) = with(&[&fault]);
        let (received, reset) = until_it_ends(&mut requesting(&emulator));
        assert_eq!((received.len(), reset), (40, is_reset), "{how}");
        assert!(received.starts_with(b"HTTP/1.1 200 OK\r\n"));
        serve(&emulator);
        assert!(invocation.wait().unwrap().is_complete());
        assert_eq!(happened(&emulator), [fault]);
    }
}

#[test]
fn a_connection_that_is_half_closed_is_read_on() {
    let (emulator, invocation) = with(&["next 1: half-close"]);
    let mut socket = requesting(&emulator);
    assert_eq!(until_it_ends(&mut socket), (Vec::new(), false));
    for _ in 0..64 {
        socket.write_all(&[b'x'; 64 * 1024]).unwrap();
    }
    assert_eq!(emulator.observed().open_connections, 1);
    drop(socket);
    serve(&emulator);
    assert!(invocation.wait().unwrap().is_complete());
}

#[test]
fn a_reply_that_breaks_after_its_last_byte_has_arrived() {
    let (emulator, _invocation) = with(&["next 1: close at 1000000"]);
    let mut socket = requesting(&emulator);
    let mut reply = [0; 4096];
    let mut length = 0;
    while !reply[..length].ends_with(b"\r\n\r\n[1]") {
        length += socket.read(&mut reply[length..]).unwrap();
    }
    assert_eq!(happened(&emulator), [""; 0], "it is shorter");

    let (emulator, invocation) = with(&[&format!("next 1: close at {length}")]);
    assert_eq!(until_it_ends(&mut requesting(&emulator)).0.len(), length);
    assert_eq!(emulator.observed().in_flight, 1);
    assert_eq!(Http::to_runtime_api(&emulator).post(RESPONSE, "", "2").status, 202);
    assert!(invocation.wait().unwrap().is_complete());
}

#[test]
fn a_stall_lasts_for_its_time_or_as_long_as_the_connection() {
    let (emulator, invocation) = with(&["next 1: stall at 40", "next 2: stall 1ms at 40"]);
    let mut socket = requesting(&emulator);
    socket.read_exact(&mut [0; 40]).unwrap();
    assert!(is_silent(&mut socket));
    drop(socket);
    // The second stall is over soon.
    serve(&emulator);
    assert!(invocation.wait().unwrap().is_complete());
    assert_eq!(happened(&emulator).len(), 2);
}

#[test]
fn dropping_the_emulator_ends_a_stall() {
    let (emulator, _invocation) = with(&["next 1: stall"]);
    let mut socket = requesting(&emulator);
    assert!(emulator.wait_until(LIMIT, |observed| observed.faults.len() == 1));
    // Bytes that are never read do not delay it.
    socket.write_all(b"more").unwrap();
    let (done, dropped) = mpsc::channel();
    std::thread::spawn(move || {
        drop(emulator);
        done.send(()).unwrap();
    });
    dropped.recv_timeout(LIMIT).unwrap();
}

#[test]
fn a_reply_that_dribbles_arrives_in_pieces() {
    let (emulator, _invocation) = with(&["next 1: dribble every 1ms at 3"]);
    let mut socket = requesting(&emulator);
    let mut received = Vec::new();
    let mut reads = 0;
    while !received.ends_with(b"\r\n\r\n[1]") {
        let mut piece = [0; 4096];
        let n = socket.read(&mut piece).unwrap();
        received.extend(&piece[..n]);
        reads += 1;
    }
    assert!(received.starts_with(b"HTTP/1.1 200 OK\r\n") && reads > 1, "{reads} reads");
}

#[test]
fn the_scripted_bytes_are_garbled() {
    let (emulator, _invocation) = with(&["next 1: garble 2 at 9", "next 1: garble at 0"]);
    let mut received = [0; 17];
    requesting(&emulator).read_exact(&mut received).unwrap();
    let mut expected = *b"HTTP/1.1 200 OK\r\n";
    for at in [0, 9, 10] {
        expected[at] = !expected[at];
    }
    assert_eq!(received, expected);
    assert_eq!(happened(&emulator).len(), 2);

    let (emulator, invocation) = with(&["response 1: garble at 1"]);
    serve(&emulator);
    assert_eq!(invocation.wait().unwrap().body()[..], [b'[', !b'2', b']']);
}

#[test]
fn a_delayed_acknowledgement_does_not_delay_the_outcome() {
    let (emulator, invocation) = with(&["response 1: delay 1000s"]);
    let mut http = Http::to_runtime_api(&emulator);
    http.get(NEXT);
    http.write(format!("POST {RESPONSE} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n2"));
    assert_eq!(invocation.wait().unwrap().text(), "2");
    assert!(is_silent(http.reader.get_mut()));
}

#[test]
fn a_reply_can_be_replaced() {
    let (emulator, invocation) = with(&[
        "next 1: reply 500 (Retry-After: 1) {\"errorMessage\":\"no\"}",
        "next 2: reply 204",
        "response 1: reply 413 (Connection: close; Content-Type: text/plain) too much",
    ]);
    let mut http = Http::to_runtime_api(&emulator);
    let refused = http.get(NEXT);
    assert_eq!((refused.status, refused.text()), (500, "{\"errorMessage\":\"no\"}"));
    assert_eq!((refused.header("retry-after"), refused.header("content-type")), (Some("1"), Some("application/json")));
    assert_eq!(http.get(NEXT).status, 204);
    assert_eq!(emulator.observed().queued, 1, "a canned reply takes no event");
    assert_eq!(http.get(NEXT).text(), "[1]");
    let refused = http.post(RESPONSE, "", "2");
    assert_eq!((refused.status, refused.text(), refused.header("content-type")), (413, "too much", Some("text/plain")));
    assert!(http.is_over());
    assert_eq!(invocation.wait().unwrap().text(), "2", "only the acknowledgement is replaced");
}

#[test]
fn an_early_reply_comes_before_the_body_is_read() {
    for (at, sent) in [(0, ""), (4, "4\r\npart\r\n")] {
        let (emulator, invocation) = with(&[&format!("response 1: reply 413 at {at}")]);
        let mut http = Http::to_runtime_api(&emulator);
        http.get(NEXT);
        begin_stream(&mut http);
        http.write(sent);
        let refused = http.read();
        assert_eq!((refused.status, refused.header("connection")), (413, Some("close")));
        drop(http);
        let outcome = invocation.wait().unwrap();
        assert!(matches!(outcome.end(), End::Truncated(_)), "{outcome:?}");
        assert_eq!(outcome.body().len(), at);
        assert_eq!(happened(&emulator).len(), 1);
    }
}

#[test]
fn a_request_is_truncated_at_a_byte() {
    for how in ["close", "half-close", "reset"] {
        let (emulator, invocation) = with(&[&format!("response 1: {how} at 1000")]);
        let mut http = Http::to_runtime_api(&emulator);
        http.get(NEXT);
        begin_stream(&mut http);
        http.write(format!("1000\r\n{}\r\n", "x".repeat(0x1000)));
        let outcome = invocation.wait().unwrap();
        assert_eq!(outcome.body().len(), 1000, "{how}");
        assert!(matches!(outcome.end(), End::Truncated(_)), "{how}: {outcome:?}");
        assert!(http.is_over());
    }
}

#[test]
fn a_request_that_stalls_is_read_no_further() {
    let (emulator, mut invocation) = with(&["response 1: stall at 1000"]);
    let mut http = Http::to_runtime_api(&emulator);
    http.get(NEXT);
    begin_stream(&mut http);
    http.write(format!("1000\r\n{}\r\n", "x".repeat(0x1000)));
    assert!(emulator.wait_until(LIMIT, |observed| observed.faults.len() == 1));
    let mut read = 0;
    while read < 1000 {
        read += invocation.next().unwrap().data.len();
    }
    assert_eq!(read, 1000);
    assert!(is_silent(http.reader.get_mut()));
    // The connection is dead, so the rest is not read.
    drop(http);
    drop(emulator);
    assert!(invocation.next().is_none());
}

#[test]
fn a_request_may_be_read_slowly() {
    let (emulator, invocation) = with(&["response 1: dribble 10 every 1ms at 25"]);
    let mut http = Http::to_runtime_api(&emulator);
    http.get(NEXT);
    begin_stream(&mut http);
    http.write(format!("40\r\n{}\r\n0\r\n\r\n", "x".repeat(64)));
    assert_eq!(http.read().status, 202);
    let mut at = 0;
    for piece in invocation.map(|chunk| chunk.data.len()) {
        let most = if at < 25 { 25 - at } else { 10 };
        assert!(piece <= most, "{piece} bytes at {at}");
        at += piece;
    }
    assert_eq!(at, 64);
}

#[test]
fn connections_are_counted_from_the_first() {
    let (emulator, invocation) =
        with(&["connection 2: close of the request", "connection 3: reset at 10 of the reply"]);
    let mut first = Http::to_runtime_api(&emulator);
    assert_eq!(first.get(NEXT).text(), "[1]");
    let mut second = TcpStream::connect(emulator.endpoint()).unwrap();
    second.set_read_timeout(Some(LIMIT)).unwrap();
    assert_eq!(until_it_ends(&mut second), (Vec::new(), false));
    assert_eq!(first.post(RESPONSE, "", "2").status, 202);
    assert!(invocation.wait().unwrap().is_complete());
    let mut third = TcpStream::connect(emulator.endpoint()).unwrap();
    write!(third, "POST {RESPONSE} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n").unwrap();
    assert_eq!(until_it_ends(&mut third), (b"HTTP/1.1 4".to_vec(), true));
}

#[test]
fn the_bytes_of_a_connection_count_over_all_its_requests() {
    let (emulator, invocation) = with(&["connection 1: garble at 300 of the request", "connection: reply 202"]);
    let mut http = Http::to_runtime_api(&emulator);
    let mut replies = 0;
    while http.get(NEXT).status == 202 {
        replies += 1;
    }
    let request = format!("GET {NEXT} HTTP/1.1\r\nHost: localhost\r\n\r\n").len();
    assert_eq!(replies, 300 / request, "the next request was not HTTP");
    drop(invocation);
}

#[test]
fn requests_of_a_kind_are_counted_over_all_connections() {
    let (emulator, _invocation) = with(&["error 2: reply 418", "init-error: reply 503"]);
    let path = "/2018-06-01/runtime/invocation/none/error";
    let statuses = [(); 3].map(|()| Http::to_runtime_api(&emulator).post(path, "", "{}").status);
    assert_eq!(statuses, [400, 418, 400]);
    let statuses =
        [(); 2].map(|()| Http::to_runtime_api(&emulator).post("/2018-06-01/runtime/init/error", "", "{}").status);
    assert_eq!(statuses, [503, 503]);
    assert_eq!(emulator.observed().requests(Endpoint::Error), 3);
    assert_eq!(emulator.observed().init_errors.len(), 1, "the second is refused, whatever the reply is");
}

#[test]
fn the_observer_is_notified_of_a_fault() {
    let (sender, faults) = mpsc::channel();
    let emulator = Emulator::builder()
        .faults(["next: reply 204".parse().unwrap()])
        .observer(move |notice| {
            if let Notice::Fault { fault } = notice {
                sender.send(fault.to_string()).unwrap();
            }
        })
        .start()
        .unwrap();
    let mut http = Http::to_runtime_api(&emulator);
    http.get(NEXT);
    http.get(NEXT);
    drop(emulator);
    assert_eq!(faults.iter().collect::<Vec<_>>(), ["next: reply 204"; 2]);
}
