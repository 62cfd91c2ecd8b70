//! The cause of an error as X-Ray shows it: the header `Lambda-Runtime-Function-XRay-Error-Cause`.
//!
//! AWS's own runtimes send it with every error; X-Ray lists it among the exceptions of the function's segment. The schema is
//! that of [`cause`](https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html#api-segmentdocuments-errors).

use std::env;
use std::fmt::Write as _;

use http::HeaderValue;
use serde::Serialize;

/// The API uses at most this many bytes.
const MAX_CAUSE: usize = 64 * 1024;

/// The longest message. Escaped, each byte of it becomes at most six.
pub(super) const MAX_MESSAGE: usize = 8 * 1024;

/// The longest working directory that is sent.
const MAX_DIRECTORY: usize = 1024;

#[derive(Serialize)]
struct Cause<'a> {
    working_directory: &'a str,
    exceptions: [Exception<'a>; 1],
    /// The files of the stack.
    paths: Vec<&'a str>,
}

#[derive(Serialize)]
struct Exception<'a> {
    #[serde(rename = "type")]
    error_type: &'a str,
    message: &'a str,
    stack: &'a [Frame<'a>],
}

#[derive(Serialize)]
struct Frame<'a> {
    path: &'a str,
    line: u32,
    label: &'a str,
}

/// The header's value for an error with this type and message, and for a panic with its location and the lines of its
/// backtrace. Frames that exceed the limit are left out, the outer ones first.
pub(super) fn cause(
    (error_type, message): (&str, &str),
    location: Option<&str>,
    backtrace: &[String],
) -> Option<HeaderValue> {
    let directory = env::current_dir().unwrap_or_default();
    let directory = directory.to_str().filter(|directory| directory.len() <= MAX_DIRECTORY).unwrap_or_default();
    let mut frames = frames(location, backtrace);
    loop {
        let mut paths: Vec<_> = frames.iter().map(|frame| frame.path).filter(|path| !path.is_empty()).collect();
        paths.sort_unstable();
        paths.dedup();
        let exceptions = [Exception { error_type, message, stack: &frames }];
        let cause = Cause { working_directory: directory, exceptions, paths };
        let json = ascii(&serde_json::to_string(&cause).ok()?);
        if json.len() <= MAX_CAUSE {
            return HeaderValue::try_from(json).ok();
        }
        if frames.is_empty() {
            return None;
        }
        frames.truncate(frames.len() / 2);
    }
}

/// JSON with characters outside ASCII escaped: a header should not contain them.
fn ascii(json: &str) -> String {
    let mut ascii = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            // Allowed in a JSON string, but not in a header.
            '\u{20}'..='\u{7e}' => ascii.push(c),
            c => c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| _ = write!(ascii, "\\u{unit:04x}")),
        }
    }
    ascii
}

/// The frames of a panic's backtrace, innermost first; without a backtrace, the place of the panic alone.
fn frames<'f>(location: Option<&'f str>, backtrace: &'f [String]) -> Vec<Frame<'f>> {
    let mut frames: Vec<Frame<'f>> = Vec::new();
    for line in backtrace {
        match (line.strip_prefix("at "), frames.last_mut()) {
            (Some(location), Some(frame)) => (frame.path, frame.line) = place(location),
            _ => {
                let label = line.split_once(": ").map_or(&**line, |(_, label)| label);
                frames.push(Frame { path: "", line: 0, label });
            }
        }
    }
    if let (true, Some(location)) = (frames.is_empty(), location) {
        let (path, line) = place(location);
        frames.push(Frame { path, line, label: "panic" });
    }
    frames
}

/// The parts of `path:line:column`.
fn place(location: &str) -> (&str, u32) {
    let mut parts = location.rsplitn(3, ':');
    match (parts.next(), parts.next().and_then(|line| line.parse().ok()), parts.next()) {
        (Some(_), Some(line), Some(path)) => (path, line),
        _ => (location, 0),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn json_of(message: &str, location: Option<&str>, backtrace: &[&str]) -> Value {
        let backtrace: Vec<_> = backtrace.iter().map(ToString::to_string).collect();
        let cause = cause(("OutOfStock", message), location, &backtrace).unwrap();
        serde_json::from_slice(cause.as_bytes()).unwrap()
    }

    #[test]
    fn it_has_the_schema_of_xray() {
        let stack = ["0: handler::{{closure}}", "at ./src/main.rs:7:9", "1: std::rt::lang_start", "2: _start"];
        let directory = env::current_dir().unwrap();
        let expected = json!({
            "working_directory": directory,
            "exceptions": [{
                "type": "OutOfStock",
                "message": "no \u{e4}pfel \u{1f34e}\n",
                "stack": [
                    { "path": "./src/main.rs", "line": 7, "label": "handler::{{closure}}" },
                    { "path": "", "line": 0, "label": "std::rt::lang_start" },
                    { "path": "", "line": 0, "label": "_start" },
                ],
            }],
            "paths": ["./src/main.rs"],
        });
        assert_eq!(json_of("no \u{e4}pfel \u{1f34e}\n", Some("src/main.rs:7:9"), &stack), expected);
    }

    #[test]
    fn a_panic_without_a_backtrace_has_its_location() {
        let cause = json_of("m", Some("src/main.rs:7:9"), &[]);
        let expected = json!([{ "path": "src/main.rs", "line": 7, "label": "panic" }]);
        assert_eq!((&cause["exceptions"][0]["stack"], &cause["paths"]), (&expected, &json!(["src/main.rs"])));
        let error = json_of("m", None, &[]);
        assert_eq!((&error["exceptions"][0]["stack"], &error["paths"]), (&json!([]), &json!([])));
    }

    #[test]
    fn it_never_exceeds_the_limit_and_is_a_header() {
        for character in ["x", "\u{1}", "\"", "\u{7f}", "\u{e4}", "\u{1f34e}"] {
            for (frames, label) in [(0, 0), (1000, 100), (2, 100_000)] {
                let message = character.repeat(MAX_MESSAGE / character.len());
                let backtrace = vec![format!("1: {}", character.repeat(label)); frames];
                let cause = cause(("", &message), None, &backtrace).unwrap();
                assert!(cause.len() <= MAX_CAUSE && cause.to_str().is_ok(), "{} bytes", cause.len());
                assert!(serde_json::from_slice::<Value>(cause.as_bytes()).is_ok());
            }
        }
    }
}
