//! The command with `--event`: its output, its exit code, and the function's process.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

#[path = "../../emulator/tests/common/mod.rs"]
mod common;
#[path = "support/command.rs"]
mod support;

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use common::LIMIT;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use support::{emulator, function, has_line, runs, stderr, stdout};

/// Invokes the test's function once.
fn once(event: serde_json::Value) -> Output {
    emulator().args(["--event", &event.to_string(), "--"]).arg(function()).output().unwrap()
}

/// Invokes the function that a shell script starts; `$0` is the test's function.
fn once_by_shell(event: &str, script: &str) -> Output {
    emulator().args(["--event", event, "--", "sh", "-c", script]).arg(function()).output().unwrap()
}

/// A path in a folder that only this test uses.
fn scratch(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{name}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    folder.join("file")
}

fn wait_for(what: &str, condition: impl Fn() -> bool) {
    let until = Instant::now() + LIMIT;
    while !condition() {
        assert!(Instant::now() < until, "{what}");
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn stdout_has_the_response_and_nothing_else() {
    let output = once_by_shell(r#"{"name":"World"}"#, "echo noise; exec \"$0\"");
    assert_eq!((stdout(&output), output.status.code()), (r#"{"name":"World"}"#, Some(0)));
    assert!(has_line(&output, |line| line == "noise"));
    assert!(has_line(&output, |line| line == "responded"), "{}", stderr(&output));
}

#[test]
fn the_event_may_come_from_a_file_or_from_stdin() {
    let file = scratch("event");
    fs::write(&file, "[1]").unwrap();
    let event = format!("@{}", file.display());
    let output = emulator().args(["--event", &event, "--"]).arg(function()).output().unwrap();
    assert_eq!(stdout(&output), "[1]");

    let mut child = emulator()
        .args(["--event", "-", "--"])
        .arg(function())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"[2]").unwrap();
    assert_eq!(stdout(&child.wait_with_output().unwrap()), "[2]");
}

#[test]
fn an_error_is_on_stderr_and_the_exit_code_is_1() {
    let output = once(json!({"fail": "no such name"}));
    assert_eq!((stdout(&output), output.status.code()), ("", Some(1)));
    let error = json!({"errorMessage": "no such name", "errorType": "Function.Oops", "stackTrace": []});
    assert!(has_line(&output, |line| serde_json::from_str::<serde_json::Value>(line).is_ok_and(|json| json == error)));
}

#[test]
fn a_streamed_response_is_printed_as_it_arrives() {
    let file = scratch("stream");
    let event = json!({"stream": ["one", "two"], "until": file}).to_string();
    let mut child = emulator().args(["--event", &event, "--"]).arg(function()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut first = [0; 3];
    stdout.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"one");
    // The function streams on when this file exists.
    fs::write(file, "").unwrap();
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "two");
    assert!(child.wait().unwrap().success());
}

#[test]
fn the_prelude_of_a_streamed_response_is_on_stderr() {
    let output = once(json!({"stream": ["Hello, ", "World"], "prelude": {"statusCode": 201}}));
    assert_eq!((stdout(&output), output.status.code()), ("Hello, World", Some(0)));
    assert!(has_line(&output, |line| line == r#"{"statusCode":201}"#));
}

#[test]
fn the_start_of_a_response_that_fails_midway_is_on_stdout() {
    let output = once(json!({"stream": ["part"], "abort": "it broke"}));
    assert_eq!((stdout(&output), output.status.code()), ("part", Some(1)));
    assert!(stderr(&output).contains("it broke"));
}

#[test]
fn a_command_that_cannot_start_is_named() {
    for (command, why) in [("/nonexistent", "not found"), ("/dev/null", "not executable")] {
        let output = emulator().args(["--event", "{}", "--", command]).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).contains(command) && stderr(&output).contains(why), "{}", stderr(&output));
    }
}

#[test]
fn a_function_that_ends_before_it_requests_an_event_is_an_error() {
    let output = once_by_shell("{}", "exit 3");
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("the function ended before it requested an event"));
    assert!(stderr(&output).contains("exit status 3"));
    let output = once_by_shell("{}", "exit 0");
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("Runtime exited without providing a reason"));
}

#[test]
fn a_start_up_error_that_the_function_reports_is_shown() {
    let output = once_by_shell("{}", "FAIL_TO_START=1 exec \"$0\"");
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("TABLE is not set") && stderr(&output).contains("Function.NoConfig"));
}

