//! Plays a scenario to a function that runs on a thread of this process, or in its own process.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::mpsc;

use crate::api::{Api, Playback, Then};
use crate::expectation::{Expectation, Reading, uncounted};
use crate::function::Launcher;
use crate::process::Program;
use crate::scenario::LAST;
use crate::{AddressForm, Afterwards, Dialogue, Dimension, Scenario, Start, Steps, Transcript, emulated};

/// Plays a scenario in one dimension. Returns a description of the failure.
pub(crate) fn play_in_process(scenario: &Scenario, dimension: Dimension, start: Start) -> Result<(), String> {
    let launcher = match dimension.needs_process() || scenario.needs_process() {
        true => Launcher::Process(dimension),
        false => Launcher::Thread(start, dimension),
    };
    play(scenario, &launcher).map_err(|Failure { reason, transcript }| {
        let Scenario { id, title, level, source, .. } = scenario;
        format!("{id}: {title}\nlevel: {level}, source: {source}\n{reason}\n{transcript}")
    })
}

/// Plays a scenario to a program.
///
/// # Errors
///
/// The program did not behave as expected.
pub fn play_to_program(scenario: &Scenario, program: &Program) -> Result<(), Failure> {
    play(scenario, &Launcher::Command(program.clone()))
}

/// A scenario that failed.
#[derive(Debug)]
pub struct Failure {
    /// The expectation that was not met, and the finding.
    pub reason: String,
    /// The record.
    pub transcript: Box<Transcript>,
}

fn play(scenario: &Scenario, launcher: &Launcher) -> Result<(), Failure> {
    let mut transcript = Transcript::default();
    let played = match &scenario.dialogue {
        Dialogue::Script(script) => scripted(scenario, script, launcher, &mut transcript),
        Dialogue::Emulated(emulated) => emulated::play(scenario, emulated, launcher, &mut transcript),
    };
    let reading = match launcher {
        Launcher::Command(_) => Reading::Contract,
        Launcher::Thread(..) | Launcher::Process(..) => Reading::Exact,
    };
    let checked = played.and_then(|()| {
        let implied = implied(scenario, launcher);
        transcript.check(scenario.expectations.iter().chain(&implied), reading)
    });
    checked.map_err(|reason| {
        let record = match transcript.wire.save(&scenario.id) {
            Ok(path) => path.display().to_string(),
            Err(error) => format!("cannot be written: {error}"),
        };
        Failure { reason: format!("{reason}\nrecord: {record}"), transcript: Box::new(transcript) }
    })
}

/// The expectations that follow from the form of a scenario.
fn implied(scenario: &Scenario, launcher: &Launcher) -> Vec<Expectation> {
    let mut implied = Vec::new();
    for id in uncounted(&scenario.expectations) {
        implied.push(Expectation::Attempts { id: id.to_owned(), count: 1 });
    }
    if scenario.afterwards != Afterwards::Ends {
        let (id, payload) = LAST;
        implied.push(Expectation::Response { id: id.to_owned(), body: payload.into() });
        implied.push(Expectation::Attempts { id: id.to_owned(), count: 1 });
    }
    let counted = scenario.expectations.iter().any(|expectation| matches!(expectation, Expectation::Connections(_)));
    if let Dialogue::Script(script) = &scenario.dialogue
        && !counted
        && playback(scenario, launcher) != Playback::Repeatedly
    {
        let connections = scenario.whole_script(script).len();
        implied.push(Expectation::Connections(connections..=connections));
    }
    implied
}

/// Selects the playback. A failed worker is started again, so a function with several workers ends only if each of them
/// fails each time.
fn playback(scenario: &Scenario, launcher: &Launcher) -> Playback {
    match launcher.workers() {
        2.. if scenario.afterwards == Afterwards::Ends => Playback::Repeatedly,
        workers => {
            let watch = matches!(launcher, Launcher::Command(_)) && scenario.afterwards == Afterwards::Ends;
            Playback::Once { waiting: workers - 1, then: if watch { Then::Watch } else { Then::Stop } }
        }
    }
}

