//! What goes well.

use std::time::Duration;

use lambda_runtime_proto::Endpoint::{Next, Response};

use super::{answer, give, nothing, serve, survives};
use crate::Scenario;
use crate::api::Act;
use crate::messages::{accepted, event};

pub(super) fn add(all: &mut Vec<Scenario>) {
    survives(all, "an event is answered", vec![serve(r#"{"a":[1,"ü"]}"#)], false, |played| {
        let taken = answer(played);
        assert_eq!(taken.text(), r#"{"a":[1,"ü"]}"#);
        assert_eq!(taken.field("content-type"), Some("application/json"));
        assert!(taken.field("host").is_some() && taken.field("user-agent").is_some());
        assert_eq!(played.requests[0].field("content-length"), None);
    });
    survives(
        all,
        "a hundred events are answered on one connection",
        vec![vec![serve("1"); 100].concat()],
        false,
        nothing,
    );
    survives(all, "a handler may wait", vec![serve(r#"{"do":"wait","turns":5}"#)], false, |played| {
        assert_eq!(answer(played).text(), r#""waited""#);
    });
    let large = format!("{:?}", "x".repeat(5 << 20));
    survives(all, "a large event is answered", vec![serve(&large)], false, move |played| {
        assert_eq!(answer(played).text(), large);
    });
    survives(all, "a large response is sent", vec![serve(r#"{"do":"large","bytes":5000000}"#)], false, |played| {
        assert_eq!(answer(played).body.len(), 5_000_002);
    });
    let chunked = b"HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: a\r\nTransfer-Encoding: chunked\r\n\r\n\
        1;x=y\r\n[\r\n2\r\n1]\r\n0\r\nTrailer: ignored\r\n\r\n";
    for (name, acts) in [
        ("a chunked event is understood", vec![Act::Send(chunked.to_vec())]),
        ("an event may come byte by byte", vec![Act::Drip(event("a", "[1]"))]),
        ("a chunked event may come byte by byte", vec![Act::Drip(chunked.to_vec())]),
        (
            "an event may come in two pieces, late",
            vec![
                Act::Send(event("a", "[1]")[..40].to_vec()),
                Act::Pause(Duration::from_millis(50)),
                Act::Send(event("a", "[1]")[40..].to_vec()),
            ],
        ),
        (
            "interim responses before an event are passed over",
            vec![
                Act::Send(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n".to_vec()),
                Act::Send(event("a", "[1]")),
            ],
        ),
        (
            "header names may be in any case",
            vec![Act::Send(
                b"HTTP/1.1 200 OK\r\nLAMBDA-RUNTIME-AWS-REQUEST-ID: a\r\nCONTENT-LENGTH: 3\r\n\r\n[1]".to_vec(),
            )],
        ),
        (
            "a reason phrase is not needed",
            vec![Act::Send(
                b"HTTP/1.1 200 \r\nLambda-Runtime-Aws-Request-Id: a\r\nContent-Length: 3\r\n\r\n[1]".to_vec(),
            )],
        ),
    ] {
        let script = vec![[vec![Act::Take(Next)], acts, vec![Act::Take(Response), Act::Send(accepted())]].concat()];
        survives(all, name, script, false, |played| assert_eq!(answer(played).text(), "[1]"));
    }
    let acknowledged = |acts: Vec<Act>| vec![[give("[1]"), vec![Act::Take(Response)], acts].concat()];
    survives(
        all,
        "an acknowledgement may come byte by byte",
        acknowledged(vec![Act::Drip(accepted())]),
        false,
        nothing,
    );
    survives(
        all,
        "an acknowledgement without a body will do",
        acknowledged(vec![Act::Send(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n".to_vec())]),
        false,
        nothing,
    );
    survives(
        all,
        "a chunked acknowledgement will do",
        acknowledged(vec![Act::Send(
            b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nOK\r\n0\r\n\r\n".to_vec(),
        )]),
        false,
        nothing,
    );
}
