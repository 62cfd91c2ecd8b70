//! Bootstraps with one fault each: the scenario that is meant for a fault finds it, and passes without the fault.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use conformance::{Program, Scenario, play_to_program, scenarios};

/// A fault of a bootstrap: a text of its program, and another one in its place.
struct Fault {
    scenario: &'static str,
    name: &'static str,
    text: &'static str,
    replacement: &'static str,
}

const fn fault(scenario: &'static str, name: &'static str, text: &'static str, replacement: &'static str) -> Fault {
    Fault { scenario, name, text, replacement }
}

/// Faults of `handlers/baseline/bootstrap.py`.
const BASELINE: [Fault; 29] = [
    fault("echo", "responds-to-another-id", r#""/invocation/" + reply"#, r#""/invocation/x" + reply"#),
    fault("echo", "unknown-endpoint", r#"invocation + "/response""#, r#"invocation + "/result""#),
    fault(
        "echo",
        "responds-twice",
        "    else:\n        call(",
        "    else:\n        call(\"POST\", invocation + \"/response\", response)\n        call(",
    ),
    fault("echo", "not-json", "json.dumps(handle(", "str(handle("),
    fault("echo", "never-responds", "    else:\n        call(", "    else:\n        print("),
    fault(
        "error",
        "error-as-response",
        "report(invocation + \"/error\", error)",
        "call(\"POST\", invocation + \"/response\", str(error))",
    ),
    fault("error", "error-not-reported", "report(invocation + \"/error\", error)", "pass"),
    fault("error", "error-without-type", "\"errorType\": type(error).__name__, ", ""),
    fault("error", "error-without-message", "\"errorMessage\": str(error), ", ""),
    fault("error", "error-not-json", "json.dumps(body), {\"Lambda", "str(body), {\"Lambda"),
    fault("panic", "exception-not-caught", "except Exception", "except OutOfStock"),
    fault(
        "errors-in-a-row",
        "ends-after-an-error",
        "report(invocation + \"/error\", error)",
        "report(invocation + \"/error\", error)\n        sys.exit(1)",
    ),
    fault("500-to-response", "continues-after-500", "if reply.status >= 500", "if reply.status >= 600"),
    fault(
        "exit-code-of-500-to-next",
        "exits-with-0",
        "sys.exit(f\"the API cannot recover: {reply.status}\")",
        "sys.exit(0)",
    ),
    fault("403-to-next", "repeats-after-403", "        sys.exit(f\"no event: {reply.status}\")", "        continue"),
    fault(
        "response-refused-413-requestentitytoolarge",
        "ends-after-a-refusal",
        "if reply.status >= 500",
        "if reply.status >= 400",
    ),
    fault(
        "response-refused-400-invalidrequestid",
        "reports-a-refusal",
        "        call(\"POST\", invocation + \"/response\", response)",
        "        if call(\"POST\", invocation + \"/response\", response)[0].status != 202:\n            report(invocation + \"/error\", OutOfStock())",
    ),
    fault("every-header", "no-deadline-in-the-context", ", \"deadline\": \"Deadline-Ms\"}", "}"),
    fault(
        "leak-trace-id",
        "trace-id-of-the-first",
        "\"/invocation/\" + reply.headers[\"Lambda-Runtime-Aws-Request-Id\"]",
        "\"/invocation/\" + reply.headers[\"Lambda-Runtime-Aws-Request-Id\"]\n    if \"Lambda-Runtime-Trace-Id\" in reply.headers:\n        first = reply.headers[\"Lambda-Runtime-Trace-Id\"]\n    else:\n        reply.headers[\"Lambda-Runtime-Trace-Id\"] = first",
    ),
    fault(
        "large-response",
        "cut-response",
        "        call(\"POST\", invocation + \"/response\", response)",
        "        call(\"POST\", invocation + \"/response\", response[:1000000])",
    ),
    fault(
        "chunked-event",
        "needs-a-length",
        "body = reply.read()",
        "body = reply.read(int(reply.headers[\"Content-Length\"]))",
    ),
    fault(
        "header-name-case",
        "case-sensitive-names",
        "reply.headers[\"Lambda-Runtime-Aws-Request-Id\"]",
        "dict(reply.headers.items())[\"Lambda-Runtime-Aws-Request-Id\"]",
    ),
    fault(
        "header-deadline-absent",
        "needs-a-deadline",
        "    try:\n        response",
        "    int(reply.headers[\"Lambda-Runtime-Deadline-Ms\"])\n    try:\n        response",
    ),
    fault(
        "header-trace-id-absent",
        "needs-a-trace-id",
        "    try:\n        response",
        "    len(reply.headers[\"Lambda-Runtime-Trace-Id\"])\n    try:\n        response",
    ),
    fault("payload-unicode", "ascii-only", "json.loads(event)", "json.loads(event.decode(\"ascii\"))"),
    fault(
        "request-id-upper-case",
        "lower-case-id",
        "reply.headers[\"Lambda-Runtime-Aws-Request-Id\"]",
        "reply.headers[\"Lambda-Runtime-Aws-Request-Id\"].lower()",
    ),
    fault("init-error", "init-error-not-reported", "    report(\"/init/error\", OutOfStock(\"no apples left\"))\n", ""),
    fault("init-error", "serves-after-init-error", "    sys.exit(1)\nwhile", "    pass\nwhile"),
    fault("exit-3", "does-not-exit", "os._exit(event[\"code\"])", "pass"),
];

/// Faults of `tests/bootstraps/streaming.py`.
const STREAMING: [Fault; 13] = [
    fault(
        "stream",
        "no-response-mode",
        "connection.putheader(\"Lambda-Runtime-Function-Response-Mode\", \"streaming\")",
        "pass",
    ),
    fault("empty-chunks", "empty-chunk-is-sent", "        if data:\n", "        if True:\n"),
    fault("stream", "never-ends", "connection.send(b\"0\\r\\n\" + trailers + b\"\\r\\n\")", "os._exit(0)"),
    fault("stream-error", "no-trailers", "b\"0\\r\\n\" + trailers", "b\"0\\r\\n\""),
    fault("stream-error", "body-not-base64", "base64.b64encode(json.dumps(", "(json.dumps("),
    fault(
        "stream-error",
        "no-error-type",
        "trailers += b\"Lambda-Runtime-Function-Error-Type: Function.Error\\r\\n\"",
        "pass",
    ),
    fault("stream", "no-delimiter", " + b\"\\0\" * 8", ""),
    fault(
        "long-stream",
        "a-chunk-is-lost",
        "range(event.get(\"chunks\", 0))",
        "range(min(600, event.get(\"chunks\", 0)))",
    ),
    fault(
        "snapstart",
        "no-restore-next",
        "if os.environ[\"AWS_LAMBDA_INITIALIZATION_TYPE\"] == \"snap-start\"",
        "if False",
    ),
    fault(
        "before-snapshot-error",
        "hook-not-reported",
        "        fail(\"/init/error\", \"Runtime.BeforeSnapshotError\")",
        "        sys.exit(1)",
    ),
    fault("after-restore-error", "reported-to-init", "fail(\"/restore/error\"", "fail(\"/init/error\""),
    fault("snapstart-refused-500", "restore-not-checked", "[0].status != 200", "[0].status != 500"),
    fault(
        "concurrency-errors",
        "worker-ends-after-an-error",
        "call(connection, \"POST\", invocation + \"/error\", json.dumps(ERROR))",
        "return call(connection, \"POST\", invocation + \"/error\", json.dumps(ERROR))",
    ),
];

fn scenario(id: &str) -> Scenario {
    scenarios::all().into_iter().find(|scenario| scenario.id == id).unwrap_or_else(|| panic!("no scenario {id}"))
}

fn program(file: &Path) -> Program {
    Program::new("python3", [file.as_os_str().to_owned()])
}

/// Plays the scenarios to the bootstrap, and then to each of its variants.
fn check(bootstrap: &str, faults: &[Fault]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(bootstrap);
    let text = fs::read_to_string(&path).unwrap();
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let play = |fault: &Fault| {
        let Fault { scenario: id, name, text: faultless, replacement } = fault;
        let scenario = scenario(id);
        if let Err(failure) = play_to_program(&scenario, &program(&path)) {
            return Some(format!("{id} without the fault {name}: {}\n{}", failure.reason, failure.transcript));
        }
        assert_eq!(text.matches(faultless).count(), 1, "{name}: {faultless:?}");
        let variant = folder.join(format!("{name}.py"));
        fs::write(&variant, text.replace(faultless, replacement)).unwrap();
        let found = play_to_program(&scenario, &program(&variant)).is_err();
        (!found).then(|| format!("{id} does not find the fault {name}"))
    };
    let next = AtomicUsize::new(0);
    let work = || {
        let faults = std::iter::from_fn(|| faults.get(next.fetch_add(1, Ordering::Relaxed)));
        faults.filter_map(play).collect::<Vec<_>>()
    };
    let failures: Vec<String> = std::thread::scope(|scope| {
        let threads = [(); 8].map(|()| scope.spawn(work));
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn faults_of_a_bootstrap_are_found_by_the_scenarios_meant_for_them() {
    check("handlers/baseline/bootstrap.py", &BASELINE);
}

#[test]
fn faults_of_streaming_snapstart_and_concurrency_are_found() {
    check("tests/bootstraps/streaming.py", &STREAMING);
}
