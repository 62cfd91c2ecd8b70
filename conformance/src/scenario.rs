//! A scenario: the behaviour of the API, and the expectations of the function.

use std::fmt;
use std::ops::RangeInclusive;

use lambda_runtime_proto::Endpoint;
use serde_json::Value;

use crate::expectation::{Expectation, HeaderValue, StreamEnd};
use crate::{Content, Steps, Transcript};

/// A dialogue and its expectations. All of it is data, so that other runners can play it.
///
/// ```
/// use std::time::Duration;
/// use conformance::{Scenario, Source, Steps};
/// use lambda_runtime_proto::Endpoint;
///
/// let scenario = Scenario::should(
///     "late-acknowledgement",
///     "an acknowledgement may arrive late",
///     Source::Rfc { number: 9112, section: "9.5" },
/// )
/// .connection(Steps::new().event("[1]").read(Endpoint::Response).pause(Duration::from_millis(20)).accept())
/// .expect_response("a", "[1]");
/// ```
#[derive(Debug, Clone)]
pub struct Scenario {
    /// A stable name, in kebab-case.
    pub id: String,
    /// A sentence about behaviour.
    pub title: String,
    /// How realistic the behaviour of the API is.
    pub level: Level,
    /// The source of the expectations.
    pub source: Source,
    /// The features that the function must have.
    pub requires: Vec<Feature>,
    /// The address that the function is given.
    pub address: AddressForm,
    /// Environment variables of the function's process, besides Lambda's usual ones.
    pub environment: Vec<(&'static str, &'static str)>,
    /// The behaviour of the API.
    pub dialogue: Dialogue,
    /// The behaviour of the function after the dialogue.
    pub afterwards: Afterwards,
    /// The expectations.
    pub expectations: Vec<Expectation>,
}

/// How realistic the behaviour of an API is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Lambda itself behaves this way.
    Must,
    /// Emulators and broken networks behave this way.
    Should,
    /// No known API behaves this way, or the expectation is a matter of taste.
    May,
}

/// The source of an expectation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A page of AWS's documentation.
    Aws(&'static str),
    /// A file of AWS's Runtime Interface Emulator.
    Rie(&'static str),
    /// A section of an RFC.
    Rfc {
        /// The RFC's number.
        number: u16,
        /// The section's number.
        section: &'static str,
    },
    /// A file of this project that documents its choice.
    Project(&'static str),
}

/// A capability that some runtimes, or some [`Dimension`](crate::Dimension)s, lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Feature {
    /// [`FaultyLayer`](crate::FaultyLayer).
    Layers,
    /// A single worker: what ends one worker ends the function, and a lost event is sent again.
    OneWorker,
    /// Streamed responses.
    Streaming,
    /// Types of the Rust API, or a choice of this project that another runtime may make differently.
    Rust,
    /// Many invocations at once: `AWS_LAMBDA_MAX_CONCURRENCY`.
    Concurrency,
    /// SnapStart, with its hooks.
    SnapStart,
    /// Start-up code of the function whose failure the runtime reports.
    Init,
    /// A separate process: its environment, signals and exit.
    Process,
}

impl Feature {
    /// The features that a runtime may lack, and their names on the command line.
    pub const OPTIONAL: [(&'static str, Self); 4] = [
        ("streaming", Self::Streaming),
        ("concurrency", Self::Concurrency),
        ("snapstart", Self::SnapStart),
        ("init", Self::Init),
    ];
}

/// A form of the API's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressForm {
    /// `127.0.0.1:PORT`
    Ipv4,
    /// `[::1]:PORT`
    Ipv6,
    /// `localhost:PORT`
    Name,
    /// `http://localhost:PORT`
    Url,
}

/// The behaviour of the API.
#[derive(Debug, Clone)]
pub enum Dialogue {
    /// It plays these steps, connection by connection.
    Script(Vec<Steps>),
    /// It is the emulator, and sends one event.
    Emulated(Emulated),
}

/// An event that the emulator sends, and the faults that it injects.
#[derive(Debug, Clone)]
pub struct Emulated {
    /// The faults, in the emulator's text form. Each must happen once.
    pub faults: Vec<String>,
    /// The payload of the event.
    pub event: String,
    /// The number of requests for an event, the one that waits at the end included. A pipelined request may be lost with
    /// its connection and be repeated.
    pub next_requests: Option<u64>,
    /// The number of events that the emulator sends at once, to a function that serves as many at once. Their request ids
    /// are `a`, `b` and so on.
    pub at_once: usize,
}

/// The behaviour of the function after a dialogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Afterwards {
    /// It serves another invocation, on the last connection.
    Serves,
    /// It serves another invocation, on a new connection.
    Reconnects,
    /// It ends.
    Ends,
}

