//! Statuses of the API.

use lambda_runtime_proto::Endpoint::{self, Error, Next, Response};

use super::sources::{NEXT, PROTOCOL, RESPONSE, RIE_MANAGED_REFUSALS, RIE_REFUSALS, rfc9110};
use crate::messages::{event, reply};
use crate::{Expectation, Level, Scenario, Source, Steps};

pub(super) fn add(all: &mut Vec<Scenario>) {
    refused(all);
    fatal(all);
    messages(all);
    no_event(all);
    all.extend(["", "a/../b", "..", "a b", "a?b", "a%2fb"].into_iter().enumerate().map(|(number, id)| {
        let title = format!("a request id that is not safe in a path is never sent: {id:?}");
        Scenario::may(format!("unsafe-request-id-{}", number + 1), title, PROTOCOL)
            .connection(Steps::new().read(Next).send(event(id, "1")))
            .expect(Expectation::OnlyInvocations(vec!["last".to_owned()]))
    }));
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
        let refused = |what: &str, title: String| {
            let scenario = match level {
                Level::Must => Scenario::must,
                Level::Should => Scenario::should,
                Level::May => Scenario::may,
            };
            scenario(format!("{what}-refused-{slug}"), title, source)
        };
        all.extend([
            refused("response", format!("a response refused with {status} {error_type} is not followed by an error"))
                .connection(Steps::new().event("1").read(Response).refuse(status, error_type))
                .expect_response("a", "1"),
            refused("error", format!("an error may be refused with {status} {error_type}"))
                .connection(Steps::new().event(r#"{"do":"error"}"#).read(Error).refuse(status, error_type))
                .expect_error("a", "Function.OutOfStock", "OutOfStock", ""),
        ]);
    }
}

/// Statuses after which the function must not continue.
fn fatal(all: &mut Vec<Scenario>) {
    let fatal = |endpoint: Endpoint, payload: Option<&str>, status: u16, error_type: &str, scenario: Scenario| {
        let steps = payload.map_or_else(Steps::new, |payload| Steps::new().event(payload));
        let text = format!("{status} {error_type}: message of");
        scenario.connection(steps.read(endpoint).refuse(status, error_type)).ends_with([&text])
    };
    let internal = "InternalServerError";
    let title = |status: u16, endpoint: Endpoint| format!("{status} to {endpoint} ends the function");
    all.extend([
        fatal(Response, Some("1"), 500, internal, Scenario::must("500-to-response", title(500, Response), RESPONSE)),
        fatal(
            Error,
            Some(r#"{"do":"error"}"#),
            500,
            internal,
            Scenario::must("500-to-error", title(500, Error), RESPONSE),
        ),
        fatal(Next, None, 500, internal, Scenario::must("500-to-next", title(500, Next), NEXT)),
        fatal(Next, None, 403, "InvalidStateTransition", Scenario::must("403-to-next", title(403, Next), RIE_REFUSALS)),
        fatal(Next, None, 404, "NotFound", Scenario::should("404-to-next", title(404, Next), rfc9110("15.5.5"))),
    ]);
}

/// How the body of a refusal appears in the function's own error.
fn messages(all: &mut Vec<Scenario>) {
    let refused = |body: &str| Steps::new().read(Next).send(reply(500, body));
    let source: Source = PROTOCOL;
    let long = format!(r#"{{"errorMessage":"{}","errorType":"Long"}}"#, "x".repeat(60_000));
    all.extend([
        Scenario::may("refusal-not-json", "a refusal that is not JSON is reported as it is", source)
            .connection(refused("<html>oops</html>"))
            .ends_with(["500 <html>oops</html>"]),
        Scenario::may("refusal-of-many-lines", "a refusal of several lines is reported on one", source)
            .connection(refused("<html>\n\u{1b}[31moops\r\n</html>\n"))
            .ends_with(["500 <html>\\n\\u{1b}[31moops\\r\\n</html>"]),
        Scenario::may("refusal-too-long", "a refusal that is too long is truncated", source)
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
