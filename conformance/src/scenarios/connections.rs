//! Connections that break, and bytes that are no HTTP.

use std::time::Duration;

use lambda_runtime_proto::Endpoint::{Error, Next, Response};

use super::{answer, answers, give, nothing, scenario, serve, survives};
use crate::Scenario;
use crate::api::Act;
use crate::messages::{accepted, answer_with, event};

pub(super) fn add(all: &mut Vec<Scenario>) {
    broken(all);
    closing(all);
    no_http(all);
    ended_meanwhile(all);
    scenario(
        all,
        "an API that cannot be reached ends run with its address and the number of tries",
        vec![],
        |played| {
            let end = played.end.as_ref().unwrap_err();
            assert!(
                end.contains("127.0.0.1:") && end.contains("cannot be reached") && end.contains("(attempts: "),
                "{end}"
            );
        },
    );
    scenario(
        all,
        "an API that speaks no HTTP ends run with what it said",
        vec![vec![Act::Take(Next), Act::Send(b"SSH-2.0-OpenSSH\r\n".to_vec())]; 20],
        |played| {
            let end = played.end.as_ref().unwrap_err();
            assert!(end.contains("does not speak HTTP/1") && !end.contains("cannot be reached"), "{end}");
            assert!(played.connections < 20, "it gives up after a few");
        },
    );
}

