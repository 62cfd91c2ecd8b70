//! The life of a process: its initialisation, SnapStart, many invocations at once, and its end.

use std::time::Duration;

use lambda_runtime_proto::Endpoint::{InitError, Next, Response, RestoreError, RestoreNext};

use super::sources::{INIT_ERROR, MANAGED, RESPONSE, RESTORE, RIE_REFUSALS, SHUTDOWN, SNAPSTART, rfc9112};
use crate::messages::{USUAL_HEADERS, accepted, event, reply, reply_with};
use crate::{Feature, HeaderValue, Level, Scenario, Source, Steps};

pub(super) fn add(all: &mut Vec<Scenario>) {
    initialization(all);
    snapstart(all);
    failing_hooks(all);
    at_once(all);
    exit(all);
    termination(all);
}

const ERROR_TYPE: &str = "lambda-runtime-function-error-type";

/// The function's own initialisation fails.
fn initialization(all: &mut Vec<Scenario>) {
    let scenario = |level, id: &str, title: &str, source: Source| {
        Scenario::new(level, format!("init-error{id}"), title, source)
            .requires(Feature::Init)
            .variable("CONFORMANCE_INIT", "error")
            .ends_with([])
    };
    let reported = || Steps::new().read(InitError);
    let failed = "a failed initialisation";
    all.push(
        scenario(Level::Must, "", &format!("{failed} is reported, and the process ends"), INIT_ERROR)
            .connection(reported().accept())
            .expect_report(InitError, "OutOfStock", "no apples left"),
    );
    all.push(
        scenario(Level::May, "-type", &format!("{failed} is reported with the type in a header"), INIT_ERROR)
            .connection(reported().accept())
            .expect_header(InitError, ERROR_TYPE, HeaderValue::Present),
    );
    for (status, error_type, level) in [
        (400, "InvalidRequestID", Level::Should),
        (403, "InvalidStateTransition", Level::Must),
        (404, "NotFound", Level::Should),
        (413, "RequestEntityTooLarge", Level::Should),
        (500, "InternalServerError", Level::Must),
    ] {
        let title = format!("the report of {failed} may be refused with {status}, and the process ends");
        all.push(
            scenario(level, &format!("-refused-{status}"), &title, RIE_REFUSALS)
                .connection(reported().refuse(status, error_type)),
        );
    }
    for (id, what, level, steps) in [
        ("-200", "acknowledged with 200", Level::Should, reported().send(reply(200, "{}"))),
        ("-204", "acknowledged with 204", Level::Should, reported().send(&b"HTTP/1.1 204 No Content\r\n\r\n"[..])),
        ("-late", "acknowledged late", Level::Should, reported().pause(Duration::from_millis(300)).accept()),
        ("-byte-by-byte", "acknowledged byte by byte", Level::Should, reported().send_byte_by_byte(accepted())),
        (
            "-closes",
            "acknowledged with Connection: close",
            Level::Should,
            reported().send(reply_with(202, "Connection: close\r\n", "{}")),
        ),
    ] {
        let title = format!("the report of {failed} may be {what}, and the process ends");
        all.push(scenario(level, id, &title, rfc9112("9.3")).connection(steps));
    }
}

