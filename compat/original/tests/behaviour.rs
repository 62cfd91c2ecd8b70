//! The behaviour of the original and of this runtime, as documented in `docs/parity.md`.

use std::io::Read as _;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use lambda_runtime_emulator::{Emulator, Event};

const ORIGINAL: &str = env!("CARGO_BIN_EXE_original");
const HERE: &str = env!("CARGO_BIN_EXE_here");

/// The outcome of one event.
#[derive(Debug, PartialEq)]
enum Seen {
    /// A complete response.
    Response(String),
    /// An error of this type, as Lambda reports it to the caller.
    Error(String),
    /// No response, and the process keeps running.
    Silence,
    /// No response, and the process has exited.
    Death,
}

fn error(error_type: &str) -> Seen {
    Seen::Error(error_type.to_owned())
}

fn response(text: &str) -> Seen {
    Seen::Response(text.to_owned())
}

/// Invokes a function on both runtimes and compares the outcomes with those expected; of a response, only `part` of it.
fn differs(function: &str, event: impl Into<Event>, part: fn(&str) -> String, original: Seen, here: Seen) {
    let event = event.into().timeout(Duration::from_secs(2));
    for (program, expected) in [(ORIGINAL, original), (HERE, here)] {
        let seen = match see(Command::new(program).arg(function), event.clone()) {
            Seen::Response(text) => Seen::Response(part(&text)),
            seen => seen,
        };
        assert_eq!(seen, expected, "{program} {function}");
    }
}

fn see(command: &mut Command, event: Event) -> Seen {
    see_at(&Emulator::start().unwrap(), command, event)
}

