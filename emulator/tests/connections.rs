//! Connections, and workers that share an emulator.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::net::{Shutdown, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use common::{Http, LIMIT, Runtime};
use lambda_runtime_emulator::{Emulator, Error};
use lambda_runtime_proto::Endpoint;
use lambda_runtime_proto::client::Event;

#[test]
fn an_event_is_not_delivered_to_a_connection_that_was_closed_while_it_waited() {
    for concurrency in [1, 2] {
        let emulator = Emulator::builder().concurrency(concurrency).start().unwrap();
        let mut dead = Runtime::connect(&emulator);
        dead.request_event();
        assert!(emulator.wait_until(LIMIT, |observed| observed.waiting == 1));
        drop(dead);
        // A close takes a moment to arrive. In classic mode, an event that is delivered meanwhile is delivered again.
        assert!(concurrency == 1 || emulator.wait_until(LIMIT, |observed| observed.waiting == 0));
        let invocation = emulator.start_invocation("{}").unwrap();
        let mut runtime = Runtime::connect(&emulator);
        let event = runtime.next();
        assert_eq!(event.request_id(), invocation.request_id());
        runtime.respond(event, "1");
        assert!(invocation.wait().unwrap().is_complete());
    }
}

#[test]
fn an_event_is_not_delivered_to_a_connection_that_was_half_closed_while_it_waited() {
    let emulator = Emulator::start().unwrap();
    let mut dead = Runtime::connect(&emulator);
    dead.request_event();
    dead.socket.shutdown(Shutdown::Write).unwrap();
    assert!(emulator.wait_until(LIMIT, |observed| observed.connections == 1 && observed.open_connections == 0));
    let invocation = emulator.start_invocation("{}").unwrap();
    let mut runtime = Runtime::connect(&emulator);
    let event = runtime.next();
    runtime.respond(event, "1");
    assert!(invocation.wait().unwrap().is_complete());
}

#[test]
fn an_event_whose_connection_died_after_the_delivery_is_delivered_again_in_classic_mode() {
    let emulator = Emulator::start().unwrap();
    let invocation = emulator.start_invocation("{}").unwrap();
    drop(Runtime::connect(&emulator).next());
    let mut runtime = Runtime::connect(&emulator);
    let event = runtime.next();
    assert_eq!(event.request_id(), invocation.request_id());
    runtime.respond(event, "1");
    assert!(invocation.wait().unwrap().is_complete());
}

#[test]
fn a_response_may_come_on_another_connection() {
    let emulator = Emulator::start().unwrap();
    let invocation = emulator.start_invocation("{}").unwrap();
    let id = invocation.request_id().to_owned();
    drop(Runtime::connect(&emulator).next());
    let received =
        Http::to_runtime_api(&emulator).post(&format!("/2018-06-01/runtime/invocation/{id}/response"), "", "1");
    assert_eq!(received.status, 202);
    assert!(invocation.wait().unwrap().is_complete());
}

#[test]
fn the_next_event_may_be_requested_before_the_end_of_a_closed_connection_is_noticed() {
    let emulator = Emulator::start().unwrap();
    let [truncated, responded] = ["1", "2"].map(|payload| emulator.start_invocation(payload).unwrap());
    let mut dead = Runtime::connect(&emulator);
    let event = dead.next();
    let stream = dead.stream(event);
    dead.chunk(&stream, "part");
    assert!(truncated.head().is_some());
    let mut runtime = Runtime::connect(&emulator);
    runtime.request_event();
    // Longer than it usually takes to notice the end.
    thread::sleep(Duration::from_millis(20));
    drop(dead);
    let Event::Invocation(event) = runtime.event() else { panic!("no event") };
    assert_eq!(event.request_id(), responded.request_id());
    runtime.respond(event, "1");
    assert!(responded.wait().unwrap().is_complete());
    assert!(!truncated.wait().unwrap().is_complete());
}

