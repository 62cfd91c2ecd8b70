//! hyper's HTTP/1 client and this crate agree on status and body of every reply that both accept.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use common::*;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1;
use hyper::rt::{Read, ReadBufCursor, Write};
use lambda_runtime_proto::Limits;
use lambda_runtime_proto::client::{Event, NoInvocation};
use proptest::prelude::*;

/// A connection that returns `input` and then the end, once the request is written.
struct Canned {
    input: Vec<u8>,
    requested: bool,
}

impl Read for Canned {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, mut buf: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        if !self.requested {
            return Poll::Pending;
        }
        let n = self.input.len().min(buf.remaining());
        buf.put_slice(&self.input[..n]);
        self.input.drain(..n);
        Poll::Ready(Ok(()))
    }
}

impl Write for Canned {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.requested = true;
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Status and body that hyper decodes from `bytes`.
fn with_hyper(bytes: &[u8]) -> Option<(u16, Bytes)> {
    let mut cx = Context::from_waker(Waker::noop());
    let canned = Canned { input: bytes.to_vec(), requested: false };
    let mut handshake = pin!(http1::handshake::<_, Empty<Bytes>>(canned));
    let Poll::Ready(Ok((mut sender, mut connection))) = handshake.as_mut().poll(&mut cx) else {
        panic!("no handshake")
    };
    let request = http::Request::get("/").header("host", "x").body(Empty::new()).unwrap();
    let mut response = pin!(async {
        let response = sender.send_request(request).await.ok()?;
        let status = response.status().as_u16();
        Some((status, response.into_body().collect().await.ok()?.to_bytes()))
    });
    // All input is available, so a few polls of both suffice. A connection that is complete must not be polled again.
    let mut over = false;
    for _ in 0..1000 {
        if let Poll::Ready(outcome) = response.as_mut().poll(&mut cx) {
            return outcome;
        }
        over = over || Pin::new(&mut connection).poll(&mut cx).is_ready();
    }
    panic!("hyper neither accepts nor refuses {:?}", bytes.escape_ascii().to_string());
}

/// Status and body that this crate decodes from them.
fn with_proto(bytes: &[u8]) -> Option<(u16, Bytes)> {
    match reply_to_next(bytes, Limits::default()).ok()? {
        Event::Invocation(invocation) => Some((invocation.status(), invocation.body())),
        Event::Reply(reply) => (!reply.is_truncated()).then(|| (reply.status(), reply.body())),
        Event::NoInvocation(NoInvocation::NoContent) => Some((204, Bytes::new())),
        other => panic!("{other:?}"),
    }
}

fn response() -> impl Strategy<Value = String> {
    let version = prop_oneof![4 => Just("HTTP/1.1"), 1 => Just("HTTP/1.0")];
    let status = prop_oneof![8 => Just(200_u16), 1 => 200_u16..600];
    let field = prop_oneof![
        Just("Transfer-Encoding: chunked".to_owned()),
        (0..40_usize).prop_map(|n| format!("Content-Length: {n}")),
        Just("Connection: close".to_owned()),
        "[a-zA-Z-]{1,8}:[ \t]{0,2}[ -~]{0,8}",
    ];
    let chunks = proptest::collection::vec(("[a-z\r\n]{0,20}", "(;[a-z=]{0,4})?"), 0..4).prop_map(|chunks| {
        let chunk = |(data, extension): (String, String)| format!("{:x}{extension}\r\n{data}\r\n", data.len());
        let data = chunks.into_iter().filter(|(data, _)| !data.is_empty()).map(chunk).collect::<String>();
        data + "0\r\n\r\n"
    });
    let body = prop_oneof!["[ -~\r\n]{0,40}", chunks];
    let fields = proptest::collection::vec(field, 0..4);
    (version, status, fields, body).prop_map(|(version, status, fields, body)| {
        let fields: String = fields.into_iter().map(|field| field + "\r\n").collect();
        format!("{version} {status} OK\r\nLambda-Runtime-Aws-Request-Id: id\r\n{fields}\r\n{body}")
    })
}

fn agree(bytes: &[u8]) -> bool {
    let (Some(theirs), Some(ours)) = (with_hyper(bytes), with_proto(bytes)) else { return false };
    assert_eq!(ours, theirs, "ours (left) and hyper's (right) of {:?}", bytes.escape_ascii().to_string());
    true
}

#[test]
fn both_accept_common_replies() {
    for bytes in [
        EVENT,
        b"HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: id\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nT: v\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nLambda-Runtime-Aws-Request-Id: id\r\n\r\nuntil the end",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 204 No Content\r\n\r\n",
    ] {
        assert!(agree(bytes), "{:?}", bytes.escape_ascii().to_string());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn both_decode_the_same_from_what_both_accept(response in response(), at in any::<prop::sample::Index>(), byte in any::<Option<u8>>()) {
        let mut bytes = response.into_bytes();
        if let Some(byte) = byte {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        // Without the request id, this crate returns no body to compare.
        if bytes.windows(33).any(|window| window == b"Lambda-Runtime-Aws-Request-Id: id") {
            agree(&bytes);
        }
    }
}
