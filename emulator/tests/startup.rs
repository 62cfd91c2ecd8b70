//! Start-up and its failures, SnapStart, extensions, and processes that end.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use common::{Http, LIMIT, Runtime, failure};
use http::HeaderValue;
use lambda_runtime_emulator::{Emulator, End, Event, Notice};
use lambda_runtime_proto::client::{Event as ClientEvent, ReplyKind};
use serde_json::json;

#[test]
fn an_init_error_is_the_outcome_of_invocations_before_and_after_it() {
    let emulator = Emulator::start().unwrap();
    let before = emulator.start_invocation("{}").unwrap();
    let mut runtime = Runtime::connect(&emulator);
    runtime.client.init_error(failure("Function.NoConfig", "TABLE is not set")).unwrap();
    assert_eq!(runtime.reply().status(), 202);
    for outcome in [before.wait().unwrap(), emulator.invoke("{}").unwrap()] {
        assert!(matches!(outcome.end(), End::Failed(_)));
        assert_eq!(outcome.error().unwrap().error_type(), "Function.NoConfig");
    }
    let errors = emulator.observed().init_errors;
    assert_eq!(errors.len(), 1);
    assert!(errors.iter().all(|error| error.message() == "TABLE is not set"));
    let mut http = Http::to_runtime_api(&emulator);
    assert_eq!(http.get("/2018-06-01/runtime/invocation/next").status, 403);
}

#[test]
fn an_init_error_after_the_first_request_for_an_event_is_403() {
    let emulator = Emulator::start().unwrap();
    let mut runtime = Runtime::connect(&emulator);
    runtime.request_event();
    assert!(emulator.wait_until(LIMIT, |observed| observed.ready));
    let received = Http::to_runtime_api(&emulator).post("/2018-06-01/runtime/init/error", "", "{}");
    assert_eq!((received.status, &received.json()["errorType"]), (403, &json!("InvalidStateTransition")));
    assert!(emulator.observed().init_errors.is_empty());
}

#[test]
fn a_snapshot_is_restored_by_the_first_event_or_on_demand() {
    for on_demand in [true, false] {
        let emulator = Emulator::start().unwrap();
        let mut runtime = Runtime::connect(&emulator);
        runtime.client.restore_next().unwrap();
        runtime.flush();
        let mut invocation = None;
        if on_demand {
            emulator.restore();
        } else {
            invocation = Some(emulator.start_invocation("{}").unwrap());
        }
        assert_eq!(runtime.reply().kind(), ReplyKind::Accepted);
        let invocation = invocation.unwrap_or_else(|| emulator.start_invocation("{}").unwrap());
        let mut runtime = Runtime::connect(&emulator);
        let event = runtime.next();
        runtime.respond(event, "1");
        assert!(invocation.wait().unwrap().is_complete());
    }
}

#[test]
fn a_restore_error_is_accepted_only_after_the_restore() {
    let emulator = Emulator::start().unwrap();
    let mut http = Http::to_runtime_api(&emulator);
    assert_eq!(http.post("/2018-06-01/runtime/restore/error", "", "{}").status, 403);
    emulator.restore();
    assert_eq!(http.get("/2018-06-01/runtime/restore/next").status, 200);
    let error_type = "Lambda-Runtime-Function-Error-Type: Runtime.AfterRestoreError\r\n";
    assert_eq!(http.post("/2018-06-01/runtime/restore/error", error_type, "{}").status, 202);
    let outcome = emulator.invoke("{}").unwrap();
    assert_eq!(outcome.error().unwrap().error_type(), "Runtime.AfterRestoreError");
    assert_eq!(emulator.observed().restore_errors.len(), 1);
}

