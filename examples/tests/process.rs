//! Functions as processes: startup, failures of workers, the log, and shutdown, on each executor.

use std::io::Read as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use lambda_runtime_emulator::{Emulator, Endpoint, Fault};

const API: &str = "AWS_LAMBDA_RUNTIME_API";
const WORKERS: (&str, &str) = ("AWS_LAMBDA_MAX_CONCURRENCY", "2");
const TIMEOUT: Duration = Duration::from_secs(30);

/// The programs of an example.
macro_rules! of_each_executor {
    ($example:literal) => {
        [
            env!(concat!("CARGO_BIN_EXE_", $example, "-tokio")),
            env!(concat!("CARGO_BIN_EXE_", $example, "-smol")),
            env!(concat!("CARGO_BIN_EXE_", $example, "-blocking")),
        ]
    };
}

/// The exit code and the log of a process.
struct Ended {
    code: Option<i32>,
    stderr: String,
}

/// The process of a function, killed when the test ends.
struct Process(Child);

impl Process {
    /// Starts the program with these environment variables and no others.
    fn start(program: &str, variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new(program);
        if cfg!(target_os = "linux") {
            // A shell starts its background jobs, such as these tests, with SIGINT ignored, which would be inherited.
            command = Command::new("/usr/bin/env");
            command.args(["--default-signal", program]);
        }
        command.env_clear().envs(variables.iter().copied());
        Self(command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap())
    }

