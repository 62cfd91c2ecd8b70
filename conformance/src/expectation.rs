//! Expectations, and how a transcript is checked against them.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::RangeInclusive;

use base64::Engine as _;
use lambda_runtime_proto::Endpoint;
use serde_json::Value;

use crate::content::{Content, Excerpt};
use crate::contract::{self, require};
use crate::{RecordedRequest, Transcript};

/// Something that must have happened in a scenario.
#[derive(Debug, Clone)]
pub enum Expectation {
    /// The last request about an invocation is a complete buffered response.
    Response {
        /// The request id.
        id: String,
        /// The body.
        body: Content,
    },
    /// The same, and the body is a JSON object.
    ResponseMembers {
        /// The request id.
        id: String,
        /// Members that the object has, besides others.
        members: Value,
    },
    /// The last request about an invocation is a complete streamed response with a metadata prelude.
    Stream {
        /// The request id.
        id: String,
        /// The body after the prelude and its delimiter.
        payload: Content,
        /// How it ends.
        end: StreamEnd,
    },
    /// The last request about an invocation is an incomplete response.
    Incomplete {
        /// The request id.
        id: String,
        /// Length of the body that arrived, in bytes.
        received: RangeInclusive<usize>,
    },
    /// The last request about an invocation is a complete report to /error.
    Error {
        /// The request id.
        id: String,
        /// `Lambda-Runtime-Function-Error-Type`.
        header: String,
        /// `errorType`.
        error_type: String,
        /// A part of `errorMessage`.
        message: String,
    },
    /// The last request about an invocation is a complete buffered response with the same JSON value.
    JsonResponse {
        /// The request id.
        id: String,
        /// A body.
        body: Content,
    },
    /// There is a complete report to an endpoint without a request id.
    Report {
        /// The endpoint.
        endpoint: Endpoint,
        /// `errorType`.
        error_type: String,
        /// A part of `errorMessage`.
        message: String,
    },
    /// The number of requests about an invocation. It is 1 if an expectation names the invocation, but none of this kind.
    Attempts {
        /// The request id.
        id: String,
        /// This many.
        count: usize,
    },
    /// All requests about invocations are about these.
    OnlyInvocations(Vec<String>),
    /// A header of the first request to an endpoint.
    Header {
        /// The endpoint.
        endpoint: Endpoint,
        /// The name in lower case.
        name: &'static str,
        /// The value.
        value: HeaderValue,
    },
    /// The number of connections.
    Connections(RangeInclusive<usize>),
    /// The function ends with an error whose message contains these texts. Where only the exit code of a process is
    /// known, it ends.
    EndsWith(Vec<String>),
    /// The function ends with an error, or an exit code that is not 0.
    EndsWithError,
    /// The message of that error is shorter than this many bytes.
    EndIsShorterThan(usize),
    /// The request about an invocation has at least this many bytes.
    ReceivedAtLeast {
        /// The request id.
        id: String,
        /// The number of bytes.
        bytes: usize,
    },
    /// The function's process used at most this many KiB more at the last sample than at the first.
    MemoryGrowth(u64),
    /// An expectation of this project's runtime, which another runtime need not meet.
    Own(Box<Expectation>),
    /// Something that data cannot express.
    Custom {
        /// The expectation, as a noun phrase.
        sentence: &'static str,
        /// Returns the contradicting finding.
        check: fn(&Transcript) -> Result<(), String>,
    },
}

/// The end of a streamed response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamEnd {
    /// The stream is complete.
    Complete {
        /// The trailers, names in lower case.
        trailers: Vec<(String, String)>,
    },
    /// An error in trailers.
    Failed {
        /// `Lambda-Runtime-Function-Error-Type`.
        error_type: String,
        /// A part of the decoded `Lambda-Runtime-Function-Error-Body`.
        message: String,
    },
}

/// An expectation about a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeaderValue {
    /// This value.
    Is(&'static str),
    /// Any value.
    Present,
    /// The header is absent.
    Absent,
}

/// How outcomes are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// Byte by byte, as this project's runtime sends them.
    Exact,
    /// As any runtime may send them: JSON as values, and of an error only the texts that the contract names.
    Contract,
}