#[test]
fn connections_are_counted() {
    let emulator = Emulator::start().unwrap();
    let connections: Vec<_> = (0..5).map(|_| TcpStream::connect(emulator.endpoint()).unwrap()).collect();
    assert!(emulator.wait_until(LIMIT, |observed| observed.open_connections == 5));
    drop(connections);
    assert!(emulator.wait_until(LIMIT, |observed| observed.open_connections == 0));
    assert_eq!(emulator.observed().connections, 5);
}

#[test]
fn each_request_of_a_worker_gets_an_event() {
    const WORKERS: usize = 8;
    let emulator = Emulator::builder().concurrency(WORKERS).start().unwrap();
    let mut workers: Vec<_> = (0..WORKERS).map(|_| Runtime::connect(&emulator)).collect();
    workers.iter_mut().for_each(Runtime::request_event);
    assert!(emulator.wait_until(LIMIT, |observed| observed.waiting == WORKERS));
    let invocations: Vec<_> = (0..WORKERS).map(|n| emulator.start_invocation(n.to_string()).unwrap()).collect();
    // All are delivered before the first response.
    assert!(emulator.wait_until(LIMIT, |observed| observed.in_flight == WORKERS));
    for worker in workers.iter_mut().rev() {
        let lambda_runtime_proto::client::Event::Invocation(event) = worker.event() else { panic!("no event") };
        let body = event.body();
        worker.respond(event, body);
    }
    for (n, invocation) in invocations.into_iter().enumerate() {
        assert_eq!(invocation.wait().unwrap().text(), n.to_string());
    }
}

#[test]
fn one_event_at_a_time_is_in_flight_in_classic_mode() {
    let emulator = Emulator::start().unwrap();
    let mut workers = [Runtime::connect(&emulator), Runtime::connect(&emulator)];
    workers.iter_mut().for_each(Runtime::request_event);
    assert!(emulator.wait_until(LIMIT, |observed| observed.waiting == 2));
    let invocations = [emulator.start_invocation("1").unwrap(), emulator.start_invocation("2").unwrap()];
    assert!(emulator.wait_until(LIMIT, |observed| observed.in_flight == 1));
    assert_eq!(emulator.observed().queued, 1);
    thread::scope(|scope| {
        for worker in &mut workers {
            scope.spawn(|| {
                let lambda_runtime_proto::client::Event::Invocation(event) = worker.event() else { panic!("no event") };
                let body = event.body();
                worker.respond(event, body);
            });
        }
    });
    assert_eq!(invocations.map(|invocation| invocation.wait().unwrap().text()), ["1", "2"]);
}

#[test]
fn concurrent_callers_and_workers_lose_nothing() {
    const WORKERS: usize = 4;
    const EACH: usize = 100;
    let emulator = Emulator::builder().concurrency(WORKERS).start().unwrap();
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            let mut runtime = Runtime::connect(&emulator);
            scope.spawn(move || {
                loop {
                    let event = runtime.next();
                    let body = event.body();
                    let is_last = body == "stop";
                    runtime.respond(event, body);
                    if is_last {
                        return;
                    }
                }
            });
        }
        let callers: Vec<_> = (0..8)
            .map(|caller| {
                let emulator = &emulator;
                scope.spawn(move || {
                    for n in 0..EACH {
                        let payload = format!("{caller}-{n}");
                        assert_eq!(emulator.invoke(payload.as_str()).unwrap().text(), payload);
                    }
                })
            })
            .collect();
        for caller in callers {
            caller.join().unwrap();
        }
        for _ in 0..WORKERS {
            emulator.invoke("stop").unwrap();
        }
    });
    let responded = emulator.observed().requests(Endpoint::Response);
    assert_eq!(responded, u64::try_from(8 * EACH + WORKERS).unwrap());
}

