//! The command without `--event`: it serves the Invoke API, logs, and starts the function again.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

#[path = "../../emulator/tests/common/mod.rs"]
mod common;
#[path = "support/command.rs"]
mod support;

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use common::{Http, LIMIT};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use support::{emulator, function, stderr};

/// A command that serves.
struct Served {
    child: Child,
    lines: Receiver<String>,
    address: String,
}

impl Served {
    fn start(args: &[&str]) -> Self {
        Self::start_with(args, &[])
    }

    fn start_with(args: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut child = emulator()
            .envs(variables.iter().copied())
            .args(["--port", "0"])
            .args(args)
            .arg("--")
            .arg(function())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let mut served = Self { child, lines, address: String::new() };
        let line = served.line("curl");
        let url = line.split_once("http://").unwrap().1;
        served.address = url.split_once('/').unwrap().0.to_owned();
        served
    }

    /// The next line of the log that contains this text.
    fn line(&self, with: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(LIMIT).unwrap_or_else(|_| panic!("no line with {with:?}"));
            if line.contains(with) {
                return line;
            }
        }
    }

    fn call(&self, event: serde_json::Value) -> common::Received {
        call(&self.address, event)
    }

    fn interrupt(mut self) -> Option<i32> {
        kill_process(Pid::from_child(&self.child), Signal::INT).unwrap();
        self.child.wait().unwrap().code()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
            let _ = self.child.wait();
        }
    }
}

fn call(address: &str, event: serde_json::Value) -> common::Received {
    Http::connect(address).post("/2015-03-31/functions/function/invocations", "", &event.to_string())
}