    #[cfg(unix)]
    fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.0.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    fn end(mut self) -> Ended {
        let begun = Instant::now();
        while self.0.try_wait().unwrap().is_none() {
            assert!(begun.elapsed() < TIMEOUT, "the process does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
        let mut stderr = String::new();
        self.0.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        Ended { code: self.0.wait().unwrap().code(), stderr }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
#[cfg(target_os = "linux")]
fn an_unwritable_log_does_not_end_a_function() {
    for (program, failing, good) in [
        (env!("CARGO_BIN_EXE_failures-tokio"), r#"{"do":"error"}"#, "1"),
        (env!("CARGO_BIN_EXE_failures-smol"), r#"{"do":"error"}"#, "1"),
        (env!("CARGO_BIN_EXE_failures-blocking"), r#"{"do":"error"}"#, "1"),
        (env!("CARGO_BIN_EXE_logging-tokio"), "{}", r#"{"name":"x"}"#),
        (env!("CARGO_BIN_EXE_logging-smol"), "{}", r#"{"name":"x"}"#),
    ] {
        let emulator = Emulator::start().unwrap();
        let full = || std::fs::File::options().write(true).open("/dev/full").unwrap();
        let mut command = Command::new(program);
        if cfg!(target_os = "linux") {
            // A shell starts its background jobs, such as these tests, with SIGINT ignored, which would be inherited.
            command = Command::new("/usr/bin/env");
            command.args(["--default-signal", program]);
        }
        command.env_clear().env(API, emulator.endpoint()).stdout(full()).stderr(full());
        // Invalid, which cannot be reported either.
        command.env("RUST_LOG", "info,no=such=level,[{=");
        let _function = Process(command.spawn().unwrap());
        assert!(emulator.invoke(failing).unwrap().error().is_some());
        assert!(emulator.invoke(good).unwrap().is_complete());
    }
}

#[test]
fn a_missing_api_address_is_reported_once() {
    for program in of_each_executor!("hello") {
        let Ended { code, stderr } = Process::start(program, &[]).end();
        assert_eq!(code, Some(1), "{stderr}");
        assert!(stderr.contains("AWS_LAMBDA_RUNTIME_API is not set"), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    }
}

#[test]
fn an_invalid_api_address_is_quoted() {
    for program in of_each_executor!("hello") {
        for address in ["https://127.0.0.1:9001", "127.0.0.1:port", ""] {
            let Ended { code, stderr } = Process::start(program, &[(API, address)]).end();
            assert_eq!(code, Some(1), "{stderr}");
            assert!(stderr.contains(API) && stderr.contains(address), "{stderr}");
        }
    }
}

#[test]
fn the_api_address_is_the_only_required_variable() {
    for program in of_each_executor!("hello") {
        let emulator = Emulator::start().unwrap();
        let _function = Process::start(program, &[(API, emulator.endpoint())]);
        assert_eq!(emulator.invoke(r#"{"name":"World"}"#).unwrap().text(), r#"{"message":"Hello, World!"}"#);
    }
}

#[test]
fn an_invalid_concurrency_is_reported_as_an_init_error() {
    for program in of_each_executor!("concurrency") {
        let emulator = Emulator::start().unwrap();
        let variables = [(API, emulator.endpoint()), ("AWS_LAMBDA_MAX_CONCURRENCY", "many")];
        let Ended { code, stderr } = Process::start(program, &variables).end();
        assert_eq!(code, Some(1), "{stderr}");
        assert!(stderr.contains("AWS_LAMBDA_MAX_CONCURRENCY") && stderr.contains("many"), "{stderr}");
        let reported = emulator.observed().init_errors;
        assert_eq!(reported.len(), 1, "{reported:?}");
        assert_eq!(reported[0].error_type(), "Runtime.BadConcurrency");
    }
}

#[test]
fn a_failed_initialisation_is_reported_logged_and_ends_the_process() {
    for program in of_each_executor!("init") {
        for (times, error_type, message) in [
            ("x", "Function.ParseIntError", "invalid digit found in string"),
            ("100", "Function.Panic", "TIMES is 100: expected less than 100"),
        ] {
            for more in [("A", "b"), WORKERS, ("AWS_LAMBDA_INITIALIZATION_TYPE", "snap-start")] {
                let emulator = Emulator::start().unwrap();
                let variables = [(API, emulator.endpoint()), ("TIMES", times), more];
                let Ended { code, stderr } = Process::start(program, &variables).end();
                assert_eq!(code, Some(1), "{stderr}");
                assert_eq!(stderr.matches("ERROR initialization failed error_type=").count(), 1, "{stderr}");
                let observed = emulator.observed();
                let [reported] = &observed.init_errors[..] else { panic!("{observed:?}") };
                assert_eq!(reported.error_type(), error_type);
                assert!(reported.message().contains(message), "{reported:?}");
                assert!(reported.xray_cause().is_some_and(|cause| cause.contains(message)), "{reported:?}");
                assert_eq!(observed.requests(Endpoint::Next) + observed.requests(Endpoint::RestoreNext), 0);
            }
        }
        // Without an API it fails just so.
        let Ended { code, stderr } = Process::start(program, &[("TIMES", "x")]).end();
        assert_eq!(code, Some(1), "{stderr}");
        assert!(stderr.contains("the initialization failed: ParseIntError: invalid digit"), "{stderr}");
    }
}

#[test]
#[cfg(unix)]
fn a_failed_worker_restarts_while_the_others_serve() {
    for program in of_each_executor!("concurrency") {
        let broken: Fault = "next 2: reply 500 {}".parse().unwrap();
        let emulator = Emulator::builder().concurrency(3).faults([broken]).start().unwrap();
        let variables = [(API, emulator.endpoint()), ("AWS_LAMBDA_MAX_CONCURRENCY", "3")];
        let function = Process::start(program, &variables);
        assert_eq!(emulator.invoke(r#"{"n":0}"#).unwrap().json().unwrap()["event"]["n"], 0);
        assert!(emulator.wait_until(TIMEOUT, |observed| observed.waiting == 3), "{:?}", emulator.observed());
        // An invocation that outlasts the test occupies one worker; the others keep serving.
        let _slow = emulator.start_invocation(r#"{"wait_ms":600000}"#).unwrap();
        for n in 1..10 {
            assert_eq!(emulator.invoke(format!(r#"{{"n":{n}}}"#)).unwrap().json().unwrap()["event"]["n"], n);
        }
        function.signal("-KILL");
        let stderr = function.end().stderr;
        assert_eq!(stderr.matches("WARN worker restarted attempt=").count(), 1, "{stderr}");
    }
}

#[test]
fn a_single_worker_reports_its_error_without_a_worker_number() {
    for program in of_each_executor!("concurrency") {
        let broken: Fault = r#"next: reply 500 {"errorType":"Broken","errorMessage":"beyond repair"}"#.parse().unwrap();
        let emulator = Emulator::builder().faults([broken]).start().unwrap();
        let Ended { code, stderr } = Process::start(program, &[(API, emulator.endpoint())]).end();
        assert_eq!(code, Some(1), "{stderr}");
        assert!(stderr.contains("500 Broken: beyond repair") && !stderr.contains("worker"), "{stderr}");
        assert_eq!(emulator.observed().requests(Endpoint::Next), 1);
    }
}

#[test]
fn a_refused_restore_is_reported_as_an_init_error() {
    let refused: Fault = r#"restore-next: reply 500 {"errorType":"Broken","errorMessage":"no copy"}"#.parse().unwrap();
    for program in of_each_executor!("snapstart") {
        let emulator = Emulator::builder().snapstart(true).faults([refused.clone()]).start().unwrap();
        let variables = [(API, emulator.endpoint()), ("AWS_LAMBDA_INITIALIZATION_TYPE", "snap-start")];
        let Ended { code, stderr } = Process::start(program, &variables).end();
        assert_eq!(code, Some(1), "{stderr}");
        assert!(stderr.contains("500 Broken: no copy") && !stderr.contains("after the restore"), "{stderr}");
        let reported = emulator.observed().init_errors;
        assert_eq!(reported.len(), 1, "{reported:?}");
        assert_eq!(reported[0].error_type(), "Runtime.BeforeSnapshotError");
    }
}

#[test]
fn the_final_error_contains_the_error_of_each_worker() {
    let broken: Fault = r#"next: reply 500 {"errorType":"Broken","errorMessage":"beyond repair"}"#.parse().unwrap();
    let functions = of_each_executor!("concurrency").map(|program| {
        let emulator = Emulator::builder().concurrency(2).faults([broken.clone()]).start().unwrap();
        let function = Process::start(program, &[(API, emulator.endpoint()), WORKERS]);
        (emulator, function)
    });
    for (emulator, function) in functions {
        let Ended { code, stderr } = function.end();
        assert_eq!(code, Some(1), "{stderr}");
        let error = stderr.lines().last().unwrap_or_default();
        assert!(error.contains("none of the 2 workers can continue; worker 0: "), "{stderr}");
        assert_eq!(error.matches("500 Broken: beyond repair").count(), 2, "{stderr}");
        // Five attempts each, after which a worker gives up.
        assert_eq!(emulator.observed().requests(Endpoint::Next), 10);
    }
}

#[test]
fn a_refused_response_is_logged_with_request_id_and_message() {
    let large = r#"{"errorType":"TooLarge","errorMessage":"over the limit"}"#;
    for (program, event) in [
        (env!("CARGO_BIN_EXE_failures-tokio"), "1"),
        (env!("CARGO_BIN_EXE_failures-smol"), "1"),
        (env!("CARGO_BIN_EXE_failures-blocking"), "1"),
        (env!("CARGO_BIN_EXE_failures-tokio"), r#"{"do":"error"}"#),
        (env!("CARGO_BIN_EXE_failures-smol"), r#"{"do":"error"}"#),
        (env!("CARGO_BIN_EXE_streaming-tokio"), "{}"),
        (env!("CARGO_BIN_EXE_streaming-smol"), "{}"),
        (env!("CARGO_BIN_EXE_streaming-blocking"), "{}"),
    ] {
        let refuse = |what| format!("{what}: reply 413 {large}");
        // A stream is refused midway.
        let response = if program.contains("streaming") {
            format!("response: reply 413 at 110 {large}")
        } else {
            refuse("response")
        };
        let no_id = "next 1: reply 200 {}".to_owned();
        let faults = [no_id, response, refuse("error"), "next 3: reply 403 {}".to_owned()];
        let emulator = Emulator::builder().faults(faults.map(|fault| fault.parse::<Fault>().unwrap())).start().unwrap();
        let function = Process::start(program, &[(API, emulator.endpoint())]);
        let invocation = emulator.start_invocation(event).unwrap();
        let request_id = invocation.request_id().to_owned();
        invocation.wait().unwrap();
        let Ended { code, stderr } = function.end();
        assert_eq!(code, Some(1), "{stderr}");
        assert!(
            stderr
                .contains("WARN reply without an invocation error_message=\"no header Lambda-Runtime-Aws-Request-Id\""),
            "{stderr}"
        );
        let refusal = format!(
            "ERROR response refused request_id={request_id} status=413 error_type=TooLarge error_message=\"over the limit\""
        );
        assert_eq!(stderr.matches(&refusal).count(), 1, "{stderr}");
    }
}

#[test]
#[cfg(unix)]
fn the_shutdown_hook_runs_on_sigterm_and_on_ctrl_c() {
    for program in of_each_executor!("shutdown") {
        for (signal, name) in [("-TERM", "SIGTERM"), ("-INT", "SIGINT")] {
            let emulator = Emulator::start().unwrap();
            let function = Process::start(program, &[(API, emulator.endpoint())]);
            assert_eq!(emulator.invoke("1").unwrap().text(), "1");
            let extensions = emulator.observed().extensions;
            assert!(matches!(&extensions[..], [extension] if extension.events.is_empty()), "{extensions:?}");
            function.signal(signal);
            let Ended { code, stderr } = function.end();
            assert_eq!(code, Some(0), "{stderr}");
            assert!(stderr.contains(name) && stderr.contains("flushed pending writes"), "{stderr}");
        }
    }
}

#[test]
fn the_metadata_is_requested_once_and_again_after_a_restore() {
    for program in [env!("CARGO_BIN_EXE_metadata-tokio"), env!("CARGO_BIN_EXE_metadata-smol")] {
        for (snapstart, requests) in [(false, 1), (true, 2)] {
            let emulator = Emulator::builder().snapstart(snapstart).start().unwrap();
            let environment = emulator.environment();
            let variables: Vec<_> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let _function = Process::start(program, &variables);
            for _ in 0..3 {
                assert_eq!(emulator.invoke("1").unwrap().text(), r#"{"zone":"use1-az1"}"#);
            }
            assert_eq!(emulator.observed().requests(Endpoint::Metadata), requests);
        }
        // Outside of Lambda there is none.
        let emulator = Emulator::start().unwrap();
        let _function = Process::start(program, &[(API, emulator.endpoint())]);
        assert_eq!(emulator.invoke("1").unwrap().text(), r#"{"zone":null}"#);
    }
}

#[test]
fn metadata_that_cannot_be_fetched_is_an_error_and_requested_again() {
    for program in [env!("CARGO_BIN_EXE_metadata-tokio"), env!("CARGO_BIN_EXE_metadata-smol")] {
        for (fault, error) in [
            ("metadata 2: stall", "did not reply in 1s"),
            ("metadata 2: reply 500 {\"errorType\":\"Broken\",\"errorMessage\":\"no zone\"}", "500 Broken: no zone"),
            ("metadata 2: reply 200 [1]", "the metadata is not the expected JSON"),
        ] {
            // The second request follows the restore.
            let faults = [fault.parse::<Fault>().unwrap()];
            let emulator = Emulator::builder().snapstart(true).faults(faults).start().unwrap();
            let environment = emulator.environment();
            let variables: Vec<_> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let _function = Process::start(program, &variables);
            let outcome = emulator.invoke("1").unwrap();
            let message = outcome.error().map(|error| error.message()).unwrap_or_default();
            assert!(message.contains(error), "{fault}: {outcome:?}");
            assert_eq!(emulator.invoke("1").unwrap().text(), r#"{"zone":"use1-az1"}"#);
        }
    }
}

#[test]
#[cfg(unix)]
fn a_shutdown_waits_for_work_after_the_response() {
    for program in [env!("CARGO_BIN_EXE_wait-until-tokio"), env!("CARGO_BIN_EXE_wait-until-smol")] {
        let emulator = Emulator::start().unwrap();
        let function = Process::start(program, &[(API, emulator.endpoint())]);
        assert_eq!(emulator.invoke(r#"{"item":"pear"}"#).unwrap().text(), r#"{"sold":"pear"}"#);
        function.signal("-TERM");
        let Ended { code, stderr } = function.end();
        assert_eq!(code, Some(0), "{stderr}");
        assert!(stderr.contains("flushed sold=\"pear\""), "{stderr}");
    }
}

#[test]
#[cfg(unix)]
fn a_function_without_its_extension_logs_an_error_and_serves_until_a_signal() {
    for program in of_each_executor!("shutdown") {
        for signal in ["-TERM", "-INT"] {
            for (reply, words) in [
                (r#"403 {"errorType":"Full","errorMessage":"no place"}"#, "403 Full: no place"),
                ("200 {}", "without a header Lambda-Extension-Identifier"),
            ] {
                let instead: Fault = format!("register: reply {reply}").parse().unwrap();
                let emulator = Emulator::builder().faults([instead]).start().unwrap();
                let function = Process::start(program, &[(API, emulator.endpoint())]);
                assert_eq!(emulator.invoke("1").unwrap().text(), "1");
                function.signal(signal);
                let Ended { code, stderr } = function.end();
                assert_eq!(code, None, "{stderr}");
                assert!(
                    stderr.contains("ERROR graceful shutdown unavailable error_message=") && stderr.contains(words),
                    "{stderr}"
                );
                assert!(!stderr.contains("refused") || reply.starts_with("403"), "{stderr}");
            }
        }
    }
}
