//! What the API's statuses call for.

use lambda_runtime_proto::Endpoint::{Error, Next, Response};

use super::{answer, give, nothing, scenario, survives};
use crate::Scenario;
use crate::api::Act;
use crate::messages::{accepted, answer as reply, event, refusal};

pub(super) fn add(all: &mut Vec<Scenario>) {
    for (status, error_type) in [
        (400, "InvalidRequestID"),
        (400, "InvalidFunctionResponseMode"),
        (400, "TruncatedHTTPRequest"),
        (403, "InvalidStateTransition"),
        (410, "InvocationTimedOut"),
        (413, "RequestEntityTooLarge"),
        (404, "NotFound"),
    ] {
        let refused = |payload: &str, endpoint| {
            vec![[give(payload), vec![Act::Take(endpoint), Act::Send(refusal(status, error_type))]].concat()]
        };
        let name = format!("a response may be refused with {status} {error_type}, and is not followed by an error");
        survives(all, name, refused("1", Response), false, |played| assert_eq!(answer(played).endpoint, Response));
        let name = format!("an error may be refused with {status} {error_type}");
        survives(all, name, refused(r#"{"do":"error"}"#, Error), false, |played| {
            assert_eq!(answer(played).endpoint, Error);
        });
    }
    for (endpoint, payload) in [(Response, "1"), (Error, r#"{"do":"error"}"#)] {
        let acts = [give(payload), vec![Act::Take(endpoint), Act::Send(refusal(500, "InternalServerError"))]].concat();
        ends(all, format!("500 to {endpoint} ends run"), acts, "500 InternalServerError: words about");
    }
    for (status, error_type) in [(403, "InvalidStateTransition"), (500, "InternalServerError"), (404, "NotFound")] {
        let acts = vec![Act::Take(Next), Act::Send(refusal(status, error_type))];
        let words = format!("{status} {error_type}: words about");
        ends(all, format!("{status} to /next ends run, in the API's words"), acts, words);
    }
    let acts = vec![Act::Take(Next), Act::Send(reply(500, "<html>oops</html>"))];
    ends(all, "words that are no JSON are told as they are", acts, "500 <html>oops</html>");
    let acts = vec![Act::Take(Next), Act::Send(reply(500, "<html>\n\u{1b}[31moops\r\n</html>\n"))];
    ends(all, "words of many lines are told on one", acts, "500 <html>\\n\\u{1b}[31moops\\r\\n</html>");
    let long = format!(r#"{{"errorMessage":"{}","errorType":"Long"}}"#, "x".repeat(60_000));
    scenario(
        all,
        "words that are too many are cut",
        vec![vec![Act::Take(Next), Act::Send(reply(500, &long))]],
        |played| {
            let end = played.end.as_ref().unwrap_err();
            assert!(end.contains("500 Long: xxx") && end.len() < 10_000, "{} bytes", end.len());
        },
    );

    let none = |bytes: &[u8]| vec![vec![Act::Take(Next), Act::Send(bytes.to_vec())]];
    survives(all, "after 204 it asks again", none(b"HTTP/1.1 204 No Content\r\n\r\n"), false, nothing);
    survives(all, "after 200 without an id it asks again", none(&reply(200, "{}")), false, nothing);
    survives(all, "after 202 without an id it asks again", none(&accepted()), false, nothing);
    for id in ["", "a/../b", "..", "a b", "a?b", "a%2fb"] {
        let name = format!("an id that is not safe in a path is never sent: {id:?}");
        survives(all, name, none(&event(id, "1")), false, |played| {
            assert!(played.requests.iter().all(|taken| matches!(taken.id.as_str(), "" | "last")));
        });
    }
}

fn ends(all: &mut Vec<Scenario>, name: impl Into<String>, acts: Vec<Act>, words: impl Into<String>) {
    let words = words.into();
    scenario(all, name, vec![acts], move |played| {
        let end = played.end.as_ref().unwrap_err();
        assert!(end.contains(&words), "{end}");
        assert_eq!(played.connections, 1);
    });
}
