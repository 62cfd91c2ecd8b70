//! Payloads of every kind, and what must not leak from one invocation to the next.

use lambda_runtime_proto::Endpoint::{Error, Next, Response};
use serde_json::json;

use super::sources::{ERROR, NEXT, QUOTAS, RESPONSE, rfc9110, rfc9112};
use crate::messages::{CLIENT_CONTEXT, USUAL_HEADERS, event, event_with, reply};
use crate::{Content, Level, Scenario, Source, Steps};

pub(super) fn add(all: &mut Vec<Scenario>) {
    payloads(all);
    framing(all);
    heads(all);
    sequences(all);
    leaks(all);
}

fn payloads(all: &mut Vec<Scenario>) {
    let nested = format!("{}1{}", "[".repeat(100), "]".repeat(100));
    let members: String = (0..2000).map(|n| format!("\"k{n}\":{n},")).collect();
    for (id, what, payload) in [
        ("null", "null", "null".to_owned()),
        ("true", "a boolean", "true".to_owned()),
        ("zero", "a number", "0".to_owned()),
        ("negative", "a negative fraction", "-1.5".to_owned()),
        ("large-integer", "an integer of 53 bits", "9007199254740991".to_owned()),
        ("string", "a string", r#""text""#.to_owned()),
        ("empty-string", "an empty string", r#""""#.to_owned()),
        ("empty-object", "an empty object", "{}".to_owned()),
        ("empty-array", "an empty array", "[]".to_owned()),
        ("nested", "nested a hundred times", nested),
        ("many-members", "an object with two thousand members", format!("{{{}\"z\":0}}", members)),
        ("unicode", "text in several scripts", r#"{"a":"Grüße, 世界, 🎉"}"#.to_owned()),
        ("escapes", "text with escapes", r#"{"a":"\u0000\u001f\"\\\/\ud83c\udf89"}"#.to_owned()),
        ("white-space", "surrounded by white space", " \r\n\t[ 1 , 2 ]\n".to_owned()),
        ("duplicate-free-keys", "an object with keys that differ in case", r#"{"a":1,"A":2}"#.to_owned()),
    ] {
        all.push(
            Scenario::must(format!("payload-{id}"), format!("an event may be {what}"), NEXT)
                .connection(Steps::new().served(&payload))
                .expect_json_response("a", payload),
        );
    }
    for (id, bytes) in [("6-mib", (6 << 20) - 2), ("1-byte-more", 6_291_556 - 2)] {
        all.push(
            Scenario::must(
                format!("response-of-{id}"),
                format!("a response of {} bytes is sent: Lambda's limit is 6 MiB and 100 bytes", bytes + 2),
                QUOTAS,
            )
            .connection(Steps::new().served(&format!(r#"{{"do":"large","bytes":{bytes}}}"#)))
            .expect_response("a", Content::LargeString(bytes)),
        );
    }
    let largest = "x".repeat((6 << 20) - 2);
    all.push(
        Scenario::must("event-of-6-mib", "an event of 6 MiB is served: Lambda's limit", QUOTAS)
            .connection(Steps::new().served(&format!("\"{largest}\"")))
            .expect_response("a", Content::LargeString((6 << 20) - 2)),
    );
}

fn framing(all: &mut Vec<Scenario>) {
    let head = |fields: &str, body: &str| format!("HTTP/1.1 200 OK\r\n{USUAL_HEADERS}{fields}\r\n{body}").into_bytes();
    let chunked = |body: &str| head("Transfer-Encoding: chunked\r\n", body);
    for (id, title, level, source, event) in [
        (
            "chunk-per-byte",
            "each byte of an event may be a chunk",
            Level::Must,
            rfc9112("7.1"),
            chunked("1\r\n[\r\n1\r\n1\r\n1\r\n]\r\n0\r\n\r\n"),
        ),
        (
            "chunk-size-zeros",
            "the size of a chunk may have leading zeros",
            Level::Should,
            rfc9112("7.1"),
            chunked("0003\r\n[1]\r\n0\r\n\r\n"),
        ),
        (
            "chunk-size-case",
            "the size of a chunk may be in upper case",
            Level::Should,
            rfc9112("7.1"),
            chunked("A\r\n[1]       \r\n0\r\n\r\n"),
        ),
        (
            "chunk-extensions",
            "the extensions of chunks are ignored",
            Level::Should,
            rfc9112("7.1.1"),
            chunked("3;a=b;c=\"d\"\r\n[1]\r\n0;e\r\n\r\n"),
        ),
        (
            "chunk-trailers",
            "the trailers of an event are ignored",
            Level::Should,
            rfc9112("7.1.2"),
            chunked("3\r\n[1]\r\n0\r\nA: b\r\nC: d\r\n\r\n"),
        ),
        (
            "coding-case",
            "the transfer coding is case-insensitive",
            Level::Should,
            rfc9112("7"),
            head("Transfer-Encoding: Chunked\r\n", "3\r\n[1]\r\n0\r\n\r\n"),
        ),
        (
            "no-space",
            "no space need follow the colon of a header",
            Level::Should,
            rfc9112("5"),
            head("Content-Length:3\r\nX:y\r\n", "[1]"),
        ),
        (
            "trailing-space",
            "white space around the value of a header is ignored",
            Level::Should,
            rfc9112("5.1"),
            head("Content-Length:  3\t\r\nX: \t y \r\n", "[1]"),
        ),
        (
            "empty-header",
            "the value of an unknown header may be empty",
            Level::Should,
            rfc9110("5.5"),
            head("Content-Length: 3\r\nX:\r\n", "[1]"),
        ),
        (
            "keep-alive",
            "the connection options may contain keep-alive",
            Level::Should,
            rfc9112("9.3"),
            head("Connection: keep-alive\r\nKeep-Alive: timeout=5\r\nContent-Length: 3\r\n", "[1]"),
        ),
        (
            "date",
            "the usual headers of a server are ignored",
            Level::Must,
            rfc9110("6.6.1"),
            head("Date: Thu, 01 Jan 2026 00:00:00 GMT\r\nServer: x\r\nVary: *\r\nContent-Length: 3\r\n", "[1]"),
        ),
        (
            "content-type-parameters",
            "the content type of an event may have parameters",
            Level::Should,
            rfc9110("8.3.1"),
            head("Content-Length: 3\r\n", "[1]")
                .replace_text("Content-Type: application/json", "Content-Type: application/json; charset=utf-8"),
        ),
    ] {
        all.push(
            Scenario::new(level, format!("framing-{id}"), title, source)
                .connection(Steps::new().read(Next).send(event).read(Response).accept())
                .expect_response("a", "[1]"),
        );
    }
}

/// Replaces a text in a message.
trait ReplaceText {
    fn replace_text(&self, from: &str, to: &str) -> Vec<u8>;
}

impl ReplaceText for Vec<u8> {
    fn replace_text(&self, from: &str, to: &str) -> Vec<u8> {
        String::from_utf8_lossy(self).replace(from, to).into_bytes()
    }
}

/// Long heads, and ids of every safe form.
fn heads(all: &mut Vec<Scenario>) {
    let context = format!(r#"{{"custom":{{"k":"{}"}}}}"#, "x".repeat(3500));
    let many: String = (0..80).map(|n| format!("X-{n}: y\r\n")).collect();
    for (id, title, level, source, headers) in [
        (
            "long-client-context",
            "a client context may be as long as Lambda allows",
            Level::Must,
            QUOTAS,
            format!("Lambda-Runtime-Client-Context: {context}\r\n"),
        ),
        (
            "long-trace-id",
            "a trace id may have many fields",
            Level::Should,
            NEXT,
            format!("Lambda-Runtime-Trace-Id: Root=1-2;{}\r\n", "Lineage=a:0;".repeat(80)),
        ),
        (
            "long-header",
            "a header may be 32 KiB long",
            Level::May,
            rfc9110("5.4"),
            format!("X: {}\r\n", "y".repeat(32 << 10)),
        ),
        ("many-headers", "there may be eighty headers", Level::May, rfc9110("5.4"), many),
    ] {
        all.push(
            Scenario::new(level, id, title, source)
                .connection(Steps::new().read(Next).send(event_with("a", &headers, "[1]")).read(Response).accept())
                .expect_response("a", "[1]"),
        );
    }
    for (slug, id) in [
        ("uuid", "8476a536-e9f4-11e8-9739-2dfe598c3fcd"),
        ("upper-case", "8476A536-E9F4-11E8-9739-2DFE598C3FCD"),
        ("number", "1"),
        ("long", "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"),
        ("underscore", "a_b-c.d~e"),
    ] {
        let level = if slug == "uuid" { Level::Must } else { Level::Should };
        let title = format!("the request id is part of the path as it is: {id}");
        let steps = |payload| Steps::new().event_as(id, payload);
        all.extend([
            Scenario::new(level, format!("request-id-{slug}"), title.clone(), RESPONSE)
                .connection(steps("[1]").read(Response).accept())
                .expect_response(id, "[1]"),
            Scenario::new(level, format!("request-id-{slug}-of-an-error"), title, ERROR)
                .connection(steps(r#"{"do":"error"}"#).read(Error).accept())
                .expect_error(id, "Function.OutOfStock", "OutOfStock", "no apples left"),
        ]);
    }
}

/// Invocations one after another.
fn sequences(all: &mut Vec<Scenario>) {
    let error = r#"{"do":"error"}"#;
    let panic = r#"{"do":"panic"}"#;
    let failed = |id: &str, payload: &str| Steps::new().event_as(id, payload).read(Error).accept();
    let served = |id: &str| Steps::new().event_as(id, "[1]").read(Response).accept();
    let scenario = |id: &str, title: &str, source: Source, steps| Scenario::must(id, title, source).connection(steps);
    all.extend([
        scenario(
            "errors-and-responses",
            "errors and responses may alternate",
            ERROR,
            (0..10).fold(Steps::new(), |steps, _| steps.then(failed("a", error)).then(served("b"))),
        )
        .expect_attempts("a", 10)
        .expect_attempts("b", 10),
        scenario("panics-in-a-row", "a function survives ten panics or exceptions", ERROR, {
            (0..10).fold(Steps::new(), |steps, _| steps.then(failed("a", panic)))
        })
        .expect_attempts("a", 10),
        scenario("errors-in-a-row", "a function survives fifty errors", ERROR, {
            (0..50).fold(Steps::new(), |steps, _| steps.then(failed("a", error)))
        })
        .expect_attempts("a", 50),
        scenario("same-id-twice", "the same request id may come again", NEXT, served("a").then(served("a")))
            .expect_attempts("a", 2),
        scenario(
            "large-and-small",
            "large and small responses may alternate",
            RESPONSE,
            (0..3).fold(Steps::new(), |steps, _| {
                let large = r#"{"do":"large","bytes":1000000}"#;
                steps.then(Steps::new().event_as("b", large).read(Response).accept()).then(served("a"))
            }),
        )
        .expect_attempts("a", 3)
        .expect_attempts("b", 3),
        scenario("slow-handler", "a handler may take a second", RESPONSE, Steps::new().served(r#"{"after_ms":1000}"#))
            .expect_response("a", r#"{"after_ms":1000}"#),
        scenario(
            "response-then-refusal",
            "a response after a refused one is sent",
            RESPONSE,
            Steps::new().event_as("b", "[1]").read(Response).refuse(413, "RequestEntityTooLarge").then(served("a")),
        )
        .expect_response("a", "[1]"),
        scenario(
            "acknowledged-with-200",
            "an acknowledgement may be 200",
            RESPONSE,
            Steps::new()
                .event("[1]")
                .read(Response)
                .send(reply(200, "{}"))
                .read(Next)
                .send(event("b", "1"))
                .read(Response)
                .accept(),
        )
        .expect_response("a", "[1]"),
    ]);
}

/// Data of an invocation that the next one must not observe.
fn leaks(all: &mut Vec<Scenario>) {
    let context = r#"{"do":"context"}"#;
    for (id, header, member) in [
        ("trace-id", "Lambda-Runtime-Trace-Id: Root=1-2;Sampled=1".to_owned(), "xray_trace_id"),
        ("tenant", "Lambda-Runtime-Aws-Tenant-Id: blue".to_owned(), "tenant_id"),
        ("client-context", format!("Lambda-Runtime-Client-Context: {CLIENT_CONTEXT}"), "client_context"),
        (
            "identity",
            r#"Lambda-Runtime-Cognito-Identity: {"cognitoIdentityId":"i","cognitoIdentityPoolId":"p"}"#.to_owned(),
            "identity",
        ),
    ] {
        all.push(
            Scenario::must(
                format!("leak-{id}"),
                format!("an invocation without the header does not see the previous one's {id}"),
                NEXT,
            )
            .connection(
                Steps::new()
                    .read(Next)
                    .send(event_with("b", &format!("{header}\r\n"), context))
                    .read(Response)
                    .accept()
                    .served(context),
            )
            .expect_members("a", json!({ member: null, "request_id": "a" })),
        );
    }
}
