//! Statuses of the API.

use lambda_runtime_proto::Endpoint::{Error, Next, Response};

use super::sources::{ERROR, NEXT, PROTOCOL, RESPONSE, RIE_MANAGED_REFUSALS, RIE_REFUSALS, rfc9110};
use crate::messages::{event, reply};
use crate::{Expectation, Feature, Level, Scenario, Steps};

pub(super) fn add(all: &mut Vec<Scenario>) {
    refused(all);
    every_status(all);
    fatal(all);
    exit_codes(all);
    messages(all);
    no_event(all);
    for (slug, id) in
        [("empty", ""), ("path", "a/../b"), ("dots", ".."), ("space", "a b"), ("query", "a?b"), ("escape", "a%2fb")]
    {
        let title = format!("a request id that is not safe in a path is never sent: {id:?}");
        all.push(
            Scenario::may(format!("unsafe-request-id-{slug}"), title, PROTOCOL)
                .connection(Steps::new().read(Next).send(event(id, "1")))
                .expect(Expectation::OnlyInvocations(vec!["last".to_owned()])),
        );
    }
}

/// Refusals after which the function serves the next event.
fn refused(all: &mut Vec<Scenario>) {
    for (status, error_type, level, source) in [
        (400, "InvalidRequestID", Level::Must, RIE_REFUSALS),
        (400, "InvalidFunctionResponseMode", Level::Must, RIE_REFUSALS),
        (400, "TruncatedHTTPRequest", Level::Must, RIE_REFUSALS),
        (403, "InvalidStateTransition", Level::Must, RIE_REFUSALS),
        (410, "InvokeTimeout", Level::Must, RIE_MANAGED_REFUSALS),
        (413, "RequestEntityTooLarge", Level::Must, RIE_REFUSALS),
        (404, "NotFound", Level::Should, rfc9110("15.5.5")),
    ] {
        let slug = format!("{status}-{}", error_type.to_ascii_lowercase());
        let refused = |what: &str, title: String| Scenario::new(level, format!("{what}-refused-{slug}"), title, source);
        all.extend([
            refused("response", format!("a response refused with {status} {error_type} is not followed by an error"))
                .connection(Steps::new().event("1").read(Response).refuse(status, error_type))
                .expect_response("a", "1"),
            refused("error", format!("an error may be refused with {status} {error_type}"))
                .connection(Steps::new().event(r#"{"do":"error"}"#).read(Error).refuse(status, error_type))
                .expect_error("a", "Function.OutOfStock", "OutOfStock", "no apples left"),
        ]);
    }
}

/// Statuses that Lambda does not send.
fn every_status(all: &mut Vec<Scenario>) {
    let error = r#"{"do":"error"}"#;
    for status in [200, 201, 204] {
        let acknowledgement = match status {
            204 => b"HTTP/1.1 204 No Content\r\n\r\n".to_vec(),
            _ => reply(status, "{}"),
        };
        let title = |what| format!("{status} acknowledges {what}");
        let level = if status == 200 { Level::Should } else { Level::May };
        all.extend([
            Scenario::new(level, format!("{status}-to-response"), title("a response"), rfc9110("15.3"))
                .connection(Steps::new().event("[1]").read(Response).send(acknowledgement.clone()))
                .expect_response("a", "[1]"),
            Scenario::new(level, format!("{status}-to-error"), title("an error"), rfc9110("15.3"))
                .connection(Steps::new().event(error).read(Error).send(acknowledgement))
                .expect_error("a", "Function.OutOfStock", "OutOfStock", "no apples left"),
        ]);
    }
    for status in [301, 307, 401, 409, 429] {
        let title = |what| format!("after {what} refused with {status}, the next event is served");
        all.extend([
            Scenario::may(format!("response-refused-{status}"), title("a response"), rfc9110("15"))
                .connection(Steps::new().event("1").read(Response).refuse(status, "Refused"))
                .expect_response("a", "1"),
            Scenario::may(format!("error-refused-{status}"), title("an error"), rfc9110("15"))
                .connection(Steps::new().event(error).read(Error).refuse(status, "Refused"))
                .expect_error("a", "Function.OutOfStock", "OutOfStock", "no apples left"),
        ]);
    }
}

/// Statuses after which the function must not continue.
fn fatal(all: &mut Vec<Scenario>) {
    let error = r#"{"do":"error"}"#;
    for (id, level, source, before, endpoint, status, error_type) in [
        ("500-to-response", Level::Must, RESPONSE, Steps::new().event("1"), Response, 500, "InternalServerError"),
        ("500-to-error", Level::Must, ERROR, Steps::new().event(error), Error, 500, "InternalServerError"),
        ("500-to-next", Level::Must, NEXT, Steps::new(), Next, 500, "InternalServerError"),
        ("403-to-next", Level::Must, RIE_REFUSALS, Steps::new(), Next, 403, "InvalidStateTransition"),
        ("400-to-next", Level::May, rfc9110("15.5.1"), Steps::new(), Next, 400, "BadRequest"),
        ("410-to-next", Level::May, rfc9110("15.5.11"), Steps::new(), Next, 410, "Gone"),
        ("413-to-next", Level::May, rfc9110("15.5.14"), Steps::new(), Next, 413, "TooLarge"),
        ("502-to-next", Level::May, rfc9110("15.6.3"), Steps::new(), Next, 502, "BadGateway"),
        ("503-to-next", Level::May, rfc9110("15.6.4"), Steps::new(), Next, 503, "ServiceUnavailable"),
        ("301-to-next", Level::May, rfc9110("15.4.2"), Steps::new(), Next, 301, "Moved"),
        ("502-to-response", Level::May, rfc9110("15.6.3"), Steps::new().event("1"), Response, 502, "BadGateway"),
        ("503-to-response", Level::May, rfc9110("15.6.4"), Steps::new().event("1"), Response, 503, "Unavailable"),
        ("502-to-error", Level::May, rfc9110("15.6.3"), Steps::new().event(error), Error, 502, "BadGateway"),
        ("404-to-next", Level::Should, rfc9110("15.5.5"), Steps::new(), Next, 404, "NotFound"),
    ] {
        all.push(
            Scenario::new(level, id, format!("{status} to {endpoint} ends the function"), source)
                .connection(before.read(endpoint).refuse(status, error_type))
                .ends_with([&format!("{status} {error_type}: message of")]),
        );
    }
}

/// How the process ends after a status that it must not survive. Lambda reports an error in any case.
fn exit_codes(all: &mut Vec<Scenario>) {
    for (id, before, endpoint) in [
        ("next", Steps::new(), Next),
        ("response", Steps::new().event("1"), Response),
        ("error", Steps::new().event(r#"{"do":"error"}"#), Error),
    ] {
        let title = format!("after 500 to {endpoint} the exit code is not 0");
        all.push(
            Scenario::may(format!("exit-code-of-500-to-{id}"), title, RIE_REFUSALS)
                .connection(before.read(endpoint).refuse(500, "InternalServerError"))
                .ends()
                .expect(Expectation::EndsWithError),
        );
    }
}

/// How the body of a refusal appears in the function's own error.
fn messages(all: &mut Vec<Scenario>) {
    let refused = |body: &str| Steps::new().read(Next).send(reply(500, body));
    let long = format!(r#"{{"errorMessage":"{}","errorType":"Long"}}"#, "x".repeat(60_000));
    all.extend([
        Scenario::may("refusal-not-json", "a refusal that is not JSON is reported as it is", PROTOCOL)
            .requires(Feature::Rust)
            .connection(refused("<html>oops</html>"))
            .ends_with(["500 <html>oops</html>"]),
        Scenario::may("refusal-of-many-lines", "a refusal of several lines is reported on one", PROTOCOL)
            .requires(Feature::Rust)
            .connection(refused("<html>\n\u{1b}[31moops\r\n</html>\n"))
            .ends_with(["500 <html>\\n\\u{1b}[31moops\\r\\n</html>"]),
        Scenario::may("refusal-too-long", "a refusal that is too long is truncated", PROTOCOL)
            .requires(Feature::Rust)
            .connection(refused(&long))
            .ends_with(["500 Long: xxx"])
            .expect(Expectation::EndIsShorterThan(10_000)),
    ]);
}

/// Replies to /next without an event.
fn no_event(all: &mut Vec<Scenario>) {
    all.extend(
        [
            ("204-to-next", "after 204 to /next, the request is repeated", b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()),
            ("200-without-id", "after 200 without a request id, the request is repeated", reply(200, "{}")),
            ("202-without-id", "after 202 without a request id, the request is repeated", reply(202, "{}")),
        ]
        .map(|(id, title, bytes)| {
            Scenario::should(id, title, PROTOCOL).connection(Steps::new().read(Next).send(bytes))
        }),
    );
}