fn scripted(
    scenario: &Scenario,
    script: &[Steps],
    launcher: &Launcher,
    transcript: &mut Transcript,
) -> Result<(), String> {
    let channel = mpsc::channel();
    let playback = playback(scenario, launcher);
    let api = Api::start(scenario.address.ip(), scenario.whole_script(script), playback, channel.0.clone());
    let mut instance = match launcher.launch(scenario, &scenario.address.format(api.address()), channel) {
        Ok(instance) => instance,
        Err(error) => {
            api.stop();
            return Err(error);
        }
    };
    if let Some(process) = instance.process() {
        api.set_process(process);
    }
    let waited = match scenario.afterwards {
        Afterwards::Ends => instance.wait_for_end(),
        _ => instance.wait_until_played(),
    };
    let output = instance.output();
    let stopped = instance.stop();
    let recording = api.stop();
    transcript.requests = recording.requests;
    transcript.connections = recording.connections;
    transcript.memory = recording.memory;
    transcript.wire = recording.wire;
    transcript.output = output;
    let ended = stopped.map(|end| transcript.end = end);
    if let Some(unexpected) = recording.unexpected {
        return Err(unexpected);
    }
    ended?;
    waited
}

impl AddressForm {
    pub(crate) fn ip(self) -> IpAddr {
        match self {
            Self::Ipv6 => Ipv6Addr::LOCALHOST.into(),
            Self::Ipv4 | Self::Name | Self::Url => Ipv4Addr::LOCALHOST.into(),
        }
    }

    pub(crate) fn format(self, address: SocketAddr) -> String {
        match self {
            Self::Ipv4 | Self::Ipv6 => address.to_string(),
            Self::Name => format!("localhost:{}", address.port()),
            Self::Url => format!("http://localhost:{}", address.port()),
        }
    }
}

#[cfg(test)]
mod tests {
    use lambda_runtime_proto::Endpoint::Response;
    use lambda_runtime_smol::{Diagnostic, Error, LambdaEvent, Runtime, service_fn};
    use serde_json::Value;

    use super::*;
    use crate::{Function, Source};

    fn scenario() -> Scenario {
        Scenario::must("echo", "an event is echoed", Source::Project(file!()))
    }

    fn echo(_: Dimension, function: Function) -> Result<(), Error> {
        let runtime = Runtime::new(service_fn(crate::handle)).address(function.address());
        smol::block_on(function.drive(runtime.run()))
    }

    fn fails(_: Dimension, function: Function) -> Result<(), Error> {
        let handler = service_fn(async |_: LambdaEvent<Value>| {
            Err::<(), _>(Diagnostic { error_type: "Broken".to_owned(), error_message: "broken".to_owned() })
        });
        let runtime = Runtime::new(handler).address(function.address());
        smol::block_on(function.drive(runtime.run()))
    }

    #[test]
    fn a_failure_shows_the_step_or_the_expectation_and_the_requests() {
        let script = || scenario().connection(Steps::new().served("1")).expect_response("a", "1");
        assert_eq!(play_in_process(&script(), Dimension::Runtime, echo), Ok(()));
        for (scenario, start, shown) in [
            (script(), fails as Start, vec!["echo: an event is echoed", "Read(Response)", "/error", "Broken"]),
            (
                script().expect_response("a", "2"),
                echo,
                vec!["a response to \"a\" of 1 bytes: \"2\"", "found: 1 bytes: \"1\""],
            ),
            (script().expect_attempts("a", 2), echo, vec!["expected: 2 requests about \"a\"", "found: 1"]),
            (script().expect_connections(2..=3), echo, vec!["expected: 2..=3 connections", "found: 1"]),
            (
                script(),
                |_, _| Err("it does not start".into()),
                vec!["the function ended before the script did", "it does not start"],
            ),
            (
                script(),
                |_, _| panic!("it panics"),
                vec!["the function ended before the script did", "run panicked: it panics"],
            ),
            (
                scenario().connection(Steps::new().event("1").read(Response).refuse(500, "E")).ends_with(["other"]),
                echo,
                vec!["\"other\" is not in", "500 E: message of E"],
            ),
            (scenario().emulated("response 9: delay 1ms", "1"), echo, vec!["these faults happened: []"]),
        ] {
            let failure = play_in_process(&scenario, Dimension::Runtime, start).expect_err("the scenario must fail");
            for shown in shown {
                assert!(failure.contains(shown), "{shown:?} is not in: {failure}");
            }
        }
    }
}