impl Transcript {
    /// Checks everything, and returns all expectations that were not met.
    pub(crate) fn check<'a>(
        &self,
        expectations: impl Iterator<Item = &'a Expectation>,
        reading: Reading,
    ) -> Result<(), String> {
        let failures = expectations.filter_map(|expectation| {
            let found = expectation.check(self, reading).err()?;
            Some(format!("expected: {expectation}\nfound: {found}"))
        });
        let failures: Vec<_> = failures.collect();
        if failures.is_empty() { Ok(()) } else { Err(failures.join("\n")) }
    }
}

/// The invocations about which a request is expected, without a statement of how many.
pub(crate) fn uncounted(expectations: &[Expectation]) -> BTreeSet<&str> {
    let mut ids: BTreeSet<_> = expectations.iter().filter_map(Expectation::invocation).collect();
    for expectation in expectations {
        if let Expectation::Attempts { id, .. } = expectation {
            ids.remove(id.as_str());
        }
    }
    ids
}

impl Expectation {
    /// The invocation about which it expects a request.
    fn invocation(&self) -> Option<&str> {
        match self {
            Self::Response { id, .. }
            | Self::JsonResponse { id, .. }
            | Self::ResponseMembers { id, .. }
            | Self::Stream { id, .. }
            | Self::Incomplete { id, .. }
            | Self::Error { id, .. }
            | Self::ReceivedAtLeast { id, .. } => Some(id),
            Self::Own(own) => own.invocation(),
            _ => None,
        }
    }

    /// Returns the contradicting finding.
    fn check(&self, transcript: &Transcript, reading: Reading) -> Result<(), String> {
        let exact = reading == Reading::Exact;
        match self {
            // Another runtime chooses the number of its connections and the texts of its errors.
            Self::Own(_) | Self::Connections(_) | Self::EndIsShorterThan(_) if !exact => Ok(()),
            Self::Own(own) => own.check(transcript, reading),
            Self::Response { id, body } => {
                let found = buffered(transcript, id, reading)?;
                let expected = body.to_bytes();
                let equal = found == expected || (!exact && same_json(found, &expected));
                require(equal, || format!("{}", Excerpt(found)))
            }
            Self::JsonResponse { id, body } => {
                let found = buffered(transcript, id, reading)?;
                require(same_json(found, &body.to_bytes()), || format!("{}", Excerpt(found)))
            }
            Self::Report { endpoint, error_type, message } => {
                let request = transcript.requests.iter().find(|request| request.endpoint == *endpoint);
                let request = request.filter(|request| request.complete).ok_or("no such report")?;
                contract::check_error(&json(&request.body)?, error_type, message)
            }
            Self::ResponseMembers { id, members } => {
                let found = json(buffered(transcript, id, reading)?)?;
                let members = members.as_object().into_iter().flatten();
                let differs = |(name, value): &(&String, &Value)| match exact {
                    true => found[name.as_str()] != **value,
                    false => !contract::same_member(name, &found[name.as_str()], value),
                };
                let differing: Vec<_> = members.filter(differs).collect();
                require(differing.is_empty(), || format!("{found}"))
            }
            Self::Stream { id, payload, end } => {
                let request = streamed(transcript, id, reading)?;
                let found = if exact { payload_of(&request.body)? } else { contract::payload_of(request)? };
                require(found == payload.to_bytes(), || format!("a payload of {}", Excerpt(found)))?;
                require(request.complete, || "an incomplete request".to_owned())?;
                end.check(request, reading)
            }
            Self::Incomplete { id, received } => {
                let request = last(transcript, id, Endpoint::Response)?;
                require(!request.complete, || "a complete response".to_owned())?;
                require(received.contains(&request.received), || format!("{} bytes", request.received))
            }
            Self::Error { id, header, error_type, message } => {
                let request = last(transcript, id, Endpoint::Error)?;
                require(request.complete, || "an incomplete request".to_owned())?;
                if !exact {
                    return contract::check_error(&json(&request.body)?, error_type, message);
                }
                let found = request.header(ERROR_TYPE).unwrap_or_default();
                require(found == header, || format!("the header {found:?}"))?;
                let found = json(&request.body)?;
                require(found["stackTrace"].is_array(), || format!("no stack trace in {found}"))?;
                let found_message = found["errorMessage"].as_str().unwrap_or_default();
                require(found["errorType"] == **error_type && found_message.contains(message), || found.to_string())
            }
            Self::Attempts { id, count } => {
                let found = transcript.of(id).count();
                require(found == *count, || found.to_string())
            }
            Self::OnlyInvocations(ids) => {
                let other =
                    transcript.requests.iter().find(|request| !request.id.is_empty() && !ids.contains(&request.id));
                other.map_or(Ok(()), |request| Err(request.to_string()))
            }
            Self::Header { endpoint, name, value } => {
                let request = transcript.requests.iter().find(|request| request.endpoint == *endpoint);
                let found = request.ok_or("no such request")?.header(name);
                let met = match value {
                    HeaderValue::Is(value) => found == Some(value),
                    HeaderValue::Present => found.is_some(),
                    HeaderValue::Absent => found.is_none(),
                };
                require(met, || format!("{found:?}"))
            }
            Self::Connections(count) => {
                require(count.contains(&transcript.connections), || transcript.connections.to_string())
            }
            Self::EndsWithError => error_of(transcript).map(drop),
            Self::EndsWith(_) if !exact => require(transcript.end.is_some(), || "it did not end".to_owned()),
            Self::EndsWith(texts) => {
                let error = error_of(transcript)?;
                let missing = texts.iter().find(|text| !error.contains(*text));
                missing.map_or(Ok(()), |text| Err(format!("{text:?} is not in {error:?}")))
            }
            Self::EndIsShorterThan(bytes) => {
                let found = error_of(transcript)?.len();
                require(found < *bytes, || format!("{found} bytes"))
            }
            Self::ReceivedAtLeast { id, bytes } => {
                let found = last(transcript, id, Endpoint::Response)?.received;
                require(found >= *bytes, || format!("{found} bytes"))
            }
            Self::MemoryGrowth(limit) => {
                let (first, last) = transcript.memory.first().zip(transcript.memory.last()).ok_or("no samples")?;
                let grown = last.saturating_sub(*first);
                require(grown <= *limit, || format!("{grown} KiB"))
            }
            Self::Custom { check, .. } => check(transcript),
        }
    }
}

