//! The headers of an invocation, and the metadata prelude.

use std::time::Duration;

use bytes::Bytes;

use super::{Command, Entry, Side, Step, config, trace};
use crate::Limits;
use crate::client::{Client, Event, MAX_PRELUDE, StreamHead};
use crate::{Misuse, Output};

/// Takes arbitrary bytes as the header fields of a reply to /next. Checks that the request id of the invocation is one of
/// the values, is safe in a path, and occurs in the path of the response.
pub fn headers(fields: &[u8]) {
    let message = [b"HTTP/1.1 200 OK\r\n", fields, b"\r\nContent-Length: 2\r\n\r\n{}"].concat();
    let mut client = Client::new(config());
    let _ = client.next_invocation();
    let request = drained(&mut client);
    client.sent(request.len());
    client.receive(&message);
    let Output::Event(Event::Invocation(invocation)) = client.poll_output() else { return };
    let id = invocation.request_id().to_owned();
    assert!(!id.is_empty() && id.bytes().all(|byte| byte.is_ascii_graphic()), "{id:?} is not a request id");
    assert!(invocation.headers().iter().any(|(_, value)| value == id.as_bytes()), "{id:?} was not sent");
    // Parsing and a search of the headers find the same values.
    for (name, picked) in [
        ("lambda-runtime-aws-request-id", Some(id.as_bytes())),
        ("lambda-runtime-invoked-function-arn", invocation.function_arn()),
        ("lambda-runtime-trace-id", invocation.trace_id()),
        ("lambda-runtime-client-context", invocation.client_context()),
        ("lambda-runtime-cognito-identity", invocation.cognito_identity()),
        ("lambda-runtime-aws-tenant-id", invocation.tenant_id()),
        ("content-type", invocation.content_type()),
    ] {
        assert_eq!(picked, invocation.headers().get(name).filter(|value| !value.is_empty()), "{name}");
    }
    const KNOWN: [&str; 8] = [
        "aws-request-id",
        "deadline-ms",
        "invoked-function-arn",
        "trace-id",
        "client-context",
        "cognito-identity",
        "aws-tenant-id",
        "invocation-id",
    ];
    let others = invocation.headers().into_iter().filter(|(name, _)| {
        let name = name.to_ascii_lowercase();
        name.strip_prefix("lambda-runtime-").is_some_and(|rest| !KNOWN.contains(&rest))
    });
    assert!(others.eq(invocation.other_headers()), "the other headers are not those that were sent");
    let deadline = invocation.headers().get_str("lambda-runtime-deadline-ms");
    let deadline = deadline.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    assert_eq!(invocation.deadline(), deadline.and_then(|text| text.parse().ok()).map(Duration::from_millis));
    for (name, value) in invocation.headers() {
        let found = memchr::memmem::find(fields, value).is_some() || name.eq_ignore_ascii_case("content-length");
        assert!(found, "the header {name} has a value that was not sent");
    }
    let body = invocation.body();
    let script = [Step::Command(Command::Next), Step::Receive(message), Step::Command(Command::Respond)];
    let trace = trace(Side::Client, &Limits::default(), &script, &mut <[u8]>::len);
    let path = format!("POST /2018-06-01/runtime/invocation/{id}/response HTTP/1.1\r\n");
    let is_response = |entry: &Entry| matches!(entry, Entry::Written(bytes) if bytes.starts_with(path.as_bytes()));
    assert!(body.len() <= 2 && trace.iter().any(is_response), "the response is not posted to {path:?}");
}

/// Takes arbitrary bytes as a metadata prelude. Checks that it is written unchanged or, if it is too long, refused; after
/// a refusal, the invocation can still have another outcome.
pub fn prelude(prelude: &[u8]) {
    let mut client = Client::new(config());
    let _ = client.next_invocation();
    let request = drained(&mut client);
    client.sent(request.len());
    client.receive(b"HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: id\r\nContent-Length: 2\r\n\r\n{}");
    let Output::Event(Event::Invocation(invocation)) = client.poll_output() else { panic!("no invocation") };
    let head = StreamHead::Http { prelude: Bytes::copy_from_slice(prelude) };
    match client.stream(invocation.into_token(), head) {
        Ok(stream) => {
            assert!(prelude.len() + 8 <= MAX_PRELUDE, "{} bytes were accepted", prelude.len());
            let written = drained(&mut client);
            let head_end = memchr::memmem::find(&written, b"\r\n\r\n").map_or(0, |at| at + 4);
            let mut expected = Vec::new();
            if !prelude.is_empty() {
                expected = [format!("{:x}\r\n", prelude.len()).as_bytes(), prelude, b"\r\n"].concat();
            }
            expected.extend_from_slice(b"8\r\n\0\0\0\0\0\0\0\0\r\n");
            assert_eq!(written.get(head_end..), Some(expected.as_slice()));
            drop(stream);
        }
        Err(refused) => {
            assert_eq!(refused.misuse, Misuse::PreludeTooLong(prelude.len()));
            assert!(client.respond(refused.token, crate::client::Response::json("1")).is_ok());
        }
    }
}

/// Everything that the machine has to write.
fn drained(client: &mut Client) -> Vec<u8> {
    match client.poll_output() {
        Output::Transmit(slices) => slices.iter().flat_map(|slice| slice.iter().copied()).collect(),
        _ => Vec::new(),
    }
}