/// Building a scenario.
impl Scenario {
    /// A scenario in which the API behaves as Lambda itself does.
    pub fn must(id: impl Into<String>, title: impl Into<String>, source: Source) -> Self {
        Self::new(Level::Must, id, title, source)
    }

    /// A scenario in which the API behaves as emulators and broken networks do.
    pub fn should(id: impl Into<String>, title: impl Into<String>, source: Source) -> Self {
        Self::new(Level::Should, id, title, source)
    }

    /// A scenario whose expectation is a matter of taste.
    pub fn may(id: impl Into<String>, title: impl Into<String>, source: Source) -> Self {
        Self::new(Level::May, id, title, source)
    }

    /// A scenario of this level.
    pub fn new(level: Level, id: impl Into<String>, title: impl Into<String>, source: Source) -> Self {
        Self {
            id: id.into(),
            title: title.into(),
            level,
            source,
            requires: Vec::new(),
            address: AddressForm::Ipv4,
            environment: Vec::new(),
            dialogue: Dialogue::Script(Vec::new()),
            afterwards: Afterwards::Serves,
            expectations: Vec::new(),
        }
    }

    /// Adds a feature that the function must have.
    pub fn requires(mut self, feature: Feature) -> Self {
        self.requires.push(feature);
        self
    }

    /// The form of the address that the function is given.
    pub fn address(mut self, form: AddressForm) -> Self {
        self.address = form;
        self
    }

    /// Sets an environment variable of the function's process.
    pub fn variable(mut self, name: &'static str, value: &'static str) -> Self {
        self.environment.push((name, value));
        self.requires(Feature::Process)
    }

    /// Adds a connection to the script.
    pub fn connection(self, steps: Steps) -> Self {
        self.connections([steps])
    }

    /// Adds connections to the script.
    pub fn connections(mut self, connections: impl IntoIterator<Item = Steps>) -> Self {
        match &mut self.dialogue {
            Dialogue::Script(script) => script.extend(connections),
            Dialogue::Emulated(_) => panic!("the emulator has no script"),
        }
        self
    }

    /// Lets the emulator send an event and inject a fault, unless that is empty.
    pub fn emulated(mut self, fault: impl Into<String>, event: impl Into<String>) -> Self {
        let fault = fault.into();
        let faults = if fault.is_empty() { Vec::new() } else { vec![fault] };
        let emulated = Emulated { faults, event: event.into(), next_requests: None, at_once: 1 };
        self.dialogue = Dialogue::Emulated(emulated);
        self
    }

    /// Expects the function to serve another invocation on a new connection. The default is the last connection.
    pub fn reconnects(mut self) -> Self {
        self.afterwards = Afterwards::Reconnects;
        self
    }

    /// Expects the function to end with an error that contains these texts.
    pub fn ends_with<const N: usize>(mut self, texts: [&str; N]) -> Self {
        self.afterwards = Afterwards::Ends;
        self.expect(Expectation::EndsWith(texts.map(str::to_owned).into()))
    }

    /// Expects the function to end, with or without an error.
    pub fn ends(mut self) -> Self {
        self.afterwards = Afterwards::Ends;
        self
    }

    /// Adds an expectation.
    pub fn expect(mut self, expectation: Expectation) -> Self {
        self.expectations.push(expectation);
        self
    }

    /// Adds an expectation of this project's runtime, which another runtime need not meet.
    pub fn expect_own(self, expectation: Expectation) -> Self {
        self.expect(Expectation::Own(Box::new(expectation)))
    }

    /// Expects a buffered response with this body, sent once.
    pub fn expect_response(self, id: &str, body: impl Into<Content>) -> Self {
        self.expect(Expectation::Response { id: id.to_owned(), body: body.into() })
    }

    /// Expects a buffered response with the same JSON value as this one.
    pub fn expect_json_response(self, id: &str, body: impl Into<Content>) -> Self {
        self.expect(Expectation::JsonResponse { id: id.to_owned(), body: body.into() })
    }

    /// Expects a report to /init/error or /restore/error: the type in the body, and a part of the message.
    pub fn expect_report(self, endpoint: Endpoint, error_type: &str, message: &str) -> Self {
        let [error_type, message] = [error_type, message].map(str::to_owned);
        self.expect(Expectation::Report { endpoint, error_type, message })
    }

    /// Expects a buffered response: a JSON object with at least these members.
    pub fn expect_members(self, id: &str, members: Value) -> Self {
        self.expect(Expectation::ResponseMembers { id: id.to_owned(), members })
    }

    /// Expects a report to /error: the type in the header, the type in the body, and a part of the message.
    pub fn expect_error(self, id: &str, header: &str, error_type: &str, message: &str) -> Self {
        let [id, header, error_type, message] = [id, header, error_type, message].map(str::to_owned);
        self.expect(Expectation::Error { id, header, error_type, message })
    }

