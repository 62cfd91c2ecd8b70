//! The function URL: requests become events, and responses become replies.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

#[path = "../../emulator/tests/common/mod.rs"]
mod common;
#[path = "support/served.rs"]
mod served;

use base64::Engine as _;
use common::{Http, Received, Runtime, failure};
use lambda_emulator::front::{Access, Settings};
use lambda_runtime_emulator::{Emulator, MAX_EVENT};
use lambda_runtime_proto::client::{Invocation, StreamHead};
use serde_json::{Value, json};
use served::Served;

/// A request, without waiting for its reply.
fn send(served: &Served, request: &str) -> Http {
    let mut http = served.connect();
    http.write(request);
    http
}

fn get(served: &Served, target: &str, headers: &str) -> Http {
    send(served, &format!("GET {target} HTTP/1.1\r\nHost: localhost:9000\r\n{headers}\r\n"))
}

fn event(invocation: &Invocation) -> Value {
    serde_json::from_slice(&invocation.body()).unwrap()
}

/// The reply to a GET when the function responds with this.
fn reply_to(response: &str) -> Received {
    let served = Served::start();
    let mut caller = get(&served, "/", "");
    let mut runtime = Runtime::connect(&served);
    let invocation = runtime.next();
    runtime.respond(invocation, response.to_owned());
    caller.read()
}

#[test]
fn a_request_becomes_an_event_of_payload_format_2() {
    let served = Served::start();
    let _caller = get(
        &served,
        "/a%20path/b?x=1&y=%C3%A4+b&x=2",
        "User-Agent: test/1\r\nX-Twice: one\r\nx-twice: two\r\nCookie: a=1; b=2\r\nCookie: c=3\r\nConnection: close\r\n",
    );
    let invocation = Runtime::connect(&served).next();
    let mut event = event(&invocation);
    let context = event["requestContext"].take();
    assert_eq!(context["requestId"], invocation.request_id());
    assert_eq!((&context["domainName"], &context["domainPrefix"]), (&json!("localhost"), &json!("localhost")));
    assert_eq!(
        context["http"],
        json!({"method": "GET", "path": "/a%20path/b", "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1",
               "userAgent": "test/1"})
    );
    assert!(context["timeEpoch"].as_u64().unwrap() > 1_700_000_000_000);
    assert!(context["time"].as_str().unwrap().ends_with(" +0000"));
    assert_eq!(
        event,
        json!({
            "version": "2.0", "routeKey": "$default", "rawPath": "/a%20path/b", "rawQueryString": "x=1&y=%C3%A4+b&x=2",
            "cookies": ["a=1", "b=2", "c=3"],
            "headers": {"host": "localhost:9000", "user-agent": "test/1", "x-twice": "one,two"},
            "queryStringParameters": {"x": "1,2", "y": "ä b"},
            "requestContext": null, "isBase64Encoded": false,
        })
    );
}

#[test]
fn text_is_delivered_as_text_and_other_content_as_base64() {
    let served = Served::start();
    let mut runtime = Runtime::connect(&served);
    for (content_type, body, is_base64) in [
        ("application/json", "{\"a\": \"b\\n\"}\n".as_bytes(), false),
        ("application/x-www-form-urlencoded", b"a=b", false),
        ("text/plain; charset=latin1", b"\xe4", true),
        ("image/png", b"\x89PNG", true),
        ("", b"text", true),
    ] {
        let mut caller = served.connect();
        let length = body.len();
        caller.write(format!(
            "PUT /x HTTP/1.1\r\nHost: localhost\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n"
        ));
        caller.write(body);
        let invocation = runtime.next();
        let event = event(&invocation);
        let delivered = event["body"].as_str().unwrap();
        assert_eq!(event["isBase64Encoded"], is_base64, "{content_type}");
        match is_base64 {
            true => assert_eq!(base64::engine::general_purpose::STANDARD.decode(delivered).unwrap(), body),
            false => assert_eq!(delivered.as_bytes(), body),
        }
        runtime.respond(invocation, "1");
        assert_eq!(caller.read().status, 200);
    }
}

