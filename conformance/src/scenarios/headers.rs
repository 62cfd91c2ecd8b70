//! Headers of an event.

use lambda_runtime_proto::Endpoint::{self, Error, Next, Response};
use serde_json::json;

use super::sources::{NEXT, PARITY, PROTOCOL, RIE_EVENT, RIE_MANAGED_REFUSALS, rfc9110};
use crate::messages::{CLIENT_CONTEXT, USUAL_HEADERS, event_with};
use crate::{Feature, HeaderValue, Level, Scenario, Steps};

pub(super) fn add(all: &mut Vec<Scenario>) {
    present(all);
    odd(all);
    malformed_json(all);
    invocation_id(all);
    each(all);
}

/// Each header absent, empty and malformed, while the others are as usual.
fn each(all: &mut Vec<Scenario>) {
    for (slug, name, usual, malformed) in [
        ("deadline", "Lambda-Runtime-Deadline-Ms", "4102444800000", "soon"),
        ("arn", "Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:f", "\u{fc}\u{20ac}"),
        ("trace-id", "Lambda-Runtime-Trace-Id", "Root=1-2;Sampled=1", "====;;;;"),
        ("client-context", "Lambda-Runtime-Client-Context", CLIENT_CONTEXT, "{no json"),
        (
            "identity",
            "Lambda-Runtime-Cognito-Identity",
            r#"{"cognitoIdentityId":"i","cognitoIdentityPoolId":"p"}"#,
            "[1",
        ),
        ("content-type", "Content-Type", "application/json", "/;/"),
        ("tenant", "Lambda-Runtime-Aws-Tenant-Id", "blue", "\u{fc}\u{20ac}"),
    ] {
        // Lambda sends these with every event.
        let absent = if matches!(slug, "deadline" | "arn" | "content-type") { Level::Should } else { Level::Must };
        let event = |value: Option<&str>| {
            let usual = USUAL_HEADERS.split_inclusive("\r\n").filter(|line| !line.starts_with(name));
            let mut head: String = usual.collect();
            if let Some(value) = value {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
            format!("HTTP/1.1 200 OK\r\n{head}Content-Length: 3\r\n\r\n[1]").into_bytes()
        };
        let scenario = |level, kind: &str| {
            let title = format!("an event is served whose header {name} is {kind}");
            Scenario::new(level, format!("header-{slug}-{kind}"), title, RIE_EVENT)
        };
        all.extend([
            scenario(Level::Must, "usual").connection(served(event(Some(usual)), Response)).expect_response("a", "[1]"),
            scenario(absent, "absent").connection(served(event(None), Response)).expect_response("a", "[1]"),
            scenario(Level::Should, "empty").connection(served(event(Some("")), Response)).expect_response("a", "[1]"),
            Scenario::may(
                format!("header-{slug}-malformed"),
                format!("an event whose header {name} is malformed is served or reported, and the next one served"),
                rfc9110("5.5"),
            )
            .connection(Steps::new().read(Next).send(event(Some(malformed))).read_outcome().accept())
            .expect_attempts("a", 1),
        ]);
    }
}

fn served(event: Vec<u8>, endpoint: Endpoint) -> Steps {
    Steps::new().read(Next).send(event).read(endpoint).accept()
}

fn present(all: &mut Vec<Scenario>) {
    let every_header = format!(
        "Lambda-Runtime-Trace-Id: Root=1-2;Sampled=1\r\nLambda-Runtime-Aws-Tenant-Id: blue\r\n\
         Lambda-Runtime-Cognito-Identity: {{\"cognitoIdentityId\":\"i\",\"cognitoIdentityPoolId\":\"p\"}}\r\n\
         Lambda-Runtime-Client-Context: {CLIENT_CONTEXT}\r\n"
    );
    let every_member = json!({
        "request_id": "a",
        "deadline": 4_102_444_800_000_u64,
        "invoked_function_arn": "arn:aws:lambda:f",
        "xray_trace_id": "Root=1-2;Sampled=1",
        "tenant_id": "blue",
        "identity": {"identityId": "i", "identityPoolId": "p"},
    });
    let empty = "Lambda-Runtime-Trace-Id:\r\nLambda-Runtime-Aws-Tenant-Id: \r\nLambda-Runtime-Cognito-Identity:\r\n\
        Lambda-Runtime-Client-Context:\r\n";
    let absent = json!({"xray_trace_id": null, "tenant_id": null, "identity": null, "client_context": null});
    all.extend(
        [
            (
                Scenario::must("every-header", "every header reaches the context", NEXT),
                every_header.as_str(),
                every_member,
            ),
            (Scenario::should("empty-headers", "empty headers count as absent", RIE_EVENT), empty, absent.clone()),
            (Scenario::must("absent-headers", "headers may be absent", RIE_EVENT), "", absent),
            (
                Scenario::must("empty-client-context", "a client context may be an empty object", NEXT),
                "Lambda-Runtime-Client-Context: {}\r\n",
                json!({"tenant_id": null}),
            ),
            (
                Scenario::must("client-context-json", "a client context may contain any JSON", NEXT),
                "Lambda-Runtime-Client-Context: {\"custom\":{\"n\":1,\"list\":[true,null]}}\r\n",
                json!({"request_id": "a"}),
            ),
            (
                Scenario::must("unknown-headers", "unknown headers are ignored", rfc9110("5.1")),
                "Lambda-Runtime-Something-New: x\r\nX: y\r\n",
                json!({"request_id": "a"}),
            ),
        ]
        .map(|(scenario, headers, members)| {
            scenario
                .connection(served(event_with("a", headers, r#"{"do":"context"}"#), Response))
                .expect_members("a", members)
        }),
    );
}

/// Events without the usual headers, or with unusual ones: the behaviour of this project.
fn odd(all: &mut Vec<Scenario>) {
    let event = |headers: &[u8]| {
        let head = b"HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: a\r\nContent-Length: 16\r\n";
        [head, headers, b"\r\n{\"do\":\"context\"}"].concat()
    };
    let deadline = |value: &str| format!("Lambda-Runtime-Deadline-Ms:{value}\r\n").into_bytes();
    let arn = |value: &[u8]| [b"Lambda-Runtime-Invoked-Function-Arn: ", value, b"\r\n"].concat();
    all.extend(
        [
            (Scenario::must("no-deadline", "a deadline may be absent", RIE_EVENT), Vec::new(), 0, ""),
            (Scenario::should("empty-deadline", "a deadline may be empty", RIE_EVENT), deadline(""), 0, ""),
            (Scenario::may("malformed-deadline", "a deadline may not be a number", PARITY), deadline(" soon"), 0, ""),
            (
                Scenario::may("large-deadline", "a deadline may exceed 64 bits", PARITY),
                deadline(" 99999999999999999999"),
                0,
                "",
            ),
            (
                Scenario::should("relative-deadline", "a deadline may lie in the past", NEXT),
                deadline(" 600000"),
                600_000,
                "",
            ),
            (
                Scenario::may("arn-not-ascii", "an ARN may contain more than ASCII", rfc9110("5.5")),
                arn("\u{fc}".as_bytes()),
                0,
                "\u{fc}",
            ),
            (Scenario::may("arn-not-utf-8", "an ARN may not be UTF-8", rfc9110("5.5")), arn(b"\xff"), 0, "\u{fffd}"),
        ]
        .map(|(scenario, headers, deadline, arn)| {
            scenario
                .requires(Feature::Rust)
                .connection(served(event(&headers), Response))
                .expect_members("a", json!({"deadline": deadline, "invoked_function_arn": arn}))
        }),
    );
}

/// Headers whose JSON is malformed.
fn malformed_json(all: &mut Vec<Scenario>) {
    for (slug, header) in
        [("client-context", "Lambda-Runtime-Client-Context"), ("cognito-identity", "Lambda-Runtime-Cognito-Identity")]
    {
        for (kind, value) in [("not-json", "no json"), ("array", "[1]"), ("not-ascii", "\u{fc}")] {
            let title = format!("{header}: {value} is reported to /error with the name of the header");
            all.push(
                Scenario::may(format!("{slug}-{kind}"), title, PARITY)
                    .requires(Feature::Rust)
                    .connection(served(event_with("a", &format!("{header}: {value}\r\n"), "1"), Error))
                    .expect_error("a", "Runtime.BadHeader", "Runtime.BadHeader", &header.to_ascii_lowercase()),
            );
        }
    }
}

fn invocation_id(all: &mut Vec<Scenario>) {
    const HEADER: &str = "lambda-runtime-invocation-id";
    for (what, payload, endpoint) in [("response", "1", Response), ("error", r#"{"do":"error"}"#, Error)] {
        let event = |headers| event_with("a", headers, payload);
        all.extend([
            // Documented nowhere, and only sent by the API of Managed Instances.
            Scenario::should(
                format!("invocation-id-of-{what}"),
                format!("the invocation id is echoed to {endpoint}"),
                RIE_MANAGED_REFUSALS,
            )
            .connection(served(event("Lambda-Runtime-Invocation-Id: inv-7\r\n"), endpoint))
            .expect_header(endpoint, HEADER, HeaderValue::Is("inv-7")),
            Scenario::must(
                format!("no-invocation-id-of-{what}"),
                format!("without an invocation id, none is sent to {endpoint}"),
                PROTOCOL,
            )
            .connection(served(event(""), endpoint))
            .expect_header(endpoint, HEADER, HeaderValue::Absent),
        ]);
    }
}
