//! The headers of an invocation, and the metadata prelude.

use std::time::Duration;

use bytes::Bytes;

use super::{Command, Entry, Side, Step, config, trace};
use crate::Limits;
use crate::client::{Client, Event, MAX_PRELUDE, StreamHead};
use crate::{Misuse, Output};

/// Any bytes as the fields of an answer to /next: an invocation that is accepted has a request id that came literally
/// so, and that is what stands in the path of its answer.
pub fn headers(fields: &[u8]) {
    let message = [b"HTTP/1.1 200 OK\r\n", fields, b"\r\nContent-Length: 2\r\n\r\n{}"].concat();
    let mut client = Client::new(config());
    let _ = client.next_invocation();
    let request = drained(&mut client);
    client.sent(request.len());
    client.receive(&message);
    let Output::Event(Event::Invocation(invocation)) = client.poll_output() else { return };
    let id = invocation.request_id().to_owned();
    assert!(!id.is_empty() && id.bytes().all(|byte| byte.is_ascii_graphic()), "{id:?} is no request id");
    assert!(invocation.headers().iter().any(|(_, value)| value == id.as_bytes()), "{id:?} was never sent");
    // What is picked out while parsing is what a search of the headers finds.
    for (name, picked) in [
        ("lambda-runtime-aws-request-id", Some(id.as_bytes())),
        ("lambda-runtime-invoked-function-arn", invocation.function_arn()),
        ("lambda-runtime-trace-id", invocation.trace_id()),
        ("lambda-runtime-client-context", invocation.client_context()),
        ("lambda-runtime-cognito-identity", invocation.cognito_identity()),
        ("lambda-runtime-aws-tenant-id", invocation.tenant_id()),
    ] {
        assert_eq!(picked, invocation.header(name).filter(|value| !value.is_empty()), "{name}");
    }
    let deadline = invocation.header("lambda-runtime-deadline-ms").and_then(|value| std::str::from_utf8(value).ok());
    assert_eq!(invocation.deadline(), deadline.and_then(|text| text.parse().ok()).map(Duration::from_millis));
    for (name, value) in invocation.headers() {
        let found = memchr::memmem::find(fields, value).is_some() || name.eq_ignore_ascii_case("content-length");
        assert!(found, "the header {name} has a value that was never sent");
    }
    let body = invocation.body();
    let script = [Step::Command(Command::Next), Step::Receive(message), Step::Command(Command::Respond)];
    let wrote = trace(Side::Client, &Limits::default(), &script, &mut <[u8]>::len);
    let path = format!("POST /2018-06-01/runtime/invocation/{id}/response HTTP/1.1\r\n");
    let answers = |entry: &Entry| matches!(entry, Entry::Wrote(bytes) if bytes.starts_with(path.as_bytes()));
    assert!(body.len() <= 2 && wrote.iter().any(answers), "the answer does not go to {path:?}");
}

/// Any bytes as a metadata prelude: what fits stands on the wire literally, and what does not is refused and leaves
/// the invocation to be answered otherwise.
pub fn prelude(prelude: &[u8]) {
    let mut client = Client::new(config());
    let _ = client.next_invocation();
    let request = drained(&mut client);
    client.sent(request.len());
    client.receive(b"HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: id\r\nContent-Length: 2\r\n\r\n{}");
    let Output::Event(Event::Invocation(invocation)) = client.poll_output() else {
        panic!("a plain event was not accepted")
    };
    let head = StreamHead::Http { prelude: Bytes::copy_from_slice(prelude) };
    match client.stream(invocation.into_token(), head) {
        Ok(stream) => {
            assert!(prelude.len() + 8 <= MAX_PRELUDE, "{} bytes are too many", prelude.len());
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

/// All that the machine would write.
fn drained(client: &mut Client) -> Vec<u8> {
    match client.poll_output() {
        Output::Transmit(slices) => slices.iter().flat_map(|slice| slice.iter().copied()).collect(),
        _ => Vec::new(),
    }
}