#[test]
fn a_buffered_response_has_status_headers_cookies_and_body() {
    let received = reply_to(
        r#"{"statusCode":201,"headers":{"Content-Type":"text/html","X-A":"b"},"cookies":["a=1","b=2"],"body":"<p>"}"#,
    );
    assert_eq!((received.status, received.text()), (201, "<p>"));
    assert_eq!((received.header("content-type"), received.header("x-a")), (Some("text/html"), Some("b")));
    let cookies = received.headers.iter().filter(|(name, _)| name == "set-cookie").map(|(_, value)| value.as_str());
    assert_eq!(cookies.collect::<Vec<_>>(), ["a=1", "b=2"]);
    assert!(received.header("x-amzn-requestid").is_some());

    assert_eq!(reply_to(r#"{"statusCode":200,"body":"iVBORw==","isBase64Encoded":true}"#).body, b"\x89PNG");
    let received = reply_to(r#"{"message":"Hello"}"#);
    assert_eq!((received.status, received.text()), (200, r#"{"message":"Hello"}"#));
    assert_eq!(received.header("content-type"), Some("application/json"));
    assert_eq!(reply_to(r#"{"statusCode":204}"#).status, 204);
}

#[test]
fn an_invalid_response_and_an_error_are_502() {
    for response in ["no JSON", r#"{"statusCode":99}"#, r#"{"statusCode":200,"headers":{"a":"b\nc"}}"#] {
        let received = reply_to(response);
        assert_eq!((received.status, received.text()), (502, "Internal Server Error"), "{response}");
    }
    let served = Served::start();
    let mut caller = get(&served, "/", "");
    let mut runtime = Runtime::connect(&served);
    let invocation = runtime.next();
    runtime.fail(invocation, failure("Function.Oops", "a secret"));
    let received = caller.read();
    assert_eq!((received.status, received.text()), (502, "Internal Server Error"));
}

fn prelude(json: &'static str) -> StreamHead {
    StreamHead::Http { prelude: json.into() }
}

#[test]
fn a_streamed_response_is_passed_on_as_it_is_written() {
    let served = Served::start();
    let mut caller = get(&served, "/", "");
    let mut runtime = Runtime::connect(&served);
    let invocation = runtime.next();
    let head =
        r#"{"statusCode":418,"headers":{"content-type":"text/event-stream","content-length":"3"},"cookies":["a=1"]}"#;
    let stream = runtime.stream_with(invocation, prelude(head));
    // The head comes before the first byte of the payload.
    let received = caller.read_head();
    assert_eq!((received.status, received.header("content-type")), (418, Some("text/event-stream")));
    assert_eq!((received.header("set-cookie"), received.header("content-length")), (Some("a=1"), None));
    for chunk in ["data: 1\n\n", "data: 2\n\n"] {
        runtime.chunk(&stream, chunk);
        assert_eq!(caller.read_chunk().unwrap(), chunk.as_bytes());
    }
    runtime.client.finish(stream).unwrap();
    runtime.flush();
    assert_eq!(caller.read_chunk().unwrap(), b"");
}

#[test]
fn a_prelude_may_arrive_in_any_pieces() {
    let body = b"{\"statusCode\":202,\"headers\":{\"x-a\":\"b\"}}\0\0\0\0\0\0\0\0payload";
    for cut in 1..body.len() {
        let served = Served::start();
        let mut caller = get(&served, "/", "");
        let mut http = Http::to_runtime_api(&served);
        let id = http.get("/2018-06-01/runtime/invocation/next");
        let id = id.header("lambda-runtime-aws-request-id").unwrap();
        http.write(format!(
            "POST /2018-06-01/runtime/invocation/{id}/response HTTP/1.1\r\nHost: localhost\r\n\
             Lambda-Runtime-Function-Response-Mode: streaming\r\nTransfer-Encoding: chunked\r\n\
             Content-Type: application/vnd.awslambda.http-integration-response\r\n\r\n"
        ));
        for piece in [&body[..cut], &body[cut..]] {
            http.write(format!("{:x}\r\n", piece.len()));
            http.write(piece);
            http.write("\r\n");
        }
        http.write("0\r\n\r\n");
        let received = caller.read();
        assert_eq!((received.status, received.text()), (202, "payload"), "{cut}");
        assert_eq!(received.header("x-a"), Some("b"));
    }
}

#[test]
fn a_stream_without_a_prelude_is_200() {
    let served = Served::start();
    let mut caller = get(&served, "/", "");
    let mut runtime = Runtime::connect(&served);
    let invocation = runtime.next();
    let stream = runtime.stream(invocation);
    let received = caller.read_head();
    assert_eq!((received.status, received.header("content-type")), (200, Some("text/plain")));
    runtime.chunk(&stream, "part");
    assert_eq!(caller.read_chunk().unwrap(), b"part");
    runtime.client.abort(stream, failure("Function.Midway", "it broke")).unwrap();
    runtime.flush();
    assert_eq!(caller.read_chunk(), None);
}

#[test]
fn a_stream_with_an_invalid_prelude_is_502() {
    for json in ["{", "[]", r#"{"statusCode":7}"#] {
        let served = Served::start();
        let mut caller = get(&served, "/", "");
        let mut runtime = Runtime::connect(&served);
        let invocation = runtime.next();
        let stream = runtime.stream_with(invocation, prelude(json));
        runtime.chunk(&stream, "payload");
        runtime.client.finish(stream).unwrap();
        runtime.flush();
        assert_eq!(caller.read().status, 502, "{json}");
    }
}

#[test]
fn replies_to_head_and_with_some_statuses_have_no_body() {
    let served = Served::start();
    let mut runtime = Runtime::connect(&served);
    let mut caller = served.connect();
    let mut request = |method: &str, respond: &mut dyn FnMut(&mut Runtime, Invocation)| {
        caller.write(format!("{method} / HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        let invocation = runtime.next();
        assert_eq!(event(&invocation)["requestContext"]["http"]["method"], method);
        respond(&mut runtime, invocation);
        caller.read_head()
    };
    let stream = |head: &'static str| {
        move |runtime: &mut Runtime, invocation| {
            let stream = runtime.stream_with(invocation, prelude(head));
            runtime.chunk(&stream, "payload");
            runtime.client.finish(stream).unwrap();
            runtime.reply();
        }
    };
    let respond = |response: &'static str| {
        move |runtime: &mut Runtime, invocation| {
            runtime.respond(invocation, response);
        }
    };
    let received = request("HEAD", &mut respond(r#"{"statusCode":200,"body":"Hello"}"#));
    assert_eq!((received.status, received.header("content-length")), (200, Some("5")));
    let received = request("HEAD", &mut respond(r#"{"statusCode":200,"headers":{"content-length":"7"}}"#));
    assert_eq!(received.header("content-length"), Some("7"));
    let received = request("HEAD", &mut stream(r#"{"statusCode":206}"#));
    assert_eq!(
        (received.status, received.header("content-length"), received.header("transfer-encoding")),
        (206, None, None)
    );
    let received = request("GET", &mut stream(r#"{"statusCode":204}"#));
    assert_eq!((received.status, received.header("transfer-encoding")), (204, None));
    // No body is left on the connection.
    let received = request("HEAD", &mut respond("1"));
    assert_eq!(received.status, 200);
}

#[test]
fn a_request_that_makes_the_event_too_large_is_413() {
    let served = Served::start();
    for (content_type, length) in
        [("text/plain", MAX_EVENT), ("image/png", MAX_EVENT * 3 / 4), ("text/plain", MAX_EVENT + 1)]
    {
        let body = "x".repeat(length);
        let received = served.call("/", &format!("Content-Type: {content_type}\r\n"), &body).read();
        assert_eq!(received.status, 413, "{content_type}");
    }
    let _caller = served.call("/", "Content-Type: text/plain\r\n", &"x".repeat(MAX_EVENT - 10_000));
    assert!(Runtime::connect(&served).next().body().len() <= MAX_EVENT);
}

#[test]
fn a_caller_that_expects_100_continue_gets_it() {
    let served = Served::start();
    let mut caller =
        send(&served, "POST / HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    assert_eq!(caller.read_head().status, 100);
    caller.write("{}");
    let mut runtime = Runtime::connect(&served);
    let invocation = runtime.next();
    assert_eq!(event(&invocation)["headers"].get("expect"), None);
    runtime.respond(invocation, "1");
    assert_eq!(caller.read().text(), "1");
}

#[test]
fn lambda_paths_and_invalid_paths_do_not_reach_the_function() {
    let served = Served::start();
    for (method, target, status) in [
        ("GET", "/2018-06-01/runtime/invocation/next", 404),
        ("GET", "/2015-03-31/functions/function", 404),
        ("GET", "/2015-03-31/functions/function/invocations", 404),
        ("OPTIONS", "*", 400),
    ] {
        let mut caller = send(&served, &format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        assert_eq!(caller.read().status, status, "{target}");
    }
    assert_eq!(served.observed().queued, 0);
    let _proxied = get(&served, "http://localhost:9000/a?b", "");
    let event = event(&Runtime::connect(&served).next());
    assert_eq!((&event["rawPath"], &event["rawQueryString"]), (&json!("/a"), &json!("b")));
}

#[test]
fn pages_of_permitted_origins_can_navigate_preflight_and_read() {
    const ORIGIN: &str = "http://localhost:3000";
    let access = Access { origins: vec![ORIGIN.to_owned()], ..Access::default() };
    let served = Served::with(Emulator::builder(), Settings { access, ..Settings::default() });
    let mut runtime = Runtime::connect(&served);

    let preflight = format!(
        "OPTIONS /items HTTP/1.1\r\nHost: localhost\r\nOrigin: {ORIGIN}\r\nAccess-Control-Request-Method: PATCH\r\n\
         Access-Control-Request-Headers: x-a\r\n\r\n"
    );
    let received = send(&served, &preflight).read();
    assert_eq!((received.status, received.header("access-control-allow-origin")), (204, Some(ORIGIN)));
    assert_eq!(received.header("access-control-allow-methods"), Some("PATCH"));
    assert_eq!(received.header("access-control-allow-headers"), Some("x-a"));

    let mut read = |headers: &str, response: &'static str| {
        let mut caller = get(&served, "/", headers);
        let invocation = runtime.next();
        runtime.respond(invocation, response);
        caller.read()
    };
    let origin = format!("Origin: {ORIGIN}\r\nSec-Fetch-Site: same-site\r\n");
    assert_eq!(read(&origin, "1").header("access-control-allow-origin"), Some(ORIGIN));
    // A function that handles CORS itself is not overruled.
    let received = read(&origin, r#"{"statusCode":200,"headers":{"access-control-allow-origin":"*"}}"#);
    let allowed = received.headers.iter().filter(|(name, _)| name == "access-control-allow-origin");
    assert_eq!(allowed.map(|(_, value)| value.as_str()).collect::<Vec<_>>(), ["*"]);
    // A link on a page, and an address that was typed.
    for headers in [
        "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nReferer: http://localhost:3000/\r\n",
        "Sec-Fetch-Site: none\r\nSec-Fetch-Mode: navigate\r\n",
        "Sec-Fetch-Site: same-origin\r\nReferer: http://localhost/page\r\n",
    ] {
        assert_eq!(read(headers, "1").status, 200, "{headers}");
    }
}

#[test]
fn other_pages_do_not_reach_the_function() {
    let access = Access { origins: vec!["http://localhost:3000".to_owned()], ..Access::default() };
    let served = Served::with(Emulator::builder(), Settings { access, ..Settings::default() });
    for headers in [
        "Origin: http://localhost:3001\r\n",
        "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\n",
        "Sec-Fetch-Site: same-site\r\nSec-Fetch-Mode: no-cors\r\nReferer: http://localhost:3001/\r\n",
        "Sec-Fetch-Site: cross-site\r\nReferer: http://localhost:3000.example.com/\r\n",
        "Sec-Fetch-Site: cross-site\r\nReferer: https://example.com/http://localhost:3000/\r\n",
        "Origin: http://localhost:3001\r\nAccess-Control-Request-Method: POST\r\n",
    ] {
        let received = get(&served, "/", headers).read();
        assert_eq!(received.status, 403, "{headers}");
        assert_eq!(received.header("access-control-allow-origin"), None);
    }
    assert_eq!(get(&served, "/", "X: y\r\nHost: example.com\r\n").read().status, 403);
    assert_eq!(served.observed().queued, 0);
}
