//! What a function's process says and does before its first event and at its end, on both executors.

use std::io::Read as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use lambda_runtime_emulator::{Emulator, Endpoint, Fault};

const API: &str = "AWS_LAMBDA_RUNTIME_API";
const WORKERS: (&str, &str) = ("AWS_LAMBDA_MAX_CONCURRENCY", "2");
const PATIENCE: Duration = Duration::from_secs(30);

/// How a process ended.
struct Ended {
    code: Option<i32>,
    stderr: String,
}

/// A function's process that is killed when the test ends.
struct Process(Child);

impl Process {
    /// With these variables and no others.
    fn start(program: &str, variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new(program);
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
            assert!(begun.elapsed() < PATIENCE, "the process does not end");
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
fn what_it_cannot_say_does_not_end_it() {
    for (program, failing, good) in [
        (env!("CARGO_BIN_EXE_failures-tokio"), r#"{"do":"error"}"#, "1"),
        (env!("CARGO_BIN_EXE_failures-smol"), r#"{"do":"error"}"#, "1"),
        (env!("CARGO_BIN_EXE_logging-tokio"), "{}", r#"{"name":"x"}"#),
        (env!("CARGO_BIN_EXE_logging-smol"), "{}", r#"{"name":"x"}"#),
    ] {
        let emulator = Emulator::start().unwrap();
        let full = || std::fs::File::options().write(true).open("/dev/full").unwrap();
        let mut command = Command::new(program);
        command.env_clear().env(API, emulator.endpoint()).stdout(full()).stderr(full());
        // Invalid, and it cannot be reported.
        command.env("RUST_LOG", "info,no=such=level,[{=");
        let _function = Process(command.spawn().unwrap());
        assert!(emulator.invoke(failing).unwrap().error().is_some());
        assert!(emulator.invoke(good).unwrap().is_complete());
    }
}

#[test]
fn without_the_address_of_the_api_it_says_once_which_variable_is_missing() {
    for program in [env!("CARGO_BIN_EXE_hello-tokio"), env!("CARGO_BIN_EXE_hello-smol")] {
        let Ended { code, stderr } = Process::start(program, &[]).end();
        assert_eq!(code, Some(1), "{stderr}");
        assert!(stderr.contains("AWS_LAMBDA_RUNTIME_API is not set"), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    }
}

#[test]
fn an_address_that_is_none_is_shown() {
    for program in [env!("CARGO_BIN_EXE_hello-tokio"), env!("CARGO_BIN_EXE_hello-smol")] {
        for address in ["https://127.0.0.1:9001", "127.0.0.1:port", ""] {
            let Ended { code, stderr } = Process::start(program, &[(API, address)]).end();
            assert_eq!(code, Some(1), "{stderr}");
            assert!(stderr.contains(API) && stderr.contains(address), "{stderr}");
        }
    }
}

#[test]
fn the_address_of_the_api_is_all_that_it_needs() {
    for program in [env!("CARGO_BIN_EXE_hello-tokio"), env!("CARGO_BIN_EXE_hello-smol")] {
        let emulator = Emulator::start().unwrap();
        let _function = Process::start(program, &[(API, emulator.endpoint())]);
        assert_eq!(emulator.invoke(r#"{"name":"World"}"#).unwrap().text(), r#"{"message":"Hello, World!"}"#);
    }
}

#[test]
fn a_concurrency_that_is_no_number_is_reported_as_a_failed_start() {
    for program in [env!("CARGO_BIN_EXE_concurrency-tokio"), env!("CARGO_BIN_EXE_concurrency-smol")] {
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
    for program in [env!("CARGO_BIN_EXE_init-tokio"), env!("CARGO_BIN_EXE_init-smol")] {
        for (times, error_type, message) in [
            ("x", "Function.ParseIntError", "invalid digit found in string"),
            ("100", "Function.Panic", "100 is more often than anybody reads"),
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
fn a_worker_that_fails_starts_again_while_the_others_serve() {
    for program in [env!("CARGO_BIN_EXE_concurrency-tokio"), env!("CARGO_BIN_EXE_concurrency-smol")] {
        let broken: Fault = "next 2: reply 500 {}".parse().unwrap();
        let emulator = Emulator::builder().concurrency(3).faults([broken]).start().unwrap();
        let variables = [(API, emulator.endpoint()), ("AWS_LAMBDA_MAX_CONCURRENCY", "3")];
        let function = Process::start(program, &variables);
        assert_eq!(emulator.invoke(r#"{"n":0}"#).unwrap().json().unwrap()["event"]["n"], 0);
        assert!(emulator.wait_until(PATIENCE, |observed| observed.waiting == 3), "{:?}", emulator.observed());
        // One that holds its worker up for longer than the test lasts keeps no other from being answered.
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
fn one_worker_ends_as_a_function_of_one_worker_does() {
    for program in [env!("CARGO_BIN_EXE_concurrency-tokio"), env!("CARGO_BIN_EXE_concurrency-smol")] {
        let broken: Fault = r#"next: reply 500 {"errorType":"Broken","errorMessage":"beyond repair"}"#.parse().unwrap();
        let emulator = Emulator::builder().faults([broken]).start().unwrap();
        let Ended { code, stderr } = Process::start(program, &[(API, emulator.endpoint())]).end();
        assert_eq!(code, Some(1), "{stderr}");
        assert!(stderr.contains("500 Broken: beyond repair") && !stderr.contains("worker"), "{stderr}");
        assert_eq!(emulator.observed().requests(Endpoint::Next), 1);
    }
}

#[test]
fn a_restore_that_is_refused_ends_it_as_a_failed_start() {
    let refused: Fault = r#"restore-next: reply 500 {"errorType":"Broken","errorMessage":"no copy"}"#.parse().unwrap();
    for program in [env!("CARGO_BIN_EXE_snapstart-tokio"), env!("CARGO_BIN_EXE_snapstart-smol")] {
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
fn when_no_worker_can_go_on_the_error_says_what_happened_to_each() {
    let broken: Fault = r#"next: reply 500 {"errorType":"Broken","errorMessage":"beyond repair"}"#.parse().unwrap();
    let functions = [env!("CARGO_BIN_EXE_concurrency-tokio"), env!("CARGO_BIN_EXE_concurrency-smol")].map(|program| {
        let emulator = Emulator::builder().concurrency(2).faults([broken.clone()]).start().unwrap();
        let function = Process::start(program, &[(API, emulator.endpoint()), WORKERS]);
        (emulator, function)
    });
    for (emulator, function) in functions {
        let Ended { code, stderr } = function.end();
        assert_eq!(code, Some(1), "{stderr}");
        let error = stderr.lines().last().unwrap_or_default();
        assert!(error.contains("none of the 2 workers can go on; worker 0: "), "{stderr}");
        assert_eq!(error.matches("500 Broken: beyond repair").count(), 2, "{stderr}");
        // Five times each, and not as often as there is time for.
        assert_eq!(emulator.observed().requests(Endpoint::Next), 10);
    }
}

#[test]
fn what_the_api_refuses_is_in_the_log_in_its_words_and_with_the_request_id() {
    let large = r#"{"errorType":"TooLarge","errorMessage":"over the limit"}"#;
    for (program, event) in [
        (env!("CARGO_BIN_EXE_failures-tokio"), "1"),
        (env!("CARGO_BIN_EXE_failures-smol"), "1"),
        (env!("CARGO_BIN_EXE_failures-tokio"), r#"{"do":"error"}"#),
        (env!("CARGO_BIN_EXE_failures-smol"), r#"{"do":"error"}"#),
        (env!("CARGO_BIN_EXE_streaming-tokio"), "{}"),
        (env!("CARGO_BIN_EXE_streaming-smol"), "{}"),
    ] {
        let refuse = |what| format!("{what}: reply 413 {large}");
        // A stream is refused amid its words.
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
fn the_hook_runs_at_sigterm_and_at_ctrl_c() {
    for program in [env!("CARGO_BIN_EXE_shutdown-tokio"), env!("CARGO_BIN_EXE_shutdown-smol")] {
        for (signal, name) in [("-TERM", "SIGTERM"), ("-INT", "SIGINT")] {
            let emulator = Emulator::start().unwrap();
            let function = Process::start(program, &[(API, emulator.endpoint())]);
            assert_eq!(emulator.invoke("1").unwrap().text(), "1");
            let extensions = emulator.observed().extensions;
            assert!(matches!(&extensions[..], [extension] if extension.events.is_empty()), "{extensions:?}");
            function.signal(signal);
            let Ended { code, stderr } = function.end();
            assert_eq!(code, Some(0), "{stderr}");
            assert!(stderr.contains(name) && stderr.contains("flushed what was still to be written"), "{stderr}");
        }
    }
}

#[test]
#[cfg(unix)]
fn without_a_place_for_its_extension_it_says_that_no_hook_will_run_and_serves_until_a_signal() {
    for program in [env!("CARGO_BIN_EXE_shutdown-tokio"), env!("CARGO_BIN_EXE_shutdown-smol")] {
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
