//! The headers of an event.

use lambda_runtime_proto::Endpoint::{Error, Next, Response};
use serde_json::{Value, json};

use super::{answer, error, survives};
use crate::Scenario;
use crate::api::Act;
use crate::messages::{accepted, event_with};

pub(super) fn add(all: &mut Vec<Scenario>) {
    for (name, fields, expected) in [
        (
            "every header reaches the context",
            "Lambda-Runtime-Trace-Id: Root=1-2;Sampled=1\r\nLambda-Runtime-Aws-Tenant-Id: blue\r\nLambda-Runtime-Cognito-Identity: {\"cognitoIdentityId\":\"i\",\"cognitoIdentityPoolId\":\"p\"}\r\nLambda-Runtime-Client-Context: {\"client\":{\"app_title\":\"t\"},\"custom\":{\"n\":1},\"env\":{\"e\":\"f\"}}\r\n",
            json!({"xray_trace_id": "Root=1-2;Sampled=1", "tenant_id": "blue", "identity": {"identityId": "i", "identityPoolId": "p"}}),
        ),
        (
            "empty headers count as absent",
            "Lambda-Runtime-Trace-Id:\r\nLambda-Runtime-Aws-Tenant-Id: \r\nLambda-Runtime-Cognito-Identity:\r\nLambda-Runtime-Client-Context:\r\n",
            json!({"xray_trace_id": null, "tenant_id": null, "identity": null, "client_context": null}),
        ),
        ("a client context may be empty JSON", "Lambda-Runtime-Client-Context: {}\r\n", json!({"tenant_id": null})),
        ("unknown headers do no harm", "Lambda-Runtime-Something-New: x\r\nX: y\r\n", json!({"request_id": "a"})),
    ] {
        let script = given(event_with("a", fields, r#"{"do":"context"}"#), Response);
        survives(all, name, script, false, move |played| {
            let context: Value = serde_json::from_slice(&answer(played).body).unwrap();
            for (field, value) in expected.as_object().unwrap() {
                assert_eq!(&context[field], value, "{field}");
            }
        });
    }
    let bare = |fields: &[u8]| {
        let head = b"HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: a\r\nContent-Length: 16\r\n";
        [head, fields, b"\r\n{\"do\":\"context\"}"].concat()
    };
    for (name, fields, deadline, arn) in [
        ("a deadline may be absent", b"".as_slice(), 0, ""),
        ("a deadline may be empty", b"Lambda-Runtime-Deadline-Ms:\r\n", 0, ""),
        ("a deadline may be no number", b"Lambda-Runtime-Deadline-Ms: soon\r\n", 0, ""),
        ("a deadline may be too large", b"Lambda-Runtime-Deadline-Ms: 99999999999999999999\r\n", 0, ""),
        ("a deadline may be relative", b"Lambda-Runtime-Deadline-Ms: 600000\r\n", 600_000, ""),
        ("an ARN may be more than ASCII", "Lambda-Runtime-Invoked-Function-Arn: \u{fc}\r\n".as_bytes(), 0, "\u{fc}"),
        ("an ARN may be no UTF-8", b"Lambda-Runtime-Invoked-Function-Arn: \xff\r\n", 0, "\u{fffd}"),
    ] {
        survives(all, name, given(bare(fields), Response), false, move |played| {
            let context: Value = serde_json::from_slice(&answer(played).body).unwrap();
            assert_eq!((&context["deadline"], &context["invoked_function_arn"]), (&json!(deadline), &json!(arn)));
        });
    }
    for header in ["Lambda-Runtime-Client-Context", "Lambda-Runtime-Cognito-Identity"] {
        for value in ["no json", "[1]", "\u{fc}"] {
            let event = event_with("a", &format!("{header}: {value}\r\n"), "1");
            let name = format!("{header}: {value} is told on /error by the header's name");
            survives(all, name, given(event, Error), false, move |played| {
                let (kind, _, message) = error(played);
                assert_eq!(kind, "Runtime.BadHeader");
                assert!(message.contains(&header.to_ascii_lowercase()), "{message}");
            });
        }
    }
    for (payload, endpoint) in [("1", Response), (r#"{"do":"error"}"#, Error)] {
        let event = event_with("a", "Lambda-Runtime-Invocation-Id: inv-7\r\n", payload);
        survives(all, format!("the invocation id is echoed to {endpoint}"), given(event, endpoint), false, |played| {
            assert_eq!(answer(played).field("lambda-runtime-invocation-id"), Some("inv-7"));
        });
    }
    survives(all, "an invocation id is not invented", vec![super::serve("1")], false, |played| {
        assert_eq!(answer(played).field("lambda-runtime-invocation-id"), None);
    });
}

fn given(event: Vec<u8>, endpoint: lambda_runtime_proto::Endpoint) -> crate::Script {
    vec![vec![Act::Take(Next), Act::Send(event), Act::Take(endpoint), Act::Send(accepted())]]
}
