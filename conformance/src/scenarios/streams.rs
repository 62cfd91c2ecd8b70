//! Streamed responses.

use std::time::Duration;

use lambda_runtime_proto::Endpoint::Response;

use super::{answer, give, nothing, serve, survives};
use crate::api::Act;
use crate::messages::{accepted, answer as reply, answer_with, refusal};
use crate::{Played, Scenario, Taken};

pub(super) fn add(all: &mut Vec<Scenario>) {
    for (name, payload, expected) in [
        ("a stream is sent", r#"{"do":"stream","chunks":3}"#, "abc"),
        ("a stream that waits is sent", r#"{"do":"stream","chunks":3,"turns":2}"#, "abc"),
        ("empty chunks do not end a stream", r#"{"do":"stream","chunks":3,"empty":5}"#, "abc"),
        ("an empty stream is a response", r#"{"do":"stream"}"#, ""),
        ("an empty stream that waits is a response", r#"{"do":"stream","turns":1}"#, ""),
    ] {
        survives(all, name, vec![serve(payload)], false, move |played| {
            let taken = streamed(played);
            assert!(taken.whole && taken.trailers.is_empty());
            assert_eq!(payload_of(taken), expected.as_bytes());
        });
    }
    let trailers = serve(r#"{"do":"stream","chunks":3,"then":"trailers"}"#);
    survives(all, "the trailers of a body follow its last chunk", vec![trailers], false, |played| {
        let taken = streamed(played);
        assert_eq!(payload_of(taken), b"abc");
        assert_eq!(taken.trailers, [("x-checksum".to_owned(), "1111".to_owned())]);
    });
    survives(
        all,
        "a long stream is sent",
        vec![serve(r#"{"do":"stream","chunks":640,"bytes":16384}"#)],
        false,
        |played| {
            assert_eq!(payload_of(streamed(played)).len(), 640 * 16384);
        },
    );
    for (name, payload, sent, error_type, words) in [
        (
            "an error midway is told in trailers",
            r#"{"do":"stream","chunks":2,"then":"error"}"#,
            "ab",
            "Function.Diagnosed",
            "the source ran dry",
        ),
        (
            "an error midway after a wait is told in trailers",
            r#"{"do":"stream","chunks":2,"turns":1,"then":"error"}"#,
            "ab",
            "Function.Diagnosed",
            "the source ran dry",
        ),
        (
            "a panic midway is told in trailers",
            r#"{"do":"stream","chunks":2,"then":"panic"}"#,
            "ab",
            "Function.Panic",
            "asked to panic midway",
        ),
        (
            "trailers that are too long for Lambda are an error midway",
            r#"{"do":"stream","chunks":2,"then":"long trailers"}"#,
            "ab",
            "Runtime.BadResponse",
            "4096",
        ),
        (
            "an error after the prelude is told in trailers",
            r#"{"do":"stream","turns":1,"then":"error"}"#,
            "",
            "Function.Diagnosed",
            "the source ran dry",
        ),
    ] {
        survives(all, name, vec![serve(payload)], false, move |played| {
            let taken = streamed(played);
            assert_eq!(payload_of(taken), sent.as_bytes());
            assert_eq!(taken.trailer("lambda-runtime-function-error-type"), Some(error_type));
            let body = taken.trailer("lambda-runtime-function-error-body").expect("the error's body");
            // What is told is the JSON of an error, in base64.
            assert!(decoded(body).contains(words), "{body}");
        });
    }
    let long = r#"{"do":"stream","chunks":100000,"bytes":16384}"#;
    let amid = |acts: Vec<Act>| vec![[give(long), vec![Act::TakeSome(Response, 100_000)], acts].concat()];
    let torn = |played: &Played| assert!(!streamed(played).whole, "a torn response looks whole");
    survives(all, "a refusal amid a stream is heard", amid(vec![Act::Send(refusal(413, "TooLarge"))]), true, torn);
    let closing = answer_with(413, "Connection: close\r\n", "{}");
    survives(all, "a refusal that closes amid a stream is heard", amid(vec![Act::Send(closing)]), true, torn);
    let idle = [
        give(r#"{"do":"stream","chunks":1,"then":"nothing"}"#),
        vec![Act::TakeSome(Response, 1), Act::Send(refusal(413, "TooLarge"))],
    ];
    survives(all, "a refusal of a stream that has nothing to send is heard", vec![idle.concat()], true, torn);
    survives(all, "a close amid a stream is survived", amid(vec![]), true, torn);
    survives(all, "a reset amid a stream is survived", amid(vec![Act::Reset]), true, torn);
    let slow = [
        give(r#"{"do":"stream","chunks":64,"bytes":65536}"#),
        vec![Act::TakeSome(Response, 1), Act::Pause(Duration::from_millis(50)), Act::TakeRest, Act::Send(accepted())],
    ];
    survives(all, "a slow reader gets everything", vec![slow.concat()], false, |played| {
        assert_eq!(payload_of(streamed(played)).len(), 64 * 65536);
    });
    let early = [
        give(r#"{"do":"stream","chunks":64,"bytes":65536}"#),
        vec![Act::TakeSome(Response, 1), Act::Send(reply(200, "")), Act::TakeRest],
    ];
    survives(all, "a stream that is accepted early is sent whole", vec![early.concat()], false, |played| {
        assert!(streamed(played).whole);
        assert_eq!(payload_of(streamed(played)).len(), 64 * 65536);
    });
    let lost = [give(r#"{"do":"stream","chunks":3}"#), vec![Act::Take(Response)]].concat();
    survives(all, "a stream whose acknowledgement is lost is not sent again", vec![lost], true, nothing);
}

/// The streamed answer to the invocation `a`.
fn streamed(played: &Played) -> &Taken {
    let taken = answer(played);
    assert_eq!(taken.field("lambda-runtime-function-response-mode"), Some("streaming"));
    assert_eq!(taken.field("content-type"), Some("application/vnd.awslambda.http-integration-response"));
    let trailers: Vec<_> = taken.fields.iter().filter(|(name, _)| name == "trailer").map(|(_, value)| value).collect();
    assert_eq!(trailers, ["Lambda-Runtime-Function-Error-Type", "Lambda-Runtime-Function-Error-Body"]);
    taken
}

/// What follows the prelude and its delimiter.
fn payload_of(taken: &Taken) -> &[u8] {
    let delimiter = taken.body.windows(8).position(|window| window == [0; 8]).expect("the delimiter");
    let prelude: serde_json::Value = serde_json::from_slice(&taken.body[..delimiter]).expect("the prelude is JSON");
    assert_eq!(prelude["statusCode"], 200);
    assert_eq!(prelude["headers"]["content-type"], "application/octet-stream");
    assert!(prelude["cookies"].is_array());
    &taken.body[delimiter + 8..]
}

fn decoded(base64: &str) -> String {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::STANDARD.decode(base64).expect("base64");
    String::from_utf8(bytes).expect("text")
}