#[test]
fn dropping_the_emulator_ends_everything() {
    let emulator = Emulator::builder().concurrency(4).start().unwrap();
    let endpoint = emulator.endpoint().to_owned();
    // One waiter of each kind.
    let mut idle = Http::connect(&endpoint);
    let mut waiting = Runtime::connect(&emulator);
    waiting.request_event();
    assert!(emulator.wait_until(LIMIT, |observed| observed.waiting == 1));
    let in_flight = emulator.start_invocation("{}").unwrap();
    let lambda_runtime_proto::client::Event::Invocation(event) = waiting.event() else { panic!("no event") };
    let mut streaming = waiting;
    let stream = streaming.stream(event);
    streaming.chunk(&stream, "part");
    assert!(in_flight.head().is_some());
    let queued = emulator.start_invocation("{}").unwrap();
    let mut half_sent = Http::connect(&endpoint);
    half_sent.write("GET /2018-06-01/runtime/inv");

    let (done, dropped) = mpsc::channel();
    thread::spawn(move || {
        drop(emulator);
        done.send(()).unwrap();
    });
    dropped.recv_timeout(LIMIT).unwrap();
    assert_eq!(in_flight.wait().unwrap_err(), Error::Stopped);
    assert_eq!(queued.wait().unwrap_err(), Error::Stopped);
    assert!(idle.is_over());
    assert!(half_sent.is_over());
    assert!(TcpStream::connect(endpoint).is_err());
}

#[test]
fn a_function_that_requests_an_event_is_refused_when_the_emulator_is_dropped() {
    for is_waiting in [true, false] {
        let emulator = Emulator::start().unwrap();
        let mut runtime = Runtime::connect(&emulator);
        let served = emulator.start_invocation("1").unwrap();
        let invocation = runtime.next();
        runtime.respond(invocation, "1");
        served.wait().unwrap();
        if is_waiting {
            runtime.request_event();
            assert!(emulator.wait_until(LIMIT, |observed| observed.waiting == 1));
        }
        let dropping = thread::spawn(move || drop(emulator));
        if !is_waiting {
            runtime.request_event();
        }
        let reply = runtime.reply();
        assert_eq!(reply.status(), 403);
        assert!(String::from_utf8_lossy(&reply.body()).contains("the emulator has stopped"), "{reply:?}");
        drop(runtime);
        dropping.join().unwrap();
    }
}

#[test]
#[cfg(unix)]
fn a_reserved_port_refuses_connections_and_is_not_reused() {
    let emulator = Emulator::builder().reserve_port().start().unwrap();
    let endpoint = emulator.endpoint().to_owned();
    drop(Http::connect(&endpoint));
    drop(emulator);
    assert_eq!(TcpStream::connect(&endpoint).unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);
    let port: u16 = endpoint.rsplit(':').next().unwrap().parse().unwrap();
    let free = (0..100).map(|_| std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    assert!(free.collect::<Vec<_>>().iter().all(|listener| listener.local_addr().unwrap().port() != port));
}

#[test]
fn a_hundred_emulators_leak_neither_threads_nor_sockets() {
    fn count(of: &str) -> usize {
        std::fs::read_dir(format!("/proc/self/{of}")).map_or(0, Iterator::count)
    }
    // Other tests of this file run at the same time, so this one runs in another process.
    if std::env::var_os("ALONE").is_none() {
        let status = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "a_hundred_emulators_leak_neither_threads_nor_sockets"])
            .env("ALONE", "1")
            .status();
        return assert!(status.unwrap().success());
    }
    let before = (count("task"), count("fd"));
    for _ in 0..100 {
        let emulator = Emulator::start().unwrap();
        let mut runtime = Runtime::connect(&emulator);
        runtime.request_event();
        let _queued = emulator.start_invocation("{}").unwrap();
    }
    // A thread that was joined may be listed for another moment.
    let until = std::time::Instant::now() + LIMIT;
    while (count("task"), count("fd")) != before {
        assert!(std::time::Instant::now() < until, "{before:?} became {:?}", (count("task"), count("fd")));
        thread::yield_now();
    }
}
