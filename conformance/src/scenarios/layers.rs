//! Layers that fail, and layers that lose what they were given.

use lambda_runtime_proto::Endpoint::{Error, Next};

use super::{answer, error, fail, serve, survives};
use crate::Scenario;
use crate::api::Act;
use crate::messages::{accepted, event};

pub(super) fn add(all: &mut Vec<Scenario>) {
    for (name, layer, error_type, words) in [
        ("a layer that fails", "refuse", "Function.Error", "the layer refuses"),
        ("a layer whose error has no words", "refuse without words", "Function.Panic", "there are no words for it"),
        ("a layer that panics when it is called", "panic", "Function.Panic", "a layer panicked at"),
        ("a layer that panics later", "panic later", "Function.Panic", "a layer panicked at"),
        ("a layer that never answers", "drop", "Runtime.NoResponse", "before the handler's response was complete"),
        (
            "a layer that loses the way to answer",
            "forget the extensions",
            "Function.ExtensionsLost",
            "without the extensions",
        ),
    ] {
        let event = format!(r#"{{"layer":"{layer}"}}"#);
        survives(all, format!("{name} is reported"), vec![fail(&event)], false, move |played| {
            let (header, _, message) = error(played);
            assert_eq!(header, error_type);
            assert!(message.contains(words), "{message}");
        });
    }
    let not_ready = [
        vec![Act::Take(Next), Act::Send(event("b", r#"{"layer":"not ready for the next"}"#))],
        vec![Act::Take(lambda_runtime_proto::Endpoint::Response), Act::Send(accepted())],
        vec![Act::Take(Next), Act::Send(event("a", "1"))],
        vec![Act::Take(Error), Act::Send(accepted())],
    ];
    survives(all, "a service that is not ready is reported", vec![not_ready.concat()], false, |played| {
        assert!(error(played).2.contains("the layer is not ready"));
    });
    let late = serve(r#"{"layer":"fail afterwards","n":1}"#);
    survives(all, "a layer that fails afterwards changes nothing", vec![late], false, |played| {
        assert_eq!(answer(played).text(), r#"{"layer":"fail afterwards","n":1}"#);
    });
    let left = serve(r#"{"layer":"leave early","do":"stream","chunks":2,"turns":3}"#);
    survives(all, "a layer that leaves a stream early tears it", vec![left], false, |played| {
        assert_eq!(answer(played).trailer("lambda-runtime-function-error-type"), Some("Runtime.NoResponse"));
    });
}
