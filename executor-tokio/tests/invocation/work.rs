//! `Context::wait_until`: work after the response. Included by the tests of every executor.

use std::future::pending;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use lambda_runtime::{Context, Error, LambdaEvent, Runtime, current, service_fn};
use lambda_runtime_emulator::{Emulator, Endpoint, Event};

use crate::{block_on, sleep};

const TIMEOUT: Duration = Duration::from_secs(30);

/// A log of events, in order.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn note(&self, text: impl Into<String>) {
        self.0.lock().unwrap().push(text.into());
    }

    fn contains(&self, text: &str) -> bool {
        self.0.lock().unwrap().iter().any(|noted| noted == text)
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    async fn wait_for(&self, text: &str) {
        while !self.contains(text) {
            sleep(Duration::from_millis(1)).await;
        }
    }
}

/// Adds the work after the response that the event names.
async fn handle(event: LambdaEvent<String>, log: Log) -> Result<String, Error> {
    let (what, context) = event.into_parts();
    let id = context.request_id.clone();
    log.note(format!("handler {id}"));
    let work = {
        let (log, id) = (log.clone(), id.clone());
        async move { log.note(format!("work {id}, current {}", current().unwrap().request_id())) }
    };
    match what.as_str() {
        "nothing" => {}
        "work" => context.wait_until(work)?,
        "error" => {
            context.wait_until(work)?;
            return Err("after work was added".into());
        }
        "released" => {
            let log = log.clone();
            context.wait_until(async move {
                log.wait_for("release").await;
                work.await;
            })?;
        }
        "more" => {
            let added_later = context.clone();
            context.wait_until(async move {
                sleep(Duration::from_millis(1)).await;
                added_later.wait_until(work).unwrap();
            })?;
        }
        "thread" => {
            let (log, added_later) = (log.clone(), context.clone());
            context.wait_until(async move {
                let more = log.clone();
                thread::spawn(move || {
                    added_later.wait_until(work).unwrap();
                    more.note("added");
                });
                log.wait_for("added").await;
            })?;
        }
        "panic" => {
            context.wait_until(async { panic!("in work after the response") })?;
            context.wait_until(work)?;
        }
        "stuck" => {
            context.wait_until(pending())?;
            context.wait_until(work)?;
        }
        other => panic!("{other}"),
    }
    // The context outlives the invocation, but refuses more work.
    thread_local! { static LAST: Mutex<Option<Context>> = const { Mutex::new(None) } }
    let last = LAST.with(|last| last.lock().unwrap().replace(context));
    if let Some(last) = last {
        let error = last.wait_until(async {}).unwrap_err();
        assert!(error.to_string().contains("the invocation is over"), "{error}");
    }
    Ok(id)
}

/// Runs `test` on a function with and without pipelining.
fn with_function(test: impl Fn(&Emulator, &Log)) {
    for pipelining in [false, true] {
        let emulator = Emulator::builder().reserve_port().timeout(TIMEOUT).start().unwrap();
        let log = Log::default();
        let address = emulator.endpoint().parse().unwrap();
        let handler = {
            let log = log.clone();
            move |event: LambdaEvent<String>| handle(event, log.clone())
        };
        let runtime = Runtime::new(service_fn(handler)).address(address).pipelining(pipelining);
        thread::spawn(move || block_on(runtime.run()));
        test(&emulator, &log);
    }
}

fn event(what: &str, id: &str) -> Event {
    Event::new(format!("{what:?}")).request_id(id)
}

#[test]
fn the_response_does_not_wait_for_work_but_the_next_event_does() {
    with_function(|emulator, log| {
        assert_eq!(emulator.invoke(event("released", "a")).unwrap().text(), r#""a""#);
        let next = emulator.start_invocation(event("nothing", "b")).unwrap();
        // The work runs, and the next event has not been requested.
        assert_eq!((emulator.observed().requests(Endpoint::Next), log.take()), (1, vec!["handler a".to_owned()]));
        log.note("release");
        assert_eq!(next.wait().unwrap().text(), r#""b""#);
        assert_eq!(log.take(), ["release", "work a, current a", "handler b"]);
    });
}

#[test]
fn work_runs_after_errors_and_may_add_more_and_may_panic() {
    with_function(|emulator, log| {
        for (what, id) in [("work", "a"), ("error", "b"), ("more", "c"), ("panic", "d")] {
            let outcome = emulator.invoke(event(what, id)).unwrap();
            assert_eq!(outcome.is_complete(), what != "error");
            emulator.invoke(event("nothing", "z")).unwrap();
            assert_eq!(log.take(), [format!("handler {id}"), format!("work {id}, current {id}"), "handler z".into()]);
        }
        emulator.invoke(event("thread", "e")).unwrap();
        emulator.invoke(event("nothing", "z")).unwrap();
        assert!(log.contains("work e, current e"), "{:?}", log.take());
    });
}

#[test]
fn unfinished_work_is_dropped_at_the_deadline() {
    with_function(|emulator, log| {
        // Less than the emulator's timeout, of which the response must be in time.
        let event = event("stuck", "a").timeout(Duration::from_secs(1));
        emulator.invoke(event).unwrap();
        let next = emulator.invoke(Event::new(r#""nothing""#).request_id("b")).unwrap();
        assert_eq!(next.text(), r#""b""#);
        assert_eq!(log.take(), ["handler a", "work a, current a", "handler b"]);
    });
}

#[test]
fn a_context_of_a_test_refuses_work_and_is_equal() {
    let error = Context::default().wait_until(async {}).unwrap_err();
    assert!(error.to_string().contains("does not come from the runtime"), "{error}");

    let emulator = Emulator::builder().reserve_port().start().unwrap();
    let address = emulator.endpoint().parse().unwrap();
    let handler = async |event: LambdaEvent<()>| {
        let context = event.context;
        context.wait_until(async {})?;
        let json = serde_json::to_value(&context)?;
        let stored: Context = serde_json::from_value(json.clone())?;
        assert!(stored == context && stored.wait_until(async {}).is_err());
        Ok::<_, Error>(json)
    };
    thread::spawn(move || block_on(Runtime::new(service_fn(handler)).address(address).run()));
    let context = emulator.invoke("null").unwrap().json().unwrap();
    let mut fields: Vec<_> = context.as_object().unwrap().keys().cloned().collect();
    fields.sort();
    let expected = [
        "client_context",
        "deadline",
        "env_config",
        "identity",
        "invoked_function_arn",
        "request_id",
        "tenant_id",
        "xray_trace_id",
    ];
    assert_eq!(fields, expected);
}
