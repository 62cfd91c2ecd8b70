//! The contract of handlers, as far as expectations need it: `CONTRACT.md`.

use serde_json::Value;

use crate::RecordedRequest;

/// The texts in errors that handlers of every language produce. All others are the runtime's.
const TEXTS: [&str; 5] =
    ["OutOfStock", "no apples left", "asked to panic", "asked to panic midway", "the source ran dry"];

/// Tolerance of a deadline that was computed from the remaining time, in milliseconds.
const TOLERANCE: u64 = 5000;

/// Fails with the finding unless an expectation is met.
pub(crate) fn require(met: bool, found: impl FnOnce() -> String) -> Result<(), String> {
    if met { Ok(()) } else { Err(found()) }
}

/// Whether a member of the context is as expected. A deadline may have been computed from the remaining time.
pub(crate) fn same_member(name: &str, found: &Value, expected: &Value) -> bool {
    match (name, found.as_f64(), expected.as_u64()) {
        ("deadline", Some(found), Some(expected)) => (found - expected as f64).abs() <= TOLERANCE as f64,
        // A runtime may have no member for what is absent, or an empty one.
        _ if expected.is_null() => found.is_null() || found == "",
        _ => found == expected,
    }
}

/// Checks an error: it has a type and a message, and contains the texts that the contract names.
pub(crate) fn check_error(found: &Value, error_type: &str, message: &str) -> Result<(), String> {
    let is = |name: &str, expected: &str| {
        found[name].as_str().is_some_and(|found| !TEXTS.contains(&expected) || found.contains(expected))
    };
    require(is("errorType", error_type) && is("errorMessage", message), || found.to_string())
}

/// The payload of a streamed response, without its prelude if it has one.
pub(crate) fn payload_of(request: &RecordedRequest) -> Result<&[u8], String> {
    const WITH_PRELUDE: &str = "application/vnd.awslambda.http-integration-response";
    if request.header("content-type") != Some(WITH_PRELUDE) {
        return Ok(&request.body);
    }
    let delimiter =
        request.body.windows(8).position(|window| window == [0; 8]).ok_or("no delimiter after the prelude")?;
    let (prelude, rest) = request.body.split_at(delimiter);
    let is_object = serde_json::from_slice::<Value>(prelude).is_ok_and(|prelude| prelude.is_object());
    require(is_object, || format!("the prelude \"{}\"", prelude.escape_ascii()))?;
    Ok(&rest[8..])
}
