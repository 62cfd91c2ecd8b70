//! The scenarios, as a table.

mod connections;
mod faults;
mod function;
mod headers;
mod layers;
mod statuses;
mod streams;
mod usual;

use lambda_runtime_proto::Endpoint::{Error, Next, Response};

use crate::api::{Act, Api, Script};
use crate::messages::{accepted, event, refusal};
use crate::{Played, Scenario, Start, Taken, judge};

/// All of them.
pub fn all() -> Vec<Scenario> {
    let mut all = Vec::new();
    usual::add(&mut all);
    connections::add(&mut all);
    statuses::add(&mut all);
    headers::add(&mut all);
    function::add(&mut all);
    layers::add(&mut all);
    streams::add(&mut all);
    faults::add(&mut all);
    all
}

/// Adds a scenario.
fn scenario(
    all: &mut Vec<Scenario>,
    name: impl Into<String>,
    script: Script,
    check: impl Fn(&Played) + Send + 'static,
) {
    let play = move |start: Start| {
        let api = Api::start(script);
        let end = start(api.address());
        let (requests, connections) = api.stop();
        judge(&Played { requests, connections, end }, check);
    };
    all.push(Scenario { name: name.into(), play: Box::new(play) });
}

/// Adds a scenario after which the function must still serve: on the last connection of `script`, or on one more if
/// `reconnects`.
fn survives(
    all: &mut Vec<Scenario>,
    name: impl Into<String>,
    mut script: Script,
    reconnects: bool,
    check: impl Fn(&Played) + Send + 'static,
) {
    match script.last_mut() {
        Some(last) if !reconnects => last.extend(last_invocation()),
        _ => script.push(last_invocation()),
    }
    let connections = script.len();
    scenario(all, name, script, move |played| {
        let answer = played.requests.iter().rev().nth(1).expect("the function asked for more");
        assert_eq!((answer.endpoint, answer.id.as_str(), answer.text()), (Response, "last", r#"{"last":true}"#));
        let end = played.end.as_ref().expect_err("403 on /next ends it");
        assert!(end.contains("403 InvalidStateTransition: words about"), "{end}");
        assert_eq!(played.connections, connections, "connections");
        check(played);
    });
}

/// One more invocation, and then the end by a refused /next.
fn last_invocation() -> Vec<Act> {
    vec![
        Act::Take(Next),
        Act::Send(event("last", r#"{"last":true}"#)),
        Act::Take(Response),
        Act::Send(accepted()),
        Act::Take(Next),
        Act::Send(refusal(403, "InvalidStateTransition")),
    ]
}

/// Hands out an event.
fn give(payload: &str) -> Vec<Act> {
    vec![Act::Take(Next), Act::Send(event("a", payload))]
}

/// Hands out an event, takes the response and acknowledges it.
fn serve(payload: &str) -> Vec<Act> {
    [give(payload), vec![Act::Take(Response), Act::Send(accepted())]].concat()
}

/// Hands out an event, takes the error and acknowledges it.
fn fail(payload: &str) -> Vec<Act> {
    [give(payload), vec![Act::Take(Error), Act::Send(accepted())]].concat()
}

fn nothing(_: &Played) {}

/// The requests that answer the invocation `a`.
fn answers(played: &Played) -> Vec<&Taken> {
    played.requests.iter().filter(|taken| taken.id == "a").collect()
}

/// The one answer to the invocation `a`.
fn answer(played: &Played) -> &Taken {
    match answers(played)[..] {
        [answer] => answer,
        ref others => panic!("{} answers instead of one", others.len()),
    }
}

/// The error that answers the invocation `a`, as its type by header, its type and its message.
fn error(played: &Played) -> (String, String, String) {
    let taken = answer(played);
    assert_eq!(taken.endpoint, Error);
    let header = taken.field("lambda-runtime-function-error-type").expect("the type's header").to_owned();
    let body: serde_json::Value = serde_json::from_slice(&taken.body).expect("the error is JSON");
    assert!(body["stackTrace"].is_array(), "{body}");
    let text = |name: &str| body[name].as_str().expect(name).to_owned();
    (header, text("errorType"), text("errorMessage"))
}