impl StreamEnd {
    fn check(&self, request: &RecordedRequest, reading: Reading) -> Result<(), String> {
        match self {
            Self::Complete { .. } if reading == Reading::Contract => {
                require(request.trailer(ERROR_TYPE).is_none(), || format!("the trailers {:?}", request.trailers))
            }
            Self::Complete { trailers } => {
                require(request.trailers == *trailers, || format!("the trailers {:?}", request.trailers))
            }
            Self::Failed { error_type, message } => {
                let found = request.trailer(ERROR_TYPE);
                let met = match reading {
                    Reading::Exact => found == Some(error_type),
                    Reading::Contract => found.is_some_and(|found| !found.is_empty()),
                };
                require(met, || format!("the trailers {:?}", request.trailers))?;
                let body = request.trailer("lambda-runtime-function-error-body").unwrap_or_default();
                let body = base64::engine::general_purpose::STANDARD.decode(body);
                let body = body.map_err(|error| format!("the error's body is not base64: {error}"))?;
                let found = json(&body)?;
                let contains = found["errorMessage"].as_str().is_some_and(|found| found.contains(message));
                require(contains, || format!("{found}"))
            }
        }
    }
}

const ERROR_TYPE: &str = "lambda-runtime-function-error-type";
const MODE: &str = "lambda-runtime-function-response-mode";

fn last<'a>(transcript: &'a Transcript, id: &str, endpoint: Endpoint) -> Result<&'a RecordedRequest, String> {
    let request = transcript.of(id).next_back().ok_or("no request about it")?;
    require(request.endpoint == endpoint, || format!("a request to {}", request.endpoint))?;
    Ok(request)
}

