//! The command line of the tool.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn tool(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lambda-conformance"))
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("handlers"))
        .args(arguments)
        .output()
        .unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

const BASELINE: [&str; 3] = ["--", "python3", "baseline/bootstrap.py"];

#[test]
fn a_scenario_that_passes_is_one_line_and_the_exit_code_is_0() {
    let output = tool(&[&["--only", "panics-in-a-row"], &BASELINE[..]].concat());
    assert_eq!(
        stdout(&output),
        "passed  must    panics-in-a-row: a function survives ten panics or exceptions\n\
         must 1 of 1, should 0 of 0, may 0 of 0; 0 not applicable\n"
    );
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_scenario_that_fails_shows_the_expectation_and_the_bytes_and_the_exit_code_is_1() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (json, markdown) = (folder.join("results.json"), folder.join("results.md"));
    let (json, markdown) = (json.to_str().unwrap(), markdown.to_str().unwrap());
    let options = ["--only", "invocation-id-of-error", "--json", json, "--markdown", markdown];
    let output = tool(&[&options[..], &BASELINE].concat());
    let text = stdout(&output);
    for shown in [
        "FAILED  should  invocation-id-of-error: ",
        "expected: the header lambda-runtime-invocation-id",
        "found: None",
        "API: \"HTTP/1.1 200 OK\\r\\n",
        "function: \"POST /2018-06-01/runtime/invocation/a/error HTTP/1.1\\r\\n",
        "passed  must    no-invocation-id-of-error: ",
        "must 1 of 1, should 0 of 1",
    ] {
        assert!(text.contains(shown), "{shown:?} is not in: {text}");
    }
    assert_eq!(output.status.code(), Some(1));

    let results: Value = serde_json::from_str(&fs::read_to_string(json).unwrap()).unwrap();
    assert_eq!(results["should"], serde_json::json!({"passed": 0, "applicable": 1}));
    assert_eq!(results["scenarios"][0]["id"], "invocation-id-of-error");
    assert_eq!(results["scenarios"][0]["result"], "failed");
    assert!(results["scenarios"][0]["reason"].as_str().unwrap().starts_with("expected: the header"));
    let markdown = fs::read_to_string(markdown).unwrap();
    assert!(markdown.contains("| *must* | 1 | 1 |\n"), "{markdown}");
    assert!(markdown.contains("| `invocation-id-of-error` | should |"), "{markdown}");
}

#[test]
fn a_feature_that_the_runtime_lacks_is_not_applicable() {
    let output = tool(&[&["--only", "empty-stream", "--without", "streaming,snapstart"], &BASELINE[..]].concat());
    assert!(stdout(&output).contains("empty-stream: not applicable without streaming\n"), "{}", stdout(&output));
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn the_list_names_level_and_source_and_help_fits_on_a_screen() {
    let list = stdout(&tool(&["--list", "--only", "500-to-next"]));
    assert!(list.starts_with("must    500-to-next: 500 to "), "{list}");
    assert!(list.contains("(https://docs.aws.amazon.com/lambda/"), "{list}");
    let help = stdout(&tool(&["--help"]));
    assert!(help.lines().count() <= 30 && help.lines().all(|line| line.len() <= 120), "{help}");
}

#[test]
fn mistakes_on_the_command_line_have_exit_code_2_and_a_message() {
    for (arguments, message) in [
        (&["--only", "echo"][..], "expected -- and the command of a runtime"),
        (&["--only", "no-such-scenario", "--", "true"], "--only no-such-scenario: no scenario has this in its id"),
        (&["--without", "speed", "--", "true"], "--without \"speed\": expected some of streaming"),
        (&["--jobs", "0", "--", "true"], "--jobs 0: expected a number from 1 to 256"),
        (&["--", "no/such/command"], "starting no/such/command: "),
    ] {
        let output = tool(arguments);
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.contains(message), "{message:?} is not in: {error}");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    }
}