/// Every way to break a connection, at every point.
fn broken(all: &mut Vec<Scenario>) {
    for (fault, acts) in [
        ("closed", vec![]),
        ("reset", vec![Act::Reset]),
        ("half closed", vec![Act::HalfClose, Act::Pause(Duration::from_millis(20))]),
    ] {
        let broken = |before: Vec<Act>| [before, acts.clone()].concat();
        let again = || vec![Act::Take(Response), Act::Send(accepted())];
        let name = |when: &str| format!("a connection may be {fault} {when}");
        survives(all, name("before the first request"), vec![broken(vec![])], true, nothing);
        survives(all, name("while waiting for an event"), vec![broken(vec![Act::Take(Next)])], true, nothing);
        survives(all, name("between two invocations"), vec![broken(serve("1"))], true, |played| {
            assert_eq!(answer(played).text(), "1");
        });
        let head = event("a", "[1,2,3]")[..30].to_vec();
        let half = [vec![Act::Take(Next)], vec![Act::Send(head)]].concat();
        survives(all, name("in the head of an event"), vec![broken(half)], true, nothing);
        let most = event("a", "[1,2,3]");
        let half = [vec![Act::Take(Next)], vec![Act::Send(most[..most.len() - 3].to_vec())]].concat();
        survives(all, name("in the body of an event"), vec![broken(half)], true, nothing);

        // From here on there is an answer to be sent again on the next connection.
        let resent = |played: &crate::Played| {
            let answers = answers(played);
            assert!(answers.last().is_some_and(|last| last.whole && last.text() == "[1]"), "{answers:?}");
        };
        survives(all, name("after the event"), vec![broken(give("[1]")), again()], false, resent);
        let unacknowledged = [give("[1]"), vec![Act::Take(Response)]].concat();
        survives(all, name("before the acknowledgement"), vec![broken(unacknowledged.clone()), again()], false, resent);
        let half = [unacknowledged, vec![Act::Send(accepted()[..20].to_vec())]].concat();
        survives(all, name("in the acknowledgement"), vec![broken(half), again()], false, resent);
        let half = [give(r#"{"do":"large","bytes":5000000}"#), vec![Act::TakeSome(Response, 1000)]].concat();
        survives(all, name("in a large response"), vec![broken(half), again()], false, |played| {
            let last = *answers(played).last().unwrap();
            assert!(last.whole && last.body.len() == 5_000_002);
        });
    }
}

/// Connections that close in an orderly way, and often.
fn closing(all: &mut Vec<Scenario>) {
    let late = [vec![Act::ListenAfter(Duration::from_millis(300))], serve("1")].concat();
    survives(all, "an API that comes up late is waited for", vec![late], false, |played| {
        assert_eq!(answer(played).text(), "1");
    });
    let close = "Connection: close\r\n";
    let event_then_close = |fields: &str| {
        let head = "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: a\r\n";
        vec![Act::Take(Next), Act::Send(format!("{head}{fields}Content-Length: 1\r\n\r\n1").into_bytes())]
    };
    let again = || vec![Act::Take(Response), Act::Send(accepted())];
    let script = vec![event_then_close(close), again()];
    survives(all, "an event may end its connection", script, false, |played| assert_eq!(answer(played).text(), "1"));
    let script = vec![event_then_close("Connection: foo, Close\r\n"), again()];
    survives(all, "close may be one option of several", script, false, nothing);
    let http_1_0 = b"HTTP/1.0 200 OK\r\nLambda-Runtime-Aws-Request-Id: a\r\n\r\n1".to_vec();
    let script = vec![vec![Act::Take(Next), Act::Send(http_1_0)], again()];
    survives(all, "an HTTP/1.0 event lasts until its connection ends", script, false, |played| {
        assert_eq!(answer(played).text(), "1");
    });
    let acknowledged = [give("1"), vec![Act::Take(Response), Act::Send(answer_with(202, close, "{}"))]].concat();
    survives(all, "an acknowledgement may end its connection", vec![acknowledged], true, |played| {
        assert_eq!(answer(played).text(), "1");
    });
    let refused = [give("1"), vec![Act::Take(Response), Act::Send(answer_with(400, close, "{}"))]].concat();
    survives(all, "a refusal may end its connection", vec![refused], true, nothing);
    let none = vec![Act::Take(Next), Act::Send(format!("HTTP/1.1 204 No Content\r\n{close}\r\n").into_bytes())];
    survives(all, "no content may end its connection", vec![none], true, nothing);
    survives(
        all,
        "a thousand connections may close one after the other",
        vec![vec![Act::Take(Next)]; 1000],
        true,
        nothing,
    );
    survives(all, "a thousand connections may each serve once", vec![serve("1"); 1000], true, |played| {
        assert_eq!(answers(played).len(), 1000);
    });
}

/// Connections that end while the handler runs: the answer takes another one. The handler takes long enough for that, even
/// where the machine has much else to do.
fn ended_meanwhile(all: &mut Vec<Scenario>) {
    let timeout = "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    for (how, last_words) in [("closed", vec![]), ("timed out", vec![Act::Send(timeout.into())])] {
        for (what, event) in [
            ("response", r#"{"after_ms":1000}"#),
            ("stream", r#"{"do":"stream","chunks":3,"after_ms":1000}"#),
            ("error", r#"{"do":"error","after_ms":1000}"#),
        ] {
            let endpoint = if what == "error" { Error } else { Response };
            let first = [give(event), last_words.clone()].concat();
            let script = vec![first, vec![Act::Take(endpoint), Act::Send(accepted())]];
            let name = format!("a connection may be {how} while the handler works on a {what}");
            survives(all, name, script, false, |played| assert!(answer(played).whole));
        }
    }
}

/// Bytes that are no answer: the connection is given up and the request sent again.
fn no_http(all: &mut Vec<Scenario>) {
    for (what, bytes) in [
        ("another protocol", "SSH-2.0-OpenSSH\r\n"),
        ("HTTP/2", "HTTP/2 200\r\n\r\n"),
        ("lines that end in LF", "HTTP/1.1 200 OK\nContent-Length: 0\n\n"),
        ("two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 1\r\n\r\n"),
        ("a length that is no number", "HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n"),
        ("a length beside chunked", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n"),
        ("an unknown coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n"),
        ("a bad chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"),
        ("a body over the limit", "HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n"),
        ("a folded header", "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n"),
        ("a switch of protocols", "HTTP/1.1 101 Switching Protocols\r\n\r\n"),
    ] {
        let bytes = bytes.as_bytes().to_vec();
        let script = vec![vec![Act::Take(Next), Act::Send(bytes.clone())]];
        survives(all, format!("{what} instead of an event is survived"), script, true, nothing);
        // With a valid head it is an acknowledgement, whatever follows.
        let acknowledges = matches!(what, "a bad chunk" | "a body over the limit");
        let mut script = vec![[give("[1]"), vec![Act::Take(Response), Act::Send(bytes)]].concat()];
        if !acknowledges {
            script.push(vec![Act::Take(Response), Act::Send(accepted())]);
        }
        let name = format!("{what} instead of an acknowledgement is survived");
        survives(all, name, script, acknowledges, move |played| {
            let sent = if acknowledges { 1 } else { 2 };
            assert_eq!(answers(played).len(), sent, "it is resent unless its status is known");
        });
    }
    let doubled = [give("[1]"), vec![Act::Take(Response), Act::Send([accepted(), accepted()].concat())]].concat();
    survives(all, "a second acknowledgement that nobody asked for is survived", vec![doubled], true, nothing);
}