#[test]
fn it_serves_until_it_is_interrupted_and_logs_as_lambda_does() {
    let served = Served::start(&["--memory", "256"]);
    let received = served.call(json!("Hello"));
    assert_eq!((received.status, received.text()), (200, r#""Hello""#));
    let id = received.header("x-amzn-requestid").unwrap();
    assert_eq!(served.line("START"), format!("START RequestId: {id} Version: $LATEST"));
    assert_eq!(served.line("END"), format!("END RequestId: {id}"));
    let report = served.line("REPORT");
    let fields: Vec<_> = report.split('\t').collect();
    assert_eq!(fields.first(), Some(&format!("REPORT RequestId: {id}").as_str()));
    for field in ["Duration: ", "Billed Duration: ", "Memory Size: 256 MB", "Max Memory Used: ", "Init Duration: "] {
        assert!(fields.iter().any(|found| found.starts_with(field)), "{field} in {report}");
    }
    served.call(json!(2));
    assert!(!served.line("REPORT").contains("Init Duration"));
    assert_eq!(served.interrupt(), Some(0));
}

#[test]
fn output_without_the_end_of_a_line_gets_one_at_the_end_of_its_invocation() {
    let served = Served::start(&[]);
    served.call(json!({"print": "first\nsecond"}));
    assert_eq!(served.line("first"), "first");
    assert_eq!(served.line("second"), "second");
    served.line("END");
}

#[test]
fn a_function_that_died_is_started_again_on_the_next_call() {
    let served = Served::start(&[]);
    let received = served.call(json!({"exit": 1}));
    assert_eq!(received.header("x-amz-function-error"), Some("Unhandled"));
    assert_eq!(received.json()["errorType"], "Runtime.ExitError");
    assert!(served.line("REPORT").contains("Status: error\tError Type: Runtime.ExitError"));
    assert_eq!(served.call(json!(1)).text(), "1");
    assert!(served.line("REPORT").contains("Init Duration"));
}

#[test]
fn a_function_that_ended_between_two_calls_is_started_again_on_the_next() {
    let served = Served::start(&[]);
    assert_eq!(served.call(json!({"last": true})).status, 200);
    served.line("ended between two events");
    assert_eq!(served.call(json!(1)).text(), "1");
}

#[test]
fn a_function_that_times_out_is_killed_and_started_again_on_the_next_call() {
    let served = Served::start(&["--timeout", "2"]);
    let received = served.call(json!({"hang": true}));
    assert_eq!(received.json()["errorType"], "Sandbox.Timedout");
    assert!(served.line("REPORT").contains("Status: timeout"));
    assert_eq!(served.call(json!(1)).text(), "1");
    assert!(served.line("REPORT").contains("Init Duration"));
}

#[test]
fn a_function_that_hangs_after_its_response_is_started_again_for_the_next_call() {
    let served = Served::start(&["--timeout", "2"]);
    assert_eq!(served.call(json!({"hang_after": true})).json(), json!({"hang_after": true}));
    assert_eq!(served.call(json!(1)).text(), "1");
}

#[test]
fn a_function_is_started_again_for_the_next_call_if_all_its_workers_hang() {
    let served = Served::start(&["--timeout", "2", "--concurrency", "2"]);
    // The function has one worker.
    assert_eq!(served.call(json!({"hang": true})).json()["errorType"], "Sandbox.Timedout");
    assert_eq!(served.call(json!(1)).text(), "1");
    served.line("it is restarted");
}

#[test]
fn an_event_that_cannot_be_delivered_fails_and_the_next_call_is_served_as_well() {
    let served = Served::start_with(&[], &[("EXIT_WITHIN_EVENT", "1")]);
    let large = json!("x".repeat(6_000_000));
    for _ in 0..2 {
        assert_eq!(served.call(large.clone()).json()["errorType"], "Runtime.ExitError");
    }
}

#[test]
fn a_payload_that_lambda_would_not_accept_is_rejected() {
    let served = Served::start(&[]);
    let call = |body: &str| Http::connect(&served.address).post("/2015-03-31/functions/function/invocations", "", body);
    let received = call("{");
    assert_eq!((received.status, received.header("x-amzn-errortype")), (400, Some("InvalidRequestContentException")));
    let received = call(&format!("\"{}\"", "x".repeat(6 * 1024 * 1024)));
    assert_eq!((received.status, received.header("x-amzn-errortype")), (413, Some("RequestTooLargeException")));
}

#[test]
fn web_pages_and_hosts_have_to_be_allowed() {
    let path = "/2015-03-31/functions/function/invocations";
    let origins = [("http://localhost:3000", 200), ("http://a.test", 200), ("http://b.test", 403)];
    let hosts = [("lambda.test", 200), ("host.docker.internal:9000", 200), ("example.com", 403), ("127.0.0.1", 200)];
    let allowed = ["--allow-origin", "http://localhost:3000", "--allow-origin", "http://a.test"];
    let allowed =
        [&allowed as &[&str], &["--allow-host", "lambda.test", "--allow-host", "host.docker.internal"]].concat();
    let served = Served::start(&allowed);
    for (origin, status) in origins {
        let received = Http::connect(&served.address).post(path, &format!("Origin: {origin}\r\n"), "1");
        assert_eq!(received.status, status, "{origin}");
    }
    for (host, status) in hosts {
        let mut http = Http::connect(&served.address);
        http.write(format!("POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 1\r\n\r\n1"));
        assert_eq!(http.read().status, status, "{host}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_function_that_was_started_again_does_not_outlive_a_command_that_is_killed() {
    let mut served = Served::start(&[]);
    assert_eq!(served.call(json!({"exit": 1})).json()["errorType"], "Runtime.ExitError");
    let pid = served.call(json!({"pid": true})).text().to_owned();
    let event = json!({"hang": true}).to_string();
    let asynchronous = "X-Amz-Invocation-Type: Event\r\n";
    let path = "/2015-03-31/functions/function/invocations";
    assert_eq!(Http::connect(&served.address).post(path, asynchronous, &event).status, 202);
    served.line("hanging");
    served.child.kill().unwrap();
    served.child.wait().unwrap();
    let until = Instant::now() + LIMIT;
    while support::runs(&pid) {
        assert!(Instant::now() < until, "the function outlives the command");
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn calls_that_wait_outlive_a_function_that_dies() {
    let served = Served::start(&[]);
    thread::scope(|scope| {
        for n in 0..8 {
            let address = &served.address;
            scope.spawn(move || match n % 2 {
                0 => assert_eq!(call(address, json!({"exit": 1})).json()["errorType"], "Runtime.ExitError"),
                _ => assert_eq!(call(address, json!(n)).text(), n.to_string()),
            });
        }
    });
}

#[test]
fn a_function_that_never_requests_an_event_ends_the_command() {
    let output = emulator().args(["--port", "0", "--", "sh", "-c", "exit 3"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("exit status 3"));
}

#[test]
fn an_address_that_is_taken_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = emulator().args(["--address", &address, "--", "true"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains(&address), "{}", stderr(&output));
}

#[test]
fn the_end_of_the_log_is_returned_on_request() {
    use base64::Engine as _;

    let served = Served::start(&[]);
    let path = "/2015-03-31/functions/function/invocations";
    let log = |event: &str, headers: &str| {
        let received = Http::connect(&served.address).post(path, headers, event);
        let log = received.header("x-amz-log-result");
        log.map(|log| String::from_utf8(base64::engine::general_purpose::STANDARD.decode(log).unwrap()).unwrap())
    };
    assert_eq!(log("1", ""), None);
    for _ in 0..20 {
        let log = log(r#"{"log":"a line"}"#, "X-Amz-Log-Type: Tail\r\n").unwrap();
        let lines: Vec<&str> = log.lines().collect();
        let [start, line, end, report] = lines.as_slice() else { panic!("{log}") };
        assert!(start.starts_with("START RequestId: ") && start.ends_with(" Version: $LATEST"), "{log}");
        assert_eq!(*line, "a line");
        assert!(end.starts_with("END RequestId: ") && report.starts_with("REPORT RequestId: "), "{log}");
    }
    let long = log(&json!({"log": "x".repeat(10_000)}).to_string(), "X-Amz-Log-Type: Tail\r\n").unwrap();
    assert_eq!(long.len(), 4096);
    assert!(long.starts_with("xxx") && long.contains("\nREPORT RequestId: "));
    let failed = log(r#"{"exit":3}"#, "X-Amz-Log-Type: Tail\r\n").unwrap();
    assert!(failed.contains("Runtime exited with error: exit status 3"), "{failed}");
    let received = Http::connect(&served.address).post(path, "X-Amz-Log-Type: All\r\n", "1");
    assert_eq!((received.status, received.header("x-amzn-errortype")), (400, Some("InvalidParameterValueException")));
}

#[test]
fn a_function_that_does_not_request_events_is_reported_within_a_second() {
    let mut child = emulator().args(["--port", "0", "--", "sleep", "60"]).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("has not requested an event")));
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    child.wait().unwrap();
}

#[test]
fn a_change_of_a_file_restarts_the_function_and_a_request_waits_meanwhile() {
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("restart-on-{}", std::process::id()));
    std::fs::write(&file, "1").unwrap();
    let served = Served::start(&["--restart-on", file.to_str().unwrap()]);
    let pid = served.call(json!({"pid": true})).text().to_owned();
    std::fs::write(&file, "22").unwrap();
    served.line("a file has changed");
    let other = served.call(json!({"pid": true})).text().to_owned();
    assert_ne!(pid, other);
    assert!(!support::runs(&pid));
    std::fs::remove_file(&file).unwrap();
    assert_eq!(served.call(json!({"pid": true})).text(), other);
}

#[test]
fn a_function_that_fails_to_start_waits_for_a_change() {
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("function-{}", std::process::id()));
    std::fs::write(&file, "exit 3").unwrap();
    let mut child = emulator()
        .args(["--port", "0", "--restart-on"])
        .arg(&file)
        .args(["--", "sh"])
        .arg(&file)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("when a file of --restart-on changes")));
    std::fs::write(&file, format!("exec {}", function().display())).unwrap();
    assert!(lines.any(|line| line.contains("a file has changed")));
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    std::fs::remove_file(&file).unwrap();
}

/// The path of an external extension, in a folder that only this test uses.
fn extension(test: &str) -> std::path::PathBuf {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{test}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("external");
    std::os::unix::fs::symlink(function(), &path).unwrap();
    path
}

#[test]
fn an_external_extension_gets_invoke_and_shutdown_with_the_reason() {
    for (event, reason) in [(json!(1), "spindown"), (json!({"exit": 1}), "failure"), (json!({"hang": true}), "timeout")]
    {
        let extension = extension(&format!("external-{reason}"));
        let mut served = Served::start(&["--timeout", "2", "--extension", extension.to_str().unwrap()]);
        assert_eq!(served.call(event).status, 200);
        served.line("extension: \"INVOKE\" null");
        if reason == "spindown" {
            kill_process(Pid::from_child(&served.child), Signal::INT).unwrap();
        }
        served.line(&format!("extension: \"SHUTDOWN\" \"{reason}\""));
        if reason == "spindown" {
            assert_eq!(served.child.wait().unwrap().code(), Some(0));
        } else {
            assert_eq!(served.call(json!(1)).text(), "1");
        }
        std::fs::remove_dir_all(extension.parent().unwrap()).unwrap();
    }
}

#[test]
fn a_slow_initialization_is_repeated_within_the_first_invocation() {
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("slow-{}", std::process::id()));
    let slow = [("SLOW_UNTIL", file.to_str().unwrap())];
    // Long enough for the first process to create the file, even on a busy machine.
    let served = Served::start_with(&["--init-timeout", "5"], &slow);
    let report = served.line("INIT_REPORT");
    assert!(report.ends_with(" ms\tPhase: init\tStatus: timeout"), "{report}");
    assert_eq!(served.call(json!(1)).text(), "1");
    std::fs::remove_file(&file).unwrap();
}

#[test]
fn an_initialization_that_is_slow_twice_times_the_invocation_out() {
    let mut child = emulator()
        .args(["--port", "0", "--init-timeout", "0.5", "--timeout", "1", "--", "sleep", "60"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let line = lines.find(|line| line.contains("curl http://")).unwrap();
    let address = line.split("http://").nth(1).unwrap().trim_end_matches('/').to_owned();
    let received = call(&address, json!(1));
    assert_eq!(received.json()["errorType"], "Sandbox.Timedout");
    assert!(lines.any(|line| line.ends_with("Phase: invoke\tStatus: timeout")));
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    child.wait().unwrap();
}
