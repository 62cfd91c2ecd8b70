//! The protocol machines alone, in memory: no socket, no executor, no JSON.

use std::hint::black_box;
use std::time::Duration;

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use http::{HeaderName, HeaderValue};
use lambda_runtime_proto::client::{self, Client, InvocationToken, Response, StreamHead};
use lambda_runtime_proto::server::{self, Reply, Server};
use lambda_runtime_proto::{Limits, Output};

criterion_group!(benches, parse_next, encode_response, encode_chunk, whole_invocation);
criterion_main!(benches);

const REQUEST_ID: &str = "8476a536-e9f4-11e8-9739-2dfe598c3fcd";
const EVENT: &[u8] = br#"{"key1":"value1","key2":"value2","key3":"value3"}"#;

fn parse_next(criterion: &mut Criterion) {
    let next = bytes_of_next();
    let mut group = criterion.benchmark_group("client");
    group.throughput(Throughput::Bytes(next.len() as u64));
    group.bench_function("parse /next", |bencher| {
        let waiting = || {
            let mut pair = Pair::warm();
            pair.ask();
            pair.client
        };
        let parse = |client: &mut Client| {
            client.receive(&next);
            black_box(token_from(client))
        };
        bencher.iter_batched_ref(waiting, parse, BatchSize::SmallInput);
    });
}

fn encode_response(criterion: &mut Criterion) {
    let in_hand = || {
        let mut pair = Pair::warm();
        let token = pair.next();
        (pair.client, Some(token))
    };
    let encode = |(client, token): &mut (Client, Option<InvocationToken>)| {
        if let Some(token) = token.take() {
            assert!(client.respond(token, Response::json(Bytes::from_static(EVENT))).is_ok());
        }
        write(client, |slice| {
            black_box(slice);
        });
    };
    criterion.benchmark_group("client").bench_function("encode a response", |bencher| {
        bencher.iter_batched_ref(in_hand, encode, BatchSize::SmallInput);
    });
}

fn encode_chunk(criterion: &mut Criterion) {
    let mut pair = Pair::warm();
    let token = pair.next();
    let head = StreamHead::Plain { content_type: HeaderValue::from_static("application/octet-stream") };
    let Ok(stream) = pair.client.stream(token, head) else { return };
    let chunk = Bytes::from(vec![0; 64 * 1024]);
    criterion.benchmark_group("client").bench_function("encode a chunk", |bencher| {
        bencher.iter(|| {
            assert!(pair.client.chunk(&stream, chunk.clone()).is_ok());
            write(&mut pair.client, |slice| {
                black_box(slice);
            });
        });
    });
}

fn whole_invocation(criterion: &mut Criterion) {
    let mut pair = Pair::warm();
    criterion.benchmark_group("client and server").bench_function("an invocation", |bencher| {
        bencher.iter(|| pair.invoke());
    });
}

/// A runtime and its API, connected in memory.
struct Pair {
    client: Client,
    server: Server,
}

impl Pair {
    /// Returns them after one invocation, so that buffers have their final size.
    fn warm() -> Self {
        let client = Client::new(client::Config::new("127.0.0.1:9001".parse().unwrap()));
        let mut pair = Self { client, server: Server::new(Limits::default()) };
        pair.invoke();
        pair
    }

    fn invoke(&mut self) {
        let token = self.next();
        assert!(self.client.respond(token, Response::json(Bytes::from_static(EVENT))).is_ok());
        let Self { client, server } = self;
        write(client, |slice| server.receive(slice));
        await_request(server);
        assert!(server.reply(Reply::accepted()).is_ok());
        write_reply(server, |slice| client.receive(slice));
        assert!(matches!(client.poll_output(), Output::Event(client::Event::Reply(_))));
    }

    /// Delivers an invocation to the client.
    fn next(&mut self) -> InvocationToken {
        self.ask();
        assert!(self.server.reply(event()).is_ok());
        let Self { client, server } = self;
        write_reply(server, |slice| client.receive(slice));
        token_from(client)
    }

    fn ask(&mut self) {
        let Self { client, server } = self;
        assert!(client.next_invocation().is_ok());
        write(client, |slice| server.receive(slice));
        await_request(server);
    }
}

fn event() -> Reply {
    Reply::event(REQUEST_ID, Duration::from_millis(1_542_409_706_888), EVENT)
        .header(
            HeaderName::from_static("lambda-runtime-trace-id"),
            HeaderValue::from_static("Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=1"),
        )
        .header(
            HeaderName::from_static("lambda-runtime-invoked-function-arn"),
            HeaderValue::from_static("arn:aws:lambda:eu-west-1:123456789012:function:bench"),
        )
}

/// Returns the bytes of a reply to /next.
fn bytes_of_next() -> Vec<u8> {
    let mut pair = Pair::warm();
    pair.ask();
    assert!(pair.server.reply(event()).is_ok());
    let mut bytes = Vec::new();
    write_reply(&mut pair.server, |slice| bytes.extend_from_slice(slice));
    bytes
}

/// Writes all output of the client.
fn write(client: &mut Client, mut to: impl FnMut(&[u8])) {
    while let Output::Transmit(slices) = client.poll_output() {
        slices.iter().for_each(|slice| to(slice));
        let written = slices.iter().map(|slice| slice.len()).sum();
        client.sent(written);
    }
}

/// Writes all output of the server.
fn write_reply(server: &mut Server, mut to: impl FnMut(&[u8])) {
    while let Output::Transmit(slices) = server.poll_output() {
        slices.iter().for_each(|slice| to(slice));
        let written = slices.iter().map(|slice| slice.len()).sum();
        server.sent(written);
    }
}

/// Reads to the end of the current request.
fn await_request(server: &mut Server) {
    while let Output::Event(event) = server.poll_output() {
        if let server::Event::End(_) = event {
            return;
        }
    }
    panic!("the server did not receive a complete request");
}

fn token_from(client: &mut Client) -> InvocationToken {
    match client.poll_output() {
        Output::Event(client::Event::Invocation(invocation)) => invocation.into_token(),
        output => panic!("the client did not receive an invocation: {output:?}"),
    }
}