#[test]
fn a_function_that_dies_during_an_invocation_is_an_error() {
    let output = once(json!({"exit": 7}));
    assert_eq!((stdout(&output), output.status.code()), ("", Some(1)));
    assert!(stderr(&output).contains("Runtime.ExitError"));
    assert!(stderr(&output).contains("Error: Runtime exited with error: exit status 7"));
    let output = once(json!({"crash": true}));
    assert!(stderr(&output).contains("Error: Runtime exited with error: signal: aborted"));
}

#[test]
fn an_invocation_that_times_out_is_an_error() {
    let output =
        emulator().args(["--timeout", "0.25", "--event", r#"{"hang":true}"#, "--"]).arg(function()).output().unwrap();
    assert_eq!((stdout(&output), output.status.code()), ("", Some(1)));
    assert!(stderr(&output).contains("Error: Task timed out after 0.25 seconds"));
    assert!(stderr(&output).contains("Sandbox.Timedout"));
}

#[test]
fn a_function_that_hangs_after_its_response_has_timed_out() {
    let event = r#"{"hang_after":true}"#;
    let output = emulator().args(["--timeout", "2", "--event", event, "--"]).arg(function()).output().unwrap();
    assert_eq!((stdout(&output), output.status.code()), (event, Some(1)));
    let timed_out = "Task timed out after 2.00 seconds, after its response: the runtime did not request the next event";
    assert!(has_line(&output, |line| line.ends_with(timed_out)), "{}", stderr(&output));
}

#[test]
fn an_extension_completes_its_work_after_the_response() {
    let output = emulator().args(["--event", "1", "--"]).arg(function()).env("EXTENSION", "1").output().unwrap();
    assert_eq!((stdout(&output), output.status.code()), ("1", Some(0)));
    assert!(has_line(&output, |line| line == "flushed"), "{}", stderr(&output));
}

#[test]
fn an_event_that_cannot_be_delivered_is_an_error_after_a_few_attempts() {
    let file = scratch("undelivered");
    let pids = file.with_extension("pids");
    // Too large for the buffers of a connection.
    fs::write(&file, format!("\"{}\"", "x".repeat(6_000_000))).unwrap();
    let output = emulator()
        .args(["--event", &format!("@{}", file.display()), "--"])
        .arg(function())
        .envs([("EXIT_WITHIN_EVENT", "1"), ("PID_FILE", pids.to_str().unwrap())])
        .output()
        .unwrap();
    assert_eq!((stdout(&output), output.status.code()), ("", Some(1)));
    assert!(stderr(&output).contains("Runtime.ExitError"), "{}", stderr(&output));
    assert_eq!(fs::read_to_string(pids).unwrap().lines().count(), 3);
}

#[test]
fn an_event_has_a_trace_id() {
    let once = |args: &[&str]| {
        let output = emulator().args(["--event", r#"{"trace":true}"#]).args(args).arg("--").arg(function()).output();
        stdout(&output.unwrap()).to_owned()
    };
    assert!(once(&[]).starts_with("\"Root=1-"));
    assert_eq!(once(&["--trace-id", "Root=1-2-3;Sampled=1"]), r#""Root=1-2-3;Sampled=1""#);
}

#[test]
fn a_response_that_cannot_be_written_is_an_error() {
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let child = emulator().args(["--event", "1", "--"]).arg(function()).stdout(full).stderr(Stdio::piped()).spawn();
    let output = child.unwrap().wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("cannot write the response to stdout"), "{}", stderr(&output));
}

#[test]
#[cfg(target_os = "linux")]
fn the_function_does_not_outlive_a_command_that_is_killed() {
    let file = scratch("killed");
    let script = format!("echo $$ >{}; exec sleep 600", file.display());
    let mut child = emulator().args(["--event", "{}", "--", "sh", "-c", &script]).spawn().unwrap();
    let pid = || fs::read_to_string(&file).unwrap_or_default();
    wait_for("the function runs", || runs(&pid()));
    child.kill().unwrap();
    child.wait().unwrap();
    wait_for("the function is dead", || !runs(&pid()));
}

#[test]
fn an_interrupt_ends_the_command_and_the_function() {
    let file = scratch("interrupted");
    let mut child =
        emulator().args(["--event", r#"{"hang":true}"#, "--"]).arg(function()).env("PID_FILE", &file).spawn().unwrap();
    let pid = || fs::read_to_string(&file).unwrap_or_default();
    wait_for("the function runs", || runs(&pid()));
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    wait_for("the function is dead", || !runs(&pid()));
}

#[test]
fn grandchildren_are_killed_too() {
    let file = scratch("grandchild");
    let script = format!("PID_FILE={} \"$0\" & wait", file.display());
    assert_eq!(stdout(&once_by_shell("1", &script)), "1");
    let pid = fs::read_to_string(file).unwrap();
    wait_for("the grandchild is dead", || !runs(&pid));
}

#[test]
fn a_function_with_an_extension_gets_a_signal_before_it_is_killed() {
    let script = "trap 'echo terminated; exit 0' TERM; REGISTER=1 \"$0\" & wait";
    let output = once_by_shell("1", script);
    assert_eq!(stdout(&output), "1");
    assert!(has_line(&output, |line| line == "terminated"));
    let without = once_by_shell("1", "trap 'echo terminated; exit 0' TERM; \"$0\" & wait");
    assert!(!has_line(&without, |line| line == "terminated"));
}

#[test]
fn the_function_has_the_environment_of_lambda() {
    let script = "env; exit 1";
    let output = emulator()
        .args(["--event", "{}", "--memory", "512", "--concurrency", "3", "--", "sh", "-c", script])
        .env_remove("AWS_REGION")
        .env("TZ", "Europe/Berlin")
        .env("AWS_LAMBDA_FUNCTION_NAME", "greet")
        .output()
        .unwrap();
    for line in [
        "AWS_LAMBDA_FUNCTION_NAME=greet",
        "AWS_LAMBDA_FUNCTION_VERSION=$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=512",
        "AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/greet",
        "AWS_LAMBDA_LOG_STREAM_NAME=$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE=lambda-managed-instances",
        "AWS_LAMBDA_MAX_CONCURRENCY=3",
        "AWS_REGION=us-east-1",
        "TZ=Europe/Berlin",
    ] {
        assert!(has_line(&output, |found| found == line), "{line}");
    }
    assert!(has_line(&output, |line| line.starts_with("AWS_LAMBDA_RUNTIME_API=127.0.0.1:")));

    let output = emulator()
        .args(["--event", "{}", "--", "sh", "-c", script])
        .env("AWS_LAMBDA_MAX_CONCURRENCY", "3")
        .output()
        .unwrap();
    assert!(!stderr(&output).contains("AWS_LAMBDA_MAX_CONCURRENCY"));
}

#[test]
fn faults_are_logged_when_they_happen_and_unused_ones_at_the_end() {
    let output = emulator()
        .args(["--event", "1", "--fault", "response 1: dribble", "--fault", "next 9: reset at 5", "--"])
        .arg(function())
        .output()
        .unwrap();
    assert_eq!((stdout(&output), output.status.code()), ("1", Some(0)));
    assert!(has_line(&output, |line| line == "lambda-emulator: fault: response 1: dribble 1 at 0 of the request"));
    let other = "lambda-emulator: this fault did not happen: next 9: reset at 5 of the reply";
    assert!(has_line(&output, |line| line == other), "{}", stderr(&output));
}

#[test]
fn bad_arguments_are_named_and_the_exit_code_is_2() {
    for (args, named) in [
        (&["--bogus", "--", "x"] as &[&str], "--bogus"),
        (&["--event", "{}"], "command after --"),
        (&["--event", "{}", "--"], "command after --"),
        (&["./function"], "./function"),
        (&["--event", "{", "--", "x"], "--event: the payload is not JSON: EOF"),
        (&["--event", "", "--", "x"], "--event: the payload is not JSON"),
        (&["--event", "@/dev/zero", "--", "x"], "--event: the payload is larger than 6291456 bytes"),
        (&["--event", "{}", "--trace-id", "a\nb", "--", "x"], "--trace-id \"a\\nb\""),
        (&["--trace-id", "Root=1", "--", "x"], "--trace-id requires --event"),
        (&["--event", "@/nonexistent", "--", "x"], "/nonexistent"),
        (&["--timeout", "soon", "--", "x"], "--timeout soon"),
        (&["--timeout", "-1", "--", "x"], "--timeout -1"),
        (&["--timeout=0", "--", "x"], "--timeout 0"),
        (&["--memory", "lots", "--", "x"], "--memory lots"),
        (&["--concurrency", "0", "--", "x"], "--concurrency"),
        (&["--port", "99999", "--", "x"], "--port 99999"),
        (&["--address", "here", "--", "x"], "--address here"),
        (&["--allow-origin", "localhost:3000", "--", "x"], "--allow-origin localhost:3000"),
        (&["--allow-origin", "http://localhost:3000/", "--", "x"], "--allow-origin http://localhost:3000/"),
        (&["--allow-host", "localhost:3000", "--", "x"], "--allow-host localhost:3000"),
        (&["--event", "{}", "--allow-host", "x", "--", "x"], "--allow-host cannot be combined with --event"),
        (&["--fault", "reset", "--", "x"], "--fault: invalid fault \"reset\": expected TARGET: EFFECT"),
        (&["--event", "{}", "--port", "9000", "--", "x"], "--port cannot be combined with --event"),
    ] {
        let output = emulator().args(args).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        let lines: Vec<_> = stderr(&output).lines().collect();
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(stderr(&output).contains(named) && stderr(&output).contains("--help"), "{args:?}: {lines:?}");
    }
}

#[test]
fn help_and_version_are_on_stdout() {
    let output = emulator().arg("--help").output().unwrap();
    assert!(output.status.success() && stdout(&output).contains("--concurrency N"));
    let output = emulator().arg("-V").output().unwrap();
    assert_eq!(stdout(&output), concat!("lambda-emulator ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn help_fits_on_a_page() {
    let print = |option: &str| stdout(&emulator().arg(option).output().unwrap()).to_owned();
    let help = print("--help");
    assert!(help.lines().count() <= 30 && help.lines().all(|line| line.len() <= 120), "{help}");
    assert!(print("--help-faults").contains("TARGET [N]: EFFECT"));
}

#[test]
fn a_sample_event_is_printed() {
    for name in ["function-url", "sqs", "sns", "s3", "eventbridge"] {
        let output = emulator().args(["--event-template", name]).output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        assert!(serde_json::from_str::<serde_json::Value>(stdout(&output)).unwrap().is_object(), "{name}");
    }
    let output = emulator().args(["--event-template", "ses"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("--event-template ses: expected one of function-url, sqs"), "{}", stderr(&output));
}

#[test]
fn variables_of_a_file_reach_the_function_except_those_of_lambda() {
    let file = scratch("variables");
    fs::write(
        &file,
        "# a comment\nexport GREETING='Hello, World'\nAWS_REGION=eu-west-1\nAWS_LAMBDA_RUNTIME_API=nowhere\n",
    )
    .unwrap();
    let script = "echo \"$GREETING $AWS_REGION $AWS_LAMBDA_RUNTIME_API\"; exec \"$0\"";
    let env_file = file.to_str().unwrap();
    let output = emulator()
        .args(["--env-file", env_file, "--event", "1", "--", "sh", "-c", script])
        .arg(function())
        .output()
        .unwrap();
    assert!(has_line(&output, |line| line.starts_with("Hello, World eu-west-1 127.0.0.1:")), "{}", stderr(&output));
    fs::write(&file, "no assignment").unwrap();
    for env_file in [env_file, "no-such-file"] {
        let output = emulator().args(["--env-file", env_file, "--event", "1", "--", "true"]).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains(&format!("--env-file {env_file}: ")), "{}", stderr(&output));
    }
}

/// The record of an invocation.
fn record(how: &str) -> Vec<serde_json::Value> {
    let file = scratch(&format!("record-{how}"));
    let output = emulator()
        .args(["--record", file.to_str().unwrap(), "--record-payloads", how])
        .args(["--event", r#"{"secret":"Hello"}"#, "--"])
        .arg(function())
        .output()
        .unwrap();
    assert_eq!(stdout(&output), r#"{"secret":"Hello"}"#);
    fs::read_to_string(file).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn connections_are_recorded_with_or_without_their_payloads() {
    let text = |lines: &[serde_json::Value], from: &str| -> String {
        let of_sender = lines.iter().filter(|line| line["from"] == from);
        of_sender.filter_map(|line| line["text"].as_str()).collect()
    };
    for how in ["keep", "omit", "hash"] {
        let lines = record(how);
        let (runtime, api) = (text(&lines, "runtime"), text(&lines, "api"));
        assert!(runtime.starts_with("GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\n"), "{runtime}");
        assert!(api.contains("Lambda-Runtime-Aws-Request-Id: ") && api.contains("202 Accepted"), "{api}");
        assert!(lines.iter().all(|line| line["connection"] == 1 && line["ms"].is_f64()));
        assert_eq!(api.contains("Hello") && runtime.contains("Hello"), how == "keep");
        let payloads = lines.iter().filter(|line| line["payload"] == 18);
        assert_eq!(payloads.count(), if how == "keep" { 0 } else { 2 });
        assert_eq!(lines.iter().any(|line| line["sha256"].is_string()), how == "hash");
        assert_eq!(lines.iter().filter(|line| line["closed"] == true).count(), 1);
    }
}

#[test]
fn a_record_is_played_to_a_function_and_the_first_difference_is_reported() {
    let file = scratch("replay");
    let event = r#"{"stream":["one","two"]}"#;
    let recorded =
        emulator().args(["--record", file.to_str().unwrap(), "--event", event, "--"]).arg(function()).output();
    assert_eq!(stdout(&recorded.unwrap()), "onetwo");
    let replay = |file: &Path| emulator().arg("replay").arg(file).arg("--").arg(function()).output().unwrap();
    let output = replay(&file);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).contains("the function sent the same 3 requests"), "{}", stderr(&output));

    // The function is sent another event than in the record, so its response differs.
    let other = scratch("replay-other");
    fs::write(&other, fs::read_to_string(&file).unwrap().replace(r#"\"one\",\"two\""#, r#"\"one\",\"TWO\""#)).unwrap();
    let output = replay(&other);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("request 2: body at byte 3: expected \"two\", found \"TWO\""),
        "{}",
        stderr(&output)
    );

    fs::write(&other, "no JSON\n").unwrap();
    let output = replay(&other);
    assert!(stderr(&output).contains("line 1: "), "{}", stderr(&output));
    let ends = emulator().arg("replay").arg(&file).args(["--", "true"]).output().unwrap();
    assert_eq!(ends.status.code(), Some(1));
    assert!(stderr(&ends).contains("0 of 1 connections"), "{}", stderr(&ends));
}