/// The body of a buffered response. A runtime whose handlers stream every response may stream this one, too.
fn buffered<'a>(transcript: &'a Transcript, id: &str, reading: Reading) -> Result<&'a [u8], String> {
    let request = last(transcript, id, Endpoint::Response)?;
    require(request.complete, || "an incomplete request".to_owned())?;
    if reading == Reading::Contract {
        return contract::payload_of(request);
    }
    require(request.header(MODE).is_none(), || "a streamed response".to_owned())?;
    Ok(&request.body)
}

fn streamed<'a>(transcript: &'a Transcript, id: &str, reading: Reading) -> Result<&'a RecordedRequest, String> {
    let request = last(transcript, id, Endpoint::Response)?;
    require(request.header(MODE) == Some("streaming"), || "a buffered response".to_owned())?;
    if reading == Reading::Contract {
        return Ok(request);
    }
    let content_type = request.header("content-type");
    require(content_type == Some("application/vnd.awslambda.http-integration-response"), || {
        format!("the content type {content_type:?}")
    })?;
    let announced = request.headers.iter().filter(|(name, _)| name == "trailer").map(|(_, value)| value.to_lowercase());
    let announced: Vec<_> = announced.collect();
    require(announced == [ERROR_TYPE, "lambda-runtime-function-error-body"], || {
        format!("the announced trailers {announced:?}")
    })?;
    Ok(request)
}

/// The body after the prelude and its delimiter.
pub(crate) fn payload_of(body: &[u8]) -> Result<&[u8], String> {
    let delimiter = body.windows(8).position(|window| window == [0; 8]);
    let (prelude, rest) = body.split_at(delimiter.ok_or("no delimiter after the prelude")?);
    let prelude = json(prelude)?;
    let complete = prelude["statusCode"] == 200
        && prelude["headers"]["content-type"] == "application/octet-stream"
        && prelude["cookies"].is_array();
    require(complete, || format!("the prelude {prelude}"))?;
    Ok(&rest[8..])
}

fn same_json(one: &[u8], other: &[u8]) -> bool {
    let values = [one, other].map(serde_json::from_slice::<Value>);
    matches!(&values, [Ok(one), Ok(other)] if one == other)
}

fn json(bytes: &[u8]) -> Result<Value, String> {
    serde_json::from_slice(bytes).map_err(|error| format!("{}, which is not JSON: {error}", Excerpt(bytes)))
}

fn error_of(transcript: &Transcript) -> Result<&String, String> {
    match &transcript.end {
        Some(Err(error)) => Ok(error),
        Some(Ok(())) => Err("it ended without an error".to_owned()),
        None => Err("it did not end".to_owned()),
    }
}

impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Response { id, body } => write!(f, "a response to {id:?} of {body}"),
            Self::JsonResponse { id, body } => write!(f, "a response to {id:?} with the JSON value of {body}"),
            Self::Report { endpoint, error_type, message } => {
                write!(f, "a report to {endpoint}: type {error_type}, message: …{message}…")
            }
            Self::ResponseMembers { id, members } => write!(f, "a response to {id:?} with {members}"),
            Self::Stream { id, payload, end } => {
                write!(f, "a streamed response to {id:?} with a payload of {payload}, ")?;
                match end {
                    StreamEnd::Complete { trailers } if trailers.is_empty() => f.write_str("without trailers"),
                    StreamEnd::Complete { trailers } => write!(f, "with the trailers {trailers:?}"),
                    StreamEnd::Failed { error_type, message } => {
                        write!(f, "ending with the error {error_type}, message: …{message}…")
                    }
                }
            }
            Self::Incomplete { id, received } => {
                write!(f, "an incomplete response to {id:?} of {received:?} bytes")
            }
            Self::Error { id, header, error_type, message } => {
                write!(f, "an error for {id:?}: header {header}, type {error_type}, message: …{message}…")
            }
            Self::Attempts { id, count } => write!(f, "{count} requests about {id:?}"),
            Self::OnlyInvocations(ids) => write!(f, "requests only about {ids:?}"),
            Self::Header { endpoint, name, value } => write!(f, "the header {name} of {endpoint}: {value:?}"),
            Self::Connections(count) if count.start() == count.end() => write!(f, "{} connections", count.start()),
            Self::Connections(count) => write!(f, "{count:?} connections"),
            Self::EndsWith(texts) => write!(f, "the function ends with an error that contains {texts:?}"),
            Self::EndsWithError => f.write_str("the function ends with an error, or an exit code that is not 0"),
            Self::EndIsShorterThan(bytes) => write!(f, "an error message of less than {bytes} bytes"),
            Self::ReceivedAtLeast { id, bytes } => write!(f, "at least {bytes} bytes of the response to {id:?}"),
            Self::MemoryGrowth(limit) => write!(f, "memory growth of at most {limit} KiB"),
            Self::Own(own) => own.fmt(f),
            Self::Custom { sentence, .. } => f.write_str(sentence),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(endpoint: Endpoint, headers: &[(&str, &str)], body: &[u8]) -> RecordedRequest {
        let owned = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
        RecordedRequest {
            endpoint,
            id: "a".to_owned(),
            headers: headers.iter().map(owned).collect(),
            body: body.to_vec(),
            received: body.len(),
            trailers: Vec::new(),
            complete: true,
        }
    }

    fn response(body: &[u8]) -> RecordedRequest {
        request(Endpoint::Response, &[], body)
    }

    fn error() -> RecordedRequest {
        let body = br#"{"errorType":"T","errorMessage":"a message","stackTrace":[]}"#;
        request(Endpoint::Error, &[(ERROR_TYPE, "Function.T")], body)
    }

    fn report(error_type: &str, message: &str) -> RecordedRequest {
        let body = format!(r#"{{"errorType":"{error_type}","errorMessage":"{message}"}}"#);
        RecordedRequest { id: String::new(), ..request(Endpoint::InitError, &[], body.as_bytes()) }
    }

    fn stream(payload: &str) -> RecordedRequest {
        let headers = [
            (MODE, "streaming"),
            ("content-type", "application/vnd.awslambda.http-integration-response"),
            ("trailer", "Lambda-Runtime-Function-Error-Type"),
            ("trailer", "Lambda-Runtime-Function-Error-Body"),
        ];
        let prelude = r#"{"statusCode":200,"headers":{"content-type":"application/octet-stream"},"cookies":[]}"#;
        request(Endpoint::Response, &headers, format!("{prelude}\0\0\0\0\0\0\0\0{payload}").as_bytes())
    }

    fn failed(stream: RecordedRequest) -> RecordedRequest {
        let body = base64::engine::general_purpose::STANDARD.encode(r#"{"errorMessage":"a message"}"#);
        let trailers = [(ERROR_TYPE, "Function.T"), ("lambda-runtime-function-error-body", &body)];
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        RecordedRequest { trailers: trailers.map(owned).into(), ..stream }
    }

    fn incomplete(request: RecordedRequest) -> RecordedRequest {
        RecordedRequest { complete: false, ..request }
    }

    fn transcript(requests: impl Into<Vec<RecordedRequest>>) -> Transcript {
        Transcript { requests: requests.into(), connections: 1, ..Transcript::default() }
    }

    fn ended(end: Result<(), &str>) -> Transcript {
        Transcript { end: Some(end.map_err(str::to_owned)), ..Transcript::default() }
    }

    #[test]
    fn an_expectation_is_met_by_one_transcript_and_not_by_others() {
        let id = || "a".to_owned();
        let expect_stream = |end| Expectation::Stream { id: id(), payload: "x".into(), end };
        let complete = StreamEnd::Complete { trailers: Vec::new() };
        let failure = StreamEnd::Failed { error_type: "Function.T".to_owned(), message: "message".to_owned() };
        let memory = |last| Transcript { memory: vec![100, last], ..Transcript::default() };
        for (expectation, met, others) in [
            (
                Expectation::Response { id: id(), body: "1".into() },
                transcript([incomplete(response(b"2")), response(b"1")]),
                vec![
                    transcript([]),
                    transcript([response(b"2")]),
                    transcript([incomplete(response(b"1"))]),
                    transcript([request(Endpoint::Error, &[], b"1")]),
                    transcript([request(Endpoint::Response, &[(MODE, "streaming")], b"1")]),
                    transcript([response(b"1"), error()]),
                ],
            ),
            (
                Expectation::ResponseMembers { id: id(), members: serde_json::json!({"n": 1, "absent": null}) },
                transcript([response(br#"{"n":1,"m":2}"#)]),
                vec![transcript([response(br#"{"n":2}"#)]), transcript([response(b"n")])],
            ),
            (
                Expectation::JsonResponse { id: id(), body: "[1, 2]".into() },
                transcript([response(b"[1,2]")]),
                vec![transcript([response(b"[1]")]), transcript([incomplete(response(b"[1,2]"))]), transcript([])],
            ),
            (
                Expectation::Report {
                    endpoint: Endpoint::InitError,
                    error_type: "OutOfStock".to_owned(),
                    message: "no apples left".to_owned(),
                },
                transcript([report("OutOfStock", "there are no apples left")]),
                vec![
                    transcript([report("Other", "no apples left")]),
                    transcript([report("OutOfStock", "other")]),
                    transcript([incomplete(report("OutOfStock", "no apples left"))]),
                    transcript([]),
                ],
            ),
            (
                Expectation::Error {
                    id: id(),
                    header: "Function.T".to_owned(),
                    error_type: "T".to_owned(),
                    message: "message".to_owned(),
                },
                transcript([error()]),
                vec![
                    transcript([response(b"1")]),
                    transcript([incomplete(error())]),
                    transcript([RecordedRequest { headers: Vec::new(), ..error() }]),
                    transcript([RecordedRequest { body: b"{}".to_vec(), ..error() }]),
                ],
            ),
            (
                expect_stream(complete),
                transcript([stream("x")]),
                vec![
                    transcript([response(b"x")]),
                    transcript([stream("y")]),
                    transcript([incomplete(stream("x"))]),
                    transcript([failed(stream("x"))]),
                ],
            ),
            (
                expect_stream(failure),
                transcript([failed(stream("x"))]),
                vec![transcript([stream("x")]), transcript([incomplete(failed(stream("x")))])],
            ),
            (
                Expectation::Incomplete { id: id(), received: 1..=1 },
                transcript([incomplete(response(b"1"))]),
                vec![transcript([response(b"1")]), transcript([incomplete(response(b"12"))]), transcript([])],
            ),
            (
                Expectation::Attempts { id: id(), count: 2 },
                transcript([response(b"1"), response(b"1")]),
                vec![transcript([response(b"1")])],
            ),
            (Expectation::OnlyInvocations(vec!["b".to_owned()]), transcript([]), vec![transcript([response(b"1")])]),
            (
                Expectation::Header { endpoint: Endpoint::Error, name: ERROR_TYPE, value: HeaderValue::Present },
                transcript([error()]),
                vec![transcript([request(Endpoint::Error, &[], b"")]), transcript([])],
            ),
            (Expectation::Connections(1..=1), transcript([]), vec![Transcript::default()]),
            (
                Expectation::EndsWith(vec!["one".to_owned(), "two".to_owned()]),
                ended(Err("two, one")),
                vec![ended(Err("one")), ended(Ok(())), transcript([])],
            ),
            (Expectation::EndsWithError, ended(Err("one")), vec![ended(Ok(())), transcript([])]),
            (Expectation::EndIsShorterThan(4), ended(Err("123")), vec![ended(Err("1234")), ended(Ok(()))]),
            (
                Expectation::ReceivedAtLeast { id: id(), bytes: 2 },
                transcript([response(b"12")]),
                vec![transcript([response(b"1")]), transcript([])],
            ),
            (Expectation::MemoryGrowth(10), memory(110), vec![memory(111), transcript([])]),
        ] {
            assert_eq!(met.check([&expectation].into_iter(), Reading::Exact), Ok(()));
            for other in others {
                assert!(other.check([&expectation].into_iter(), Reading::Exact).is_err(), "{expectation}: {other}");
            }
        }
    }
}
