//! Bodies and their senders.

use std::borrow::Cow;
use std::fmt;
use std::future::poll_fn;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use http::{HeaderMap, HeaderValue};
use http_body_util::{Full, StreamBody};
use lambda_runtime::streaming::{Body, Sender, channel};

use super::errors::Broken;
use super::is_send;
use crate::block_on;

/// Returns all chunks as text.
fn text(body: impl Stream<Item = Result<Bytes, impl fmt::Debug>>) -> Vec<String> {
    block_on(body.map(|chunk| String::from_utf8(chunk.unwrap().into()).unwrap()).collect())
}

#[test]
fn a_body_is_created_from_every_type_of_bytes() {
    let bodies = [
        Body::from("bytes"),
        Body::from(String::from("bytes")),
        Body::from(Cow::Borrowed("bytes")),
        Body::from(&b"bytes"[..]),
        Body::from(b"bytes".to_vec()),
        Body::from(Cow::Borrowed(&b"bytes"[..])),
        Body::from(Bytes::from("bytes")),
        Body::new(Full::new(Bytes::from("bytes"))),
        Body::new(Body::from("bytes")),
    ];
    for body in bodies {
        assert_eq!(http_body::Body::size_hint(&body).exact(), Some(5));
        assert!(!http_body::Body::is_end_stream(&body));
        assert_eq!(text(is_send(body)), ["bytes"]);
    }
    for body in [Body::empty(), Body::default(), Body::from("")] {
        assert!(http_body::Body::is_end_stream(&body));
        assert!(text(body).is_empty());
    }
    assert_eq!(block_on(Body::from("bytes").collect()).unwrap().to_bytes(), "bytes");
    assert!(!format!("{:?}", Body::empty()).is_empty());
}

#[test]
fn the_body_of_a_channel_yields_what_is_sent() {
    let (mut sender, mut body): (Sender, Body) = channel();
    sender.try_send_data(Bytes::from("one")).unwrap();
    assert_eq!(sender.try_send_data(Bytes::from("too many")).unwrap_err(), "too many");
    assert_eq!(block_on(body.next()).unwrap().unwrap(), "one");
    block_on(poll_fn(|cx| sender.poll_ready(cx))).unwrap();
    block_on(sender.send_data(Bytes::from("two"))).unwrap();
    block_on(
        is_send(sender).send_trailers(HeaderMap::from_iter([(http::header::ETAG, HeaderValue::from_static("e"))])),
    )
    .unwrap();
    let collected = block_on(body.collect()).unwrap();
    assert_eq!(collected.trailers().unwrap()["etag"], "e");
    assert_eq!(collected.to_bytes(), "two");

    let (sender, body) = Body::channel();
    drop(sender);
    assert!(text(body).is_empty());
}

#[test]
fn a_sender_can_abort_and_a_body_be_dropped() {
    let (sender, mut body) = channel();
    sender.abort();
    let error = block_on(body.next()).unwrap().unwrap_err();
    // `?` needs this conversion.
    let _: Box<dyn std::error::Error + Send + Sync> = error.into();

    let (mut sender, body) = channel();
    drop(body);
    let error = block_on(sender.send_data(Bytes::new())).unwrap_err();
    fn is_error<E: std::error::Error + Send + Sync + 'static>(_: &E) {}
    is_error(&error);
}

#[test]
fn a_sender_can_fail_the_body_with_an_error() {
    let (mut sender, mut body) = channel();
    // The error of a body, because `send_error` of the original accepts no other.
    let failed = Body::new(StreamBody::new(stream::iter([Err::<http_body::Frame<Bytes>, _>(Broken)])));
    let error = block_on(failed.collect()).unwrap_err();
    assert_eq!(error.to_string(), "it is broken");
    sender.send_error(error);
    assert_eq!(block_on(body.next()).unwrap().unwrap_err().to_string(), "it is broken");
}