/// SnapStart without a failure.
fn snapstart(all: &mut Vec<Scenario>) {
    let scenario = |level, id: &str, title: &str, source| snapstarted(Scenario::new(level, id, title, source));
    let restored = |reply: Vec<u8>| Steps::new().read(RestoreNext).send(reply);
    let empty = || reply(200, "");
    all.extend([
        scenario(
            Level::Must,
            "snapstart",
            "with SnapStart, a function waits for the restore before its first event",
            SNAPSTART,
        )
        .connection(restored(empty()).read(Next).send(event("a", "[1]")).read(Response).accept())
        .expect_response("a", "[1]"),
        scenario(Level::Must, "snapstart-reconnects", "no connection survives the restore", RESTORE)
            .connection(restored(empty()))
            .connection(Steps::new().served("[1]"))
            .expect_response("a", "[1]"),
        scenario(Level::Must, "snapstart-late", "the restore may come late", RESTORE)
            .connection(Steps::new().read(RestoreNext).pause(Duration::from_millis(500)).send(empty()).served("[1]"))
            .expect_response("a", "[1]"),
        scenario(Level::Should, "snapstart-body", "the reply to restore/next may have a body", RESTORE)
            .connection(restored(reply(200, "{}")).served("[1]"))
            .expect_response("a", "[1]"),
        scenario(
            Level::Should,
            "snapstart-chunked",
            "the reply to restore/next may have chunked framing",
            rfc9112("7.1"),
        )
        .connection(restored(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_vec()).served("[1]"))
        .expect_response("a", "[1]"),
        scenario(
            Level::Should,
            "snapstart-closes",
            "the reply to restore/next may close its connection",
            rfc9112("9.6"),
        )
        .connection(restored(reply_with(200, "Connection: close\r\n", "")))
        .connection(Steps::new().served("[1]"))
        .expect_response("a", "[1]"),
        scenario(Level::Should, "snapstart-hundred-events", "a restored function serves many events", SNAPSTART)
            .connection((0..100).fold(restored(empty()), |steps, _| steps.served("1")))
            .expect_attempts("a", 100),
        Scenario::must(
            "provisioned-concurrency",
            "with provisioned concurrency, a function does not wait for a restore",
            SNAPSTART,
        )
        .variable("AWS_LAMBDA_INITIALIZATION_TYPE", "provisioned-concurrency")
        .connection(Steps::new().served("[1]"))
        .expect_response("a", "[1]"),
    ]);
    for (status, level) in [(403, Level::Must), (500, Level::Must), (404, Level::May), (502, Level::May)] {
        let title = format!("{status} to restore/next ends the function");
        all.push(
            scenario(level, &format!("snapstart-refused-{status}"), &title, RESTORE)
                .connection(Steps::new().read(RestoreNext).refuse(status, "Refused"))
                .ends_with([]),
        );
    }
}

fn snapstarted(scenario: Scenario) -> Scenario {
    scenario.requires(Feature::SnapStart).variable("AWS_LAMBDA_INITIALIZATION_TYPE", "snap-start")
}

/// SnapStart with a hook that fails.
fn failing_hooks(all: &mut Vec<Scenario>) {
    let before = |level, id: &str, title: &str| {
        snapstarted(Scenario::new(level, id, title, SNAPSTART))
            .variable("CONFORMANCE_INIT", "before snapshot")
            .ends_with([])
    };
    let after = |level, id: &str, title: &str| {
        snapstarted(Scenario::new(level, id, title, SNAPSTART))
            .variable("CONFORMANCE_INIT", "after restore")
            .ends_with([])
    };
    let restored = || Steps::new().read(RestoreNext).send(reply(200, ""));
    all.extend([
        before(Level::Must, "before-snapshot-error", "a hook that fails before the snapshot is reported to init/error")
            .connection(Steps::new().read(InitError).accept())
            .expect_report(InitError, "", "no apples left"),
        before(
            Level::Should,
            "before-snapshot-error-type",
            "the report of a hook before the snapshot has the hook's type",
        )
        .connection(Steps::new().read(InitError).accept())
        .expect_header(InitError, ERROR_TYPE, HeaderValue::Is("Runtime.BeforeSnapshotError")),
        after(Level::Must, "after-restore-error", "a hook that fails after the restore is reported to restore/error")
            .connection(restored().read(RestoreError).accept())
            .expect_report(RestoreError, "", "no apples left"),
        after(Level::Should, "after-restore-error-type", "the report of a hook after the restore has the hook's type")
            .connection(restored().read(RestoreError).accept())
            .expect_header(RestoreError, ERROR_TYPE, HeaderValue::Is("Runtime.AfterRestoreError")),
    ]);
    for status in [403, 500] {
        all.extend([
            before(
                Level::Should,
                &format!("before-snapshot-error-refused-{status}"),
                &format!("the report of a hook before the snapshot may be refused with {status}"),
            )
            .connection(Steps::new().read(InitError).refuse(status, "Refused")),
            after(
                Level::Should,
                &format!("after-restore-error-refused-{status}"),
                &format!("the report of a hook after the restore may be refused with {status}"),
            )
            .connection(restored().read(RestoreError).refuse(status, "Refused")),
        ]);
    }
}

