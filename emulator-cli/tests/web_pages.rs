//! A browser lets any web page send requests to this machine: they must not reach the function.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

#[path = "../../emulator/tests/common/mod.rs"]
mod common;
#[path = "support/served.rs"]
mod served;

use common::{Http, Received, Runtime};
use lambda_emulator::front::{Access, Settings};
use lambda_runtime_emulator::Emulator;
use served::{INVOKE, Served};

fn allowing(origins: &[&str], hosts: &[&str]) -> Served {
    let owned = |list: &[&str]| list.iter().map(|&item| item.to_owned()).collect();
    let access = Access { origins: owned(origins), hosts: owned(hosts) };
    Served::with(Emulator::builder(), Settings { access, ..Settings::default() })
}

/// The reply to an asynchronous call with these headers, whose `Host` is that of the connection unless they have one.
fn call(served: &Served, headers: &[&str]) -> Received {
    let address = served.address();
    let mut headers: Vec<String> = headers.iter().map(|header| format!("{header}\r\n")).collect();
    if !headers.iter().any(|header| header.starts_with("Host:")) {
        headers.push(format!("Host: {address}\r\n"));
    }
    let headers = headers.concat();
    let mut http = served.connect();
    http.write(format!(
        "POST {INVOKE} HTTP/1.1\r\n{headers}X-Amz-Invocation-Type: Event\r\nContent-Length: 2\r\n\r\n{{}}"
    ));
    http.read()
}

#[test]
fn web_pages_of_other_origins_are_rejected() {
    let served = Served::start();
    for foreign in [
        "Origin: https://example.com",
        "Origin: http://127.0.0.1:1",
        "Origin: http://localhost:3000",
        "Origin: null",
        "Origin: ",
        "Sec-Fetch-Site: cross-site",
    ] {
        let received = call(&served, &[foreign]);
        assert_eq!(
            (received.status, received.header("x-amzn-errortype")),
            (403, Some("AccessDeniedException")),
            "{foreign}"
        );
        assert_eq!(received.header("access-control-allow-origin"), None);
    }
    assert_eq!(served.observed().queued, 0);
}

#[test]
fn requests_of_its_own_origin_and_of_other_programs_are_accepted() {
    let served = Served::start();
    let own = format!("Origin: http://{}", served.address());
    for headers in [&[] as &[&str], &[&own], &[&own, "Sec-Fetch-Site: same-origin"], &["Sec-Fetch-Site: none"]] {
        assert_eq!(call(&served, headers).status, 202, "{headers:?}");
    }
}

#[test]
fn a_host_is_an_address_or_localhost() {
    let served = Served::start();
    for allowed in ["127.0.0.1:9000", "192.168.0.7", "[::1]:9000", "[::1]", "localhost:80", "LocalHost"] {
        assert_eq!(call(&served, &[&format!("Host: {allowed}")]).status, 202, "{allowed}");
    }
    for rejected in
        ["example.com", "localhost.example.com:9000", "127.0.0.1.example.com", "1", "[::1", "localhost:x", ""]
    {
        assert_eq!(call(&served, &[&format!("Host: {rejected}")]).status, 403, "{rejected}");
    }
    // The page of an attacker whose name resolves to this machine has the emulator's origin.
    assert_eq!(call(&served, &["Host: example.com:9000", "Origin: http://example.com:9000"]).status, 403);
}

#[test]
fn other_hosts_can_be_allowed() {
    let served = allowing(&[], &["lambda.test", "host.docker.internal"]);
    for allowed in ["lambda.test", "Lambda.Test:9000", "host.docker.internal:9000", "localhost"] {
        assert_eq!(call(&served, &[&format!("Host: {allowed}")]).status, 202, "{allowed}");
    }
    assert_eq!(call(&served, &["Host: example.com"]).status, 403);
}

#[test]
fn pages_of_an_allowed_origin_may_invoke_and_read_the_reply() {
    const ORIGIN: &str = "http://localhost:3000";
    let served = allowing(&["https://example.com", ORIGIN], &[]);
    let received = call(&served, &[&format!("Origin: {ORIGIN}"), "Sec-Fetch-Site: cross-site"]);
    assert_eq!((received.status, received.header("access-control-allow-origin")), (202, Some(ORIGIN)));
    assert!(received.header("access-control-expose-headers").is_some_and(|exposed| exposed.starts_with("*, ")));
    assert_eq!(call(&served, &["Origin: http://localhost:3001"]).status, 403);

    let mut http = served.connect();
    let mut preflight = |origin: &str| {
        http.write(format!(
            "OPTIONS {INVOKE} HTTP/1.1\r\nHost: localhost\r\nOrigin: {origin}\r\nAccess-Control-Request-Method: POST\r\n\
             Access-Control-Request-Headers: content-type,x-amz-invocation-type\r\n\r\n"
        ));
        http.read()
    };
    let allowed = preflight(ORIGIN);
    assert_eq!((allowed.status, allowed.header("access-control-allow-origin")), (204, Some(ORIGIN)));
    assert_eq!(allowed.header("access-control-allow-headers"), Some("content-type,x-amz-invocation-type"));
    assert_eq!(allowed.header("access-control-allow-methods"), Some("POST"));
    assert_eq!(preflight("http://example.com").status, 403);
}

#[test]
fn pages_read_responses_and_errors_alike() {
    const ORIGIN: &str = "http://localhost:3000";
    let served = allowing(&[ORIGIN], &[]);
    let mut runtime = Runtime::connect(&served);
    let post = |headers: &str, body: &str| {
        let mut http = served.connect();
        http.write(format!(
            "POST {INVOKE} HTTP/1.1\r\nHost: localhost\r\nOrigin: {ORIGIN}\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            body.len()
        ));
        http
    };
    assert_eq!(post("", "{").read().header("access-control-allow-origin"), Some(ORIGIN));
    let mut caller = post("", "{}");
    let event = runtime.next();
    runtime.respond(event, "1");
    assert_eq!(caller.read().header("access-control-allow-origin"), Some(ORIGIN));
}

#[test]
fn the_runtime_api_accepts_no_requests_of_browsers() {
    let emulator = Emulator::start().unwrap();
    let _queued = emulator.start_invocation("{}").unwrap();
    for header in ["Origin: http://localhost:3000", "Sec-Fetch-Site: same-site", "Sec-Fetch-Site: cross-site"] {
        let mut http = Http::to_runtime_api(&emulator);
        http.write(format!("GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: localhost\r\n{header}\r\n\r\n"));
        assert_eq!(http.read().status, 403, "{header}");
    }
    assert_eq!(emulator.observed().queued, 1);
}