fn see_at(emulator: &Emulator, command: &mut Command, event: Event) -> Seen {
    let chosen: Vec<_> = command.get_envs().map(|(name, _)| name.to_owned()).collect();
    command.envs(emulator.environment().into_iter().filter(|(name, _)| !chosen.contains(&name.into())));
    let mut process = Process(command.stderr(Stdio::null()).spawn().unwrap());
    let invocation = emulator.start_invocation(event).unwrap();
    let outcome = std::thread::scope(|scope| {
        let outcome = scope.spawn(|| invocation.wait().unwrap());
        while !outcome.is_finished() {
            if process.has_ended() {
                emulator.runtime_exited("the process has exited");
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        outcome.join().unwrap()
    });
    match outcome.error().map(|error| error.error_type()) {
        None => Seen::Response(outcome.text()),
        Some("Runtime.ExitError") => Seen::Death,
        Some("Sandbox.Timedout") => Seen::Silence,
        Some(error_type) => error(error_type),
    }
}

struct Process(Child);

impl Process {
    fn has_ended(&mut self) -> bool {
        self.0.try_wait().unwrap().is_some()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn whole(text: &str) -> String {
    text.to_owned()
}

/// Returns a field of the context from a response of the function `describe`.
fn context(text: &str, name: &str) -> String {
    serde_json::from_str::<serde_json::Value>(text).unwrap()["context"][name].to_string()
}

// The event

#[test]
fn no_deadline() {
    let event = Event::new("{}").without("Lambda-Runtime-Deadline-Ms");
    differs("describe", event, |text| context(text, "deadline"), Seen::Death, response("0"));
}

#[test]
fn a_deadline_that_is_not_a_number() {
    let event = Event::new("{}").header("Lambda-Runtime-Deadline-Ms", "soon");
    differs("describe", event, |text| context(text, "deadline"), Seen::Death, response("0"));
}

#[test]
fn no_request_id() {
    let event = Event::new("{}").without("Lambda-Runtime-Aws-Request-Id");
    differs("describe", event, whole, Seen::Death, Seen::Silence);
}

#[test]
fn no_arn() {
    let event = Event::new("{}").without("Lambda-Runtime-Invoked-Function-Arn");
    let original = response(r#""No header lambda-runtime-invoked-function-arn found.""#);
    differs("describe", event, |text| context(text, "invoked_function_arn"), original, response(r#""""#));
}

#[test]
fn an_arn_that_is_not_ascii() {
    let event = Event::new("{}").header("Lambda-Runtime-Invoked-Function-Arn", "ä");
    differs("describe", event, |text| context(text, "invoked_function_arn"), Seen::Death, response(r#""ä""#));
}

#[test]
fn a_client_context_that_is_not_json() {
    differs("describe", Event::new("{}").client_context("no"), whole, Seen::Death, error("Runtime.BadHeader"));
}

#[test]
fn a_client_context_with_an_environment() {
    let event = Event::new("{}").client_context(r#"{"env":{"locale":"de"}}"#);
    let environment = |text: &str| {
        let response: serde_json::Value = serde_json::from_str(text).unwrap();
        response["context"]["client_context"]["environment"].to_string()
    };
    differs("describe", event, environment, response("{}"), response(r#"{"locale":"de"}"#));
}

#[test]
fn a_client_context_with_a_number() {
    let event = Event::new("{}").client_context(r#"{"custom":{"n":1}}"#);
    differs("describe", event, |_| String::new(), Seen::Death, response(""));
}

#[test]
fn an_empty_trace_id() {
    let event = Event::new("{}").trace_id("");
    differs("describe", event, |text| context(text, "xray_trace_id"), response(r#""""#), response("null"));
}

#[test]
fn trailing_characters_after_the_json() {
    differs("describe", "{} x", |_| String::new(), response(""), error("Runtime.BadEvent"));
}

#[test]
fn an_event_of_another_type() {
    differs("takes-a-number", "{}", whole, error("Runtime.Unknown"), error("Runtime.BadEvent"));
}

#[test]
fn a_panic_while_the_event_is_decoded() {
    differs("panics-at-the-event", "{}", whole, Seen::Death, error("Function.Panic"));
}

// The handler

#[test]
fn an_error() {
    differs("fails", "{}", whole, error("Runtime.Unknown"), error("Function.ParseIntError"));
}

#[test]
fn a_panic() {
    differs("panics", "{}", whole, error("Runtime.Unknown"), error("Function.Panic"));
}

#[test]
fn a_handler_that_is_never_ready() {
    differs("is-never-ready", "{}", whole, Seen::Death, error("Function.Error"));
}

#[test]
fn a_response_that_does_not_serialize() {
    differs("does-not-serialize", "{}", whole, Seen::Death, error("Runtime.BadResponse"));
}

#[test]
fn a_layer_that_fails() {
    differs("layer-fails", "{}", whole, Seen::Death, error("Function.Error"));
}

#[test]
fn a_layer_that_returns_without_the_inner_service() {
    differs("layer-returns", "{}", whole, Seen::Silence, error("Runtime.NoResponse"));
}

// Streams

#[test]
fn a_stream_that_fails_at_once() {
    let payload = |text: &str| text.rsplit('\0').next().unwrap().lines().next().unwrap().to_owned();
    let original = response("Lambda-Runtime-Function-Error-Type: Runtime.StreamError");
    differs("streams-nothing-but-an-error", "{}", payload, original, error("Function.Error"));
}

#[test]
fn a_stream_that_fails_midway() {
    let payload = |text: &str| text.rsplit('\0').next().unwrap().lines().next().unwrap().to_owned();
    let original = response("chunkLambda-Runtime-Function-Error-Type: Runtime.StreamError");
    differs("interrupts-a-stream", "{}", payload, original, error("Function.Error"));
}

#[test]
fn a_panic_in_a_stream() {
    let payload = |text: &str| text.rsplit('\0').next().unwrap().to_owned();
    differs("panics-in-a-stream", "{}", payload, response("chunk"), error("Function.Panic"));
}

// The environment

#[test]
fn the_trace_id_is_a_variable_too() {
    let trace_id = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap()["trace_id"].to_string();
    let event = || Event::new("{}").trace_id("Root=1-2-3");
    let expected = r#""Root=1-2-3""#;
    differs("describe", event(), trace_id, response(expected), response(expected));
    for program in [ORIGINAL, HERE] {
        let emulator = Emulator::builder().concurrency(2).start().unwrap();
        let Seen::Response(text) = see_at(&emulator, Command::new(program).arg("describe-concurrently"), event())
        else {
            panic!("{program} did not respond");
        };
        assert_eq!((trace_id(&text), context(&text, "xray_trace_id")), ("null".into(), expected.into()), "{program}");
    }
}

#[test]
fn the_originals_log_format_is_an_option() {
    const FORMAT: &str = "AWS_LAMBDA_LOG_FORMAT";
    const LEVEL: &str = "AWS_LAMBDA_LOG_LEVEL";
    for (variables, lines) in [
        (&[][..], 2),
        (&[(FORMAT, "Text"), (LEVEL, "DEBUG")], 3),
        (&[(FORMAT, "JSON"), (LEVEL, "ERROR")], 1),
        (&[(FORMAT, "json"), (LEVEL, "nonsense")], 2),
        (&[("RUST_LOG", "debug")], 3),
        (&[("RUST_LOG", "here=error,original=error"), (LEVEL, "DEBUG")], 1),
    ] {
        assert_eq!(logged_alike("logs", variables).lines().count(), lines, "{variables:?}");
    }
}

#[test]
fn lambdas_log_level_takes_precedence() {
    let lines = |program| {
        let variables = [("AWS_LAMBDA_LOG_LEVEL", "ERROR"), ("RUST_LOG", "debug")];
        let output = Command::new(program).arg("logs").env_clear().envs(variables).output().unwrap();
        String::from_utf8(output.stdout).unwrap().lines().count()
    };
    assert_eq!((lines(ORIGINAL), lines(HERE)), (3, 1));
}

#[test]
fn json_is_flat_and_has_a_timestamp() {
    let line = |program| -> serde_json::Value {
        let variables = [("AWS_LAMBDA_LOG_FORMAT", "JSON")];
        let output = Command::new(program).arg("logs").env_clear().envs(variables).output().unwrap();
        serde_json::from_slice(output.stdout.split(|byte| *byte == b'\n').next().unwrap()).unwrap()
    };
    let [original, here] = [ORIGINAL, HERE].map(line);
    assert_eq!((&original["fields"]["n"], &original["timestamp"]), (&1.into(), &serde_json::Value::Null));
    assert_eq!((&here["n"], &here["message"], here["timestamp"].is_string()), (&1.into(), &"message".into(), true));
}

#[test]
fn spans_have_the_same_names_and_fields() {
    let log = logged_alike("spans", &[("AWS_LAMBDA_LOG_FORMAT", "JSON")]);
    assert_eq!(
        (log.matches("Lambda runtime invoke").count(), log.matches("faas.coldstart").count()),
        (16, 16),
        "{log}"
    );
}

/// Returns the log, which is the same on both runtimes.
fn logged_alike(function: &str, variables: &[(&str, &str)]) -> String {
    let [original, here] = [ORIGINAL, HERE].map(|program| {
        let mut command = Command::new(program);
        command.arg(function).env_clear().env("LAMBDA_RUNTIME_LOG_FORMAT", "original").envs(variables.iter().copied());
        let output = command.output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    });
    assert_eq!(original, here, "{function} {variables:?}");
    here
}

// The start, and the connection

#[test]
fn a_missing_variable() {
    let see = |program| see(Command::new(program).arg("describe").env_remove("AWS_LAMBDA_FUNCTION_NAME"), "{}".into());
    assert_eq!(see(ORIGINAL), Seen::Death);
    assert!(matches!(see(HERE), Seen::Response(_)));
}

#[test]
fn a_concurrency_that_is_not_a_number() {
    let see = |program| {
        see(Command::new(program).arg("describe-concurrently").env("AWS_LAMBDA_MAX_CONCURRENCY", "many"), "{}".into())
    };
    assert!(matches!(see(ORIGINAL), Seen::Response(_)));
    assert_eq!(see(HERE), error("Runtime.BadConcurrency"));
}

#[test]
fn a_connection_that_is_closed() {
    let reconnects = |program| {
        let api = TcpListener::bind("127.0.0.1:0").unwrap();
        let environment = Emulator::start().unwrap().environment();
        let mut command = Command::new(program);
        command.arg("describe").envs(environment).env("AWS_LAMBDA_RUNTIME_API", api.local_addr().unwrap().to_string());
        let mut process = Process(command.stderr(Stdio::null()).spawn().unwrap());
        let (mut connection, _) = api.accept().unwrap();
        let _ = connection.read(&mut [0; 1024]).unwrap();
        drop(connection);
        api.set_nonblocking(true).unwrap();
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(10) {
            if api.accept().is_ok() {
                return true;
            }
            if process.has_ended() {
                return false;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("{program} neither reconnected nor exited");
    };
    assert!(!reconnects(ORIGINAL));
    assert!(reconnects(HERE));
}