    /// Expects a streamed response with this payload.
    pub fn expect_stream(self, id: &str, payload: impl Into<Content>) -> Self {
        self.expect_stream_end(id, payload, StreamEnd::Complete { trailers: Vec::new() })
    }

    /// Expects a streamed response that fails after this payload: the error's type, and a part of its message.
    pub fn expect_failed_stream(self, id: &str, payload: impl Into<Content>, error_type: &str, message: &str) -> Self {
        let [error_type, message] = [error_type, message].map(str::to_owned);
        self.expect_stream_end(id, payload, StreamEnd::Failed { error_type, message })
    }

    /// Expects a streamed response with this payload and this end.
    pub fn expect_stream_end(self, id: &str, payload: impl Into<Content>, end: StreamEnd) -> Self {
        self.expect(Expectation::Stream { id: id.to_owned(), payload: payload.into(), end })
    }

    /// Expects a response of which only this many bytes arrive.
    pub fn expect_incomplete(self, id: &str, received: RangeInclusive<usize>) -> Self {
        self.expect(Expectation::Incomplete { id: id.to_owned(), received })
    }

    /// Expects this many requests about an invocation. Where an expectation names an invocation, the default is one.
    pub fn expect_attempts(self, id: &str, count: usize) -> Self {
        self.expect(Expectation::Attempts { id: id.to_owned(), count })
    }

    /// Expects this of a header of the first request to an endpoint. The name is in lower case.
    pub fn expect_header(self, endpoint: Endpoint, name: &'static str, value: HeaderValue) -> Self {
        self.expect(Expectation::Header { endpoint, name, value })
    }

    /// Expects this many connections. By default it is as many as the script has.
    pub fn expect_connections(self, count: RangeInclusive<usize>) -> Self {
        self.expect(Expectation::Connections(count))
    }

    /// Expects this many requests for an event from the emulator.
    pub fn expect_next_requests(mut self, count: u64) -> Self {
        match &mut self.dialogue {
            Dialogue::Emulated(emulated) => emulated.next_requests = Some(count),
            Dialogue::Script(_) => panic!("the script names each request"),
        }
        self
    }

    /// Lets the emulator send the event this many times at once, with the request ids `a`, `b` and so on.
    pub fn at_once(mut self, count: usize) -> Self {
        match &mut self.dialogue {
            Dialogue::Emulated(emulated) => emulated.at_once = count,
            Dialogue::Script(_) => panic!("the script is played to one worker"),
        }
        self
    }

    /// Expects something that data cannot express.
    pub fn expect_that(self, sentence: &'static str, check: fn(&Transcript) -> Result<(), String>) -> Self {
        self.expect(Expectation::Custom { sentence, check })
    }
}

/// The request id and the payload of the invocation that follows a dialogue.
pub(crate) const LAST: (&str, &str) = ("last", r#"{"last":true}"#);

impl Scenario {
    /// The script and the invocation that follows it.
    pub(crate) fn whole_script(&self, script: &[Steps]) -> Vec<Steps> {
        let (id, payload) = LAST;
        let last = Steps::new().event_as(id, payload).read(Endpoint::Response).accept().read(Endpoint::Next);
        let mut script = script.to_vec();
        match (self.afterwards, script.pop()) {
            (Afterwards::Ends, steps) => script.extend(steps),
            (Afterwards::Serves, steps) => script.push(steps.unwrap_or_default().then(last)),
            (Afterwards::Reconnects, steps) => script.extend(steps.into_iter().chain([last])),
        }
        script
    }

    /// Whether the function needs a separate process.
    pub(crate) fn needs_process(&self) -> bool {
        match &self.dialogue {
            Dialogue::Script(script) => script.iter().any(Steps::needs_process),
            Dialogue::Emulated(_) => false,
        }
    }

    /// Whether it applies to any runtime: it concerns neither Rust nor choices of this project.
    pub fn is_for_processes(&self) -> bool {
        !self.requires.iter().any(|feature| matches!(feature, Feature::Rust | Feature::Layers))
    }

    /// The name of the first of these features that it requires.
    pub fn missing(&self, without: &[Feature]) -> Option<&'static str> {
        let missing = |feature: &Feature| self.requires.contains(feature) && without.contains(feature);
        Feature::OPTIONAL.into_iter().find(|(_, feature)| missing(feature)).map(|(name, _)| name)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Level::Must => "must",
            Level::Should => "should",
            Level::May => "may",
        })
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Aws(page) => write!(f, "https://docs.aws.amazon.com/{page}"),
            Source::Rie(file) => {
                write!(f, "https://github.com/aws/aws-lambda-runtime-interface-emulator/blob/develop/{file}")
            }
            Source::Rfc { number, section } => {
                write!(f, "https://www.rfc-editor.org/rfc/rfc{number}#section-{section}")
            }
            Source::Project(file) => f.write_str(file),
        }
    }
}