/// Many invocations at once, as on Lambda Managed Instances.
fn at_once(all: &mut Vec<Scenario>) {
    const COUNT: u8 = 4;
    let concurrent = |scenario: Scenario| {
        scenario
            .requires(Feature::Concurrency)
            .variable("AWS_LAMBDA_INITIALIZATION_TYPE", "lambda-managed-instances")
            .variable("AWS_LAMBDA_MAX_CONCURRENCY", "4")
    };
    let ids = || {
        let ids = |first: u8| (first..first + COUNT).map(|id| char::from(id).to_string());
        ids(b'a').chain(ids(b'A')).collect::<Vec<_>>()
    };
    let scenario = |level, id: &str, title: &str, fault: &str, payload: &str| {
        concurrent(Scenario::new(level, format!("concurrency{id}"), title, MANAGED))
            .emulated(fault, payload)
            .at_once(COUNT.into())
    };
    let echoes = |scenario: Scenario, payload: &'static str| {
        ids().iter().fold(scenario, |scenario, id| scenario.expect_response(id, payload))
    };
    const SLOW: &str = r#"{"after_ms":200}"#;
    let error = r#"{"do":"error"}"#;
    all.extend([
        echoes(
            scenario(Level::Must, "", "as many invocations are served at once as the environment requests", "", "[1]"),
            "[1]",
        ),
        echoes(
            scenario(Level::Must, "-slow-handlers", "slow handlers at the same time are each served", "", SLOW),
            SLOW,
        ),
        ids().iter().fold(
            scenario(Level::Must, "-errors", "errors at the same time are each reported", "", error),
            |scenario, id| scenario.expect_error(id, "Function.OutOfStock", "OutOfStock", "no apples left"),
        ),
        ids()
            .iter()
            .fold(
                scenario(
                    Level::Must,
                    "-streams",
                    "streams at the same time are each sent",
                    "",
                    r#"{"do":"stream","chunks":3,"every_ms":10}"#,
                ),
                |scenario, id| scenario.expect_stream(id, "abc"),
            )
            .requires(Feature::Streaming),
    ]);
    for (id, fault) in [
        ("-reset", "connection 1: reset of the request"),
        ("-closed", "connection 2: close of the request"),
        ("-204", "next 1: reply 204"),
        ("-delayed", "connection 1: delay 20ms"),
        ("-413", "response 1: reply 413"),
        ("-acknowledgement-closed", "response 2: close of the reply"),
    ] {
        let title = format!("all workers serve in spite of: {fault}");
        all.push(echoes(scenario(Level::Should, id, &title, fault, "[1]"), "[1]"));
    }
    all.push(
        Scenario::must("concurrency-of-one", "a concurrency of 1 is not concurrent", MANAGED)
            .variable("AWS_LAMBDA_MAX_CONCURRENCY", "1")
            .requires(Feature::Concurrency)
            .connection(Steps::new().served("[1]"))
            .expect_response("a", "[1]"),
    );
}

/// A handler that ends the process.
fn exit(all: &mut Vec<Scenario>) {
    for code in [0, 1, 3] {
        let title = format!("a handler that exits with {code} ends the process, and nothing is sent");
        let steps = Steps::new().event(&format!(r#"{{"do":"exit","code":{code}}}"#));
        let scenario =
            Scenario::must(format!("exit-{code}"), title, RESPONSE).requires(Feature::Process).connection(steps).ends();
        all.push(scenario);
    }
}

/// SIGTERM, which precedes SIGKILL if an extension is registered.
fn termination(all: &mut Vec<Scenario>) {
    let handling = |payload: &str| Steps::new().event(payload);
    for (id, when, steps) in [
        ("waiting", "while it waits for an event", Steps::new().read(Next)),
        (
            "receiving",
            "while it receives an event",
            Steps::new().read(Next).send(format!("HTTP/1.1 200 OK\r\n{USUAL_HEADERS}Content-Length: 9\r\n\r\n[1")),
        ),
        ("handling", "while its handler runs", handling(r#"{"after_ms":60000}"#)),
        ("responding", "before the acknowledgement of a response", handling("1").read(Response)),
    ] {
        all.push(
            Scenario::should(format!("sigterm-{id}"), format!("SIGTERM ends the function {when}"), SHUTDOWN)
                .requires(Feature::Process)
                .connection(steps.pause(Duration::from_millis(50)).terminate())
                .ends(),
        );
    }
    all.push(
        Scenario::should("sigterm-streaming", "SIGTERM ends the function while it streams a response", SHUTDOWN)
            .requires(Feature::Process)
            .requires(Feature::Streaming)
            .connection(
                handling(r#"{"do":"stream","chunks":1,"then":"nothing"}"#).read_at_least(Response, 1).terminate(),
            )
            .ends(),
    );
}