#[test]
fn an_extension_that_registers_for_it_is_notified_of_invocations() {
    let emulator = Emulator::start().unwrap();
    let mut runtime = Runtime::connect(&emulator);
    let name = HeaderValue::from_static("flush");
    runtime.client.register_extension(&name, r#"{"events":["INVOKE"]}"#).unwrap();
    let reply = runtime.reply();
    assert_eq!(reply.status(), 200);
    let identifier = HeaderValue::from_bytes(reply.headers().get("lambda-extension-identifier").unwrap()).unwrap();
    let mut extension = Runtime::connect(&emulator);
    extension.client.next_extension_event(&identifier).unwrap();
    extension.flush();

    let invocation = emulator.start_invocation("{}").unwrap();
    let _event = runtime.next();
    let notified: serde_json::Value = serde_json::from_slice(&extension.reply().body()).unwrap();
    assert_eq!(notified["eventType"], "INVOKE");
    assert_eq!(notified["requestId"], invocation.request_id());
    let extensions = emulator.observed().extensions;
    assert_eq!((extensions.len(), extensions.first().unwrap().name.as_str()), (1, "flush"));
}

#[test]
fn an_extension_that_is_wrong_or_late_is_403() {
    let emulator = Emulator::start().unwrap();
    let mut http = Http::to_runtime_api(&emulator);
    let mut register = |name: &str, body: &str| {
        let name = format!("Lambda-Extension-Name: {name}\r\n");
        let received = http.post("/2020-01-01/extension/register", &name, body);
        (received.status, received.json()["errorType"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(register("", "{}").1, "Extension.InvalidExtensionName");
    assert_eq!(register("x", "no JSON").1, "InvalidRequestFormat");
    assert_eq!(register("x", r#"{"events":["SHUTDOWN"]}"#).1, "Extension.InvalidEventType");
    assert_eq!(register("x", r#"{"events":[]}"#).0, 200);
    assert_eq!(register("x", r#"{"events":[]}"#).1, "Extension.InvalidExtensionState");
    Runtime::connect(&emulator).request_event();
    assert!(emulator.wait_until(LIMIT, |observed| observed.ready));
    assert_eq!(register("y", r#"{"events":[]}"#), (403, "Extension.RegistrationClosed".to_owned()));

    let received = http.get("/2020-01-01/extension/event/next");
    assert_eq!((received.status, &received.json()["errorType"]), (403, &json!("Extension.MissingExtensionIdentifier")));
}

#[test]
fn an_external_extension_is_shut_down_with_a_reason_and_a_deadline() {
    let emulator = Emulator::builder().external_extension("outside").start().unwrap();
    let mut extension = Runtime::connect(&emulator);
    let name = HeaderValue::from_static("outside");
    extension.client.register_extension(&name, r#"{"events":["INVOKE","SHUTDOWN"]}"#).unwrap();
    let reply = extension.reply();
    let identifier = HeaderValue::from_bytes(reply.headers().get("lambda-extension-identifier").unwrap()).unwrap();
    assert_eq!(emulator.observed().registered_extensions, 1);
    extension.client.next_extension_event(&identifier).unwrap();
    extension.flush();
    assert_eq!(emulator.shut_down_extensions("spindown", LIMIT), 1);
    let event: serde_json::Value = serde_json::from_slice(&extension.reply().body()).unwrap();
    assert_eq!((&event["eventType"], &event["shutdownReason"]), (&json!("SHUTDOWN"), &json!("spindown")));
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    assert!(u128::from(event["deadlineMs"].as_u64().unwrap()) > now.as_millis());
}

#[test]
fn events_outlive_a_process_that_is_replaced_and_no_other() {
    let emulator = Emulator::start().unwrap();
    let invocation = emulator.start_invocation("{}").unwrap();
    emulator.runtime_replaced("the initialization timed out");
    assert_eq!(emulator.observed().queued, 1);
    emulator.initialization_timed_out(LIMIT);
    assert_eq!(invocation.wait().unwrap().error().unwrap().error_type(), "Sandbox.Timedout");
}

#[test]
fn a_paused_emulator_delivers_nothing() {
    let emulator = Emulator::start().unwrap();
    emulator.pause(true);
    let _queued = emulator.start_invocation("1").unwrap();
    let mut runtime = Runtime::connect(&emulator);
    runtime.request_event();
    assert!(emulator.wait_until(LIMIT, |observed| observed.waiting == 1));
    assert_eq!(emulator.observed().in_flight, 0);
    emulator.pause(false);
    assert!(emulator.wait_until(LIMIT, |observed| observed.in_flight == 1));
}

/// Registers an extension for INVOKE, and returns its identifier and a connection for its requests.
fn register(emulator: &Emulator, runtime: &mut Runtime) -> (HeaderValue, Runtime) {
    let name = HeaderValue::from_static("flush");
    runtime.client.register_extension(&name, r#"{"events":["INVOKE"]}"#).unwrap();
    let reply = runtime.reply();
    let identifier = reply.headers().get("lambda-extension-identifier").unwrap();
    (HeaderValue::from_bytes(identifier).unwrap(), Runtime::connect(emulator))
}

#[test]
fn an_extension_gets_the_trace_id_of_the_event() {
    let chosen = "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1";
    for (event, expected) in [
        (Event::new("{}"), None),
        (Event::new("{}").trace_id(chosen), Some(chosen)),
        (Event::new("{}").header("lambda-runtime-trace-id", chosen), Some(chosen)),
        (Event::new("{}").without("Lambda-Runtime-Trace-Id"), Some("")),
    ] {
        let emulator = Emulator::start().unwrap();
        let mut runtime = Runtime::connect(&emulator);
        let (identifier, mut extension) = register(&emulator, &mut runtime);
        let _invocation = emulator.start_invocation(event).unwrap();
        let event = runtime.next();
        let delivered = event.headers().get_str("Lambda-Runtime-Trace-Id");
        extension.client.next_extension_event(&identifier).unwrap();
        let notified: serde_json::Value = serde_json::from_slice(&extension.reply().body()).unwrap();
        let value = notified["tracing"]["value"].as_str().unwrap();
        assert_eq!(value, delivered.unwrap_or_default());
        match expected {
            Some(expected) => assert_eq!(value, expected),
            None => assert!(value.starts_with("Root=1-") && value.ends_with(";Sampled=0"), "{value}"),
        }
    }
}

#[test]
fn the_next_event_waits_for_extensions() {
    let emulator = Emulator::start().unwrap();
    let mut runtime = Runtime::connect(&emulator);
    let (identifier, mut extension) = register(&emulator, &mut runtime);
    let first = emulator.start_invocation("1").unwrap();
    let second = emulator.start_invocation("2").unwrap();
    let event = runtime.next();
    runtime.respond(event, "1");
    assert!(first.wait().unwrap().is_complete());
    runtime.request_event();
    assert!(emulator.wait_until(LIMIT, |observed| observed.waiting == 1));
    assert_eq!((emulator.observed().queued, emulator.observed().busy_extensions), (1, 1));
    extension.client.next_extension_event(&identifier).unwrap();
    extension.reply();
    assert_eq!((emulator.observed().queued, emulator.observed().busy_extensions), (1, 1));
    extension.client.next_extension_event(&identifier).unwrap();
    extension.flush();
    let ClientEvent::Invocation(event) = runtime.event() else { panic!("no event") };
    runtime.respond(event, "2");
    assert!(second.wait().unwrap().is_complete());
}

#[test]
fn an_extension_that_has_failed_is_not_waited_for() {
    let emulator = Emulator::start().unwrap();
    let mut runtime = Runtime::connect(&emulator);
    let (identifier, _) = register(&emulator, &mut runtime);
    let _first = emulator.start_invocation("1").unwrap();
    let event = runtime.next();
    runtime.respond(event, "1");
    assert_eq!(emulator.observed().busy_extensions, 1);
    let header = format!("Lambda-Extension-Identifier: {}\r\n", identifier.to_str().unwrap());
    assert_eq!(Http::to_runtime_api(&emulator).post("/2020-01-01/extension/exit/error", &header, "").status, 202);
    assert_eq!(emulator.observed().busy_extensions, 0);
    let _second = emulator.start_invocation("2").unwrap();
    assert_eq!(runtime.next().body(), "2");
}

/// Increasing timeouts: on a busy machine a runtime may not respond within a short one.
fn timeouts() -> impl Iterator<Item = Duration> {
    [50, 500, 5000].map(Duration::from_millis).into_iter()
}

/// An emulator that sends these notices.
fn reporting(report: impl Fn(&Notice<'_>) -> Option<String> + Send + Sync + 'static) -> (Emulator, Receiver<String>) {
    let (sender, reports) = mpsc::channel();
    let observer = move |notice: &Notice<'_>| report(notice).into_iter().for_each(|text| sender.send(text).unwrap());
    (Emulator::builder().observer(observer).start().unwrap(), reports)
}

#[test]
fn an_invoke_phase_that_outlasts_the_timeout_is_reported() {
    fn overdue(notice: &Notice<'_>) -> Option<String> {
        let Notice::Overdue { request_id, timeout, unfinished } = notice else { return None };
        Some(format!("{request_id} after {timeout:?}: {unfinished}"))
    }
    for (runtime_asks, unfinished) in [(false, "the runtime, the extension flush"), (true, "the extension flush")] {
        let reported = timeouts().any(|timeout| {
            let (emulator, reports) = reporting(overdue);
            let mut runtime = Runtime::connect(&emulator);
            let _extension = register(&emulator, &mut runtime);
            let event = Event::new("1").request_id("id").timeout(timeout);
            let _invocation = emulator.start_invocation(event).unwrap();
            let event = runtime.next();
            if runtime.respond(event, "1").status() != 202 {
                return false;
            }
            if runtime_asks {
                runtime.request_event();
            }
            let report = reports.recv_timeout(LIMIT).unwrap();
            // The next event does not wait for the extension any longer.
            assert_eq!(emulator.observed().busy_extensions, 0);
            report == format!("id after {timeout:?}: {unfinished}")
        });
        assert!(reported, "{unfinished}");
    }
}

#[test]
fn an_invoke_phase_ends_when_another_connection_gets_the_next_event() {
    fn report(notice: &Notice<'_>) -> Option<String> {
        match notice {
            Notice::Finished { end, .. } => {
                Some(format!("finished {}", end.error().map_or("", |error| error.error_type())))
            }
            Notice::Overdue { .. } => Some("overdue".to_owned()),
            _ => None,
        }
    }
    let ended = timeouts().any(|timeout| {
        let (emulator, reports) = reporting(report);
        let mut workers = [Runtime::connect(&emulator), Runtime::connect(&emulator)];
        workers.iter_mut().for_each(Runtime::request_event);
        assert!(emulator.wait_until(LIMIT, |observed| observed.waiting == 2));
        let _first = emulator.start_invocation(Event::new("1").request_id("first").timeout(timeout)).unwrap();
        let _second = emulator.start_invocation(Event::new("2").timeout(2 * timeout)).unwrap();
        assert!(emulator.wait_until(LIMIT, |observed| observed.in_flight == 1));
        let path = "/2018-06-01/runtime/invocation/first/response";
        Http::to_runtime_api(&emulator).post(path, "", "1").status == 202
            && [(); 2].map(|()| reports.recv_timeout(LIMIT).unwrap()) == ["finished ", "finished Sandbox.Timedout"]
    });
    assert!(ended);
}

#[test]
fn an_event_that_three_processes_did_not_accept_fails() {
    let (sender, finished) = mpsc::channel();
    let emulator = Emulator::builder()
        .faults(["next: close".parse().unwrap()])
        .observer(move |notice| {
            if let Notice::Finished { request_id, .. } = notice {
                sender.send(request_id.to_string()).unwrap();
            }
        })
        .start()
        .unwrap();
    let invocation = emulator.start_invocation("1").unwrap();
    for left in [1, 1, 0] {
        let mut http = Http::to_runtime_api(&emulator);
        http.write("GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: localhost\r\n\r\n");
        assert!(http.is_over());
        assert_eq!(emulator.runtime_exited("Runtime exited with error: exit status 1"), left);
    }
    assert_eq!(finished.recv_timeout(LIMIT).unwrap(), invocation.request_id());
    assert_eq!(invocation.wait().unwrap().error().unwrap().error_type(), "Runtime.ExitError");
}

#[test]
fn an_event_that_is_requested_again_and_again_times_out() {
    let (sender, deliveries) = mpsc::channel();
    let emulator = Emulator::builder()
        .faults(["next: close".parse().unwrap()])
        .observer(move |notice| {
            if let Notice::Delivered { .. } = notice {
                sender.send(()).unwrap();
            }
        })
        .start()
        .unwrap();
    let invocation = emulator.start_invocation(Event::new("1").timeout(Duration::from_millis(100))).unwrap();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| invocation.wait().unwrap());
        while !waiting.is_finished() {
            let mut http = Http::to_runtime_api(&emulator);
            http.write("GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: localhost\r\n\r\n");
            // When the event has timed out, the request waits.
            while !waiting.is_finished() && !http.has_ended() {}
        }
        assert!(matches!(waiting.join().unwrap().end(), End::TimedOut(_)));
    });
    drop(emulator);
    assert_eq!(deliveries.iter().count(), 1, "the first delivery starts the invocation");
}

#[test]
fn events_that_wait_while_processes_handle_others_do_not_fail() {
    let emulator = Emulator::start().unwrap();
    let invocations: Vec<_> = (0..10).map(|n| emulator.start_invocation(n.to_string()).unwrap()).collect();
    for left in (0..10).rev() {
        let mut runtime = Runtime::connect(&emulator);
        let event = runtime.next();
        let body = event.body();
        runtime.respond(event, body);
        drop(runtime);
        assert_eq!(emulator.runtime_exited("Runtime exited without providing a reason"), left);
    }
    for (n, invocation) in invocations.into_iter().enumerate() {
        assert_eq!(invocation.wait().unwrap().text(), n.to_string());
    }
}

#[test]
fn a_telemetry_subscription_is_accepted() {
    let emulator = Emulator::start().unwrap();
    let mut http = Http::to_runtime_api(&emulator);
    http.write("PUT /2022-07-01/telemetry HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}");
    assert_eq!(http.read().status, 202);
}

#[test]
fn events_in_flight_fail_when_a_process_exits_and_the_others_wait_for_the_next() {
    let emulator = Emulator::start().unwrap();
    let first = emulator.start_invocation("1").unwrap();
    let second = emulator.start_invocation("2").unwrap();
    let mut runtime = Runtime::connect(&emulator);
    drop(runtime.next());
    drop(runtime);
    assert_eq!(emulator.runtime_exited("Runtime exited with error: exit status 1"), 1);
    let id = first.request_id().to_owned();
    let outcome = first.wait().unwrap();
    assert_eq!(
        outcome.error().unwrap().json().unwrap(),
        json!({
            "errorType": "Runtime.ExitError",
            "errorMessage": format!("RequestId: {id} Error: Runtime exited with error: exit status 1"),
        })
    );
    let mut runtime = Runtime::connect(&emulator);
    let event = runtime.next();
    runtime.respond(event, "3");
    assert_eq!(second.wait().unwrap().text(), "3");
}

#[test]
fn events_that_wait_fail_when_a_process_exits_before_it_requested_one() {
    let emulator = Emulator::start().unwrap();
    let invocation = emulator.start_invocation("{}").unwrap();
    assert_eq!(emulator.runtime_exited("Runtime exited without providing a reason"), 0);
    assert_eq!(invocation.wait().unwrap().error().unwrap().error_type(), "Runtime.ExitError");
}

#[test]
fn a_response_that_a_process_wrote_before_it_exited_counts() {
    let emulator = Emulator::start().unwrap();
    let invocation = emulator.start_invocation("{}").unwrap();
    let mut runtime = Runtime::connect(&emulator);
    let event = runtime.next();
    let response = lambda_runtime_proto::client::Response::json(vec![b'x'; 1024 * 1024]);
    runtime.client.respond(event.into_token(), response).unwrap();
    runtime.flush();
    drop(runtime);
    emulator.runtime_exited("Runtime exited without providing a reason");
    assert!(invocation.wait().unwrap().is_complete());
}

#[test]
fn a_connection_of_a_process_that_has_exited_is_closed() {
    let emulator = Emulator::start().unwrap();
    let mut http = Http::to_runtime_api(&emulator);
    http.write("GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let mut idle = Http::to_runtime_api(&emulator);
    assert!(emulator.wait_until(LIMIT, |observed| observed.waiting == 1 && observed.open_connections == 2));
    emulator.runtime_exited("Runtime exited without providing a reason");
    assert!(http.is_over() && idle.is_over());
}

#[test]
fn the_observer_is_notified_in_order() {
    let notices = Arc::<Mutex<Vec<String>>>::default();
    let list = Arc::clone(&notices);
    let emulator = Emulator::builder()
        .observer(move |notice| {
            list.lock().unwrap().push(match notice {
                Notice::Finished { request_id, end, .. } => format!("finished {request_id} {}", **end == End::Complete),
                other => format!("{other:?}"),
            });
        })
        .start()
        .unwrap();
    let mut runtime = Runtime::connect(&emulator);
    for id in ["a", "b"] {
        let invocation = emulator.start_invocation(Event::new("{}").request_id(id)).unwrap();
        let event = runtime.next();
        runtime.respond(event, "1");
        invocation.wait().unwrap();
    }
    let notices = notices.lock().unwrap();
    let line = |kind: &str, id: &str| format!("{kind} {{ request_id: {id:?} }}");
    let (queued, delivered) = ("Queued", "Delivered");
    let expected = [
        line(queued, "a"),
        "Ready".to_owned(),
        line(delivered, "a"),
        "finished a true".to_owned(),
        line(queued, "b"),
        line(delivered, "b"),
        "finished b true".to_owned(),
    ];
    assert_eq!(*notices, expected);
}
