//! Plays a scenario to a function that runs on a thread of this process, or in a process of its own.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::mpsc;
use std::time::Duration;

use crate::api::{Api, Playback};
use crate::expectation::{Expectation, uncounted};
use crate::function::{Happening, Instance, Place};
use crate::scenario::LAST;
use crate::{AddressForm, Afterwards, Dialogue, Dimension, Scenario, Start, Steps, Transcript, emulated};

/// A function that does not end, or a dialogue that does not continue, within this time counts as hanging.
const LIMIT: Duration = Duration::from_secs(60);

/// Plays a scenario in one dimension, and returns what is wrong.
pub(crate) fn play(scenario: &Scenario, dimension: Dimension, start: Start) -> Result<(), String> {
    let place = match dimension.needs_process() || scenario.needs_process() {
        true => Place::Process,
        false => Place::Thread,
    };
    let subject = Subject { start, dimension, place };
    let mut transcript = Transcript::default();
    let played = match &scenario.dialogue {
        Dialogue::Script(script) => scripted(scenario, script, &subject, &mut transcript),
        Dialogue::Emulated(emulated) => emulated::play(scenario, emulated, &subject, &mut transcript),
    };
    let checked = played.and_then(|()| {
        let implied = implied(scenario, dimension);
        transcript.check(scenario.expectations.iter().chain(&implied))
    });
    checked.map_err(|failure| {
        let Scenario { id, title, level, source, .. } = scenario;
        format!("{id}: {title}\nlevel: {level}, source: {source}\n{failure}\n{transcript}")
    })
}

/// The expectations that follow from the form of a scenario.
fn implied(scenario: &Scenario, dimension: Dimension) -> Vec<Expectation> {
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
        && playback(scenario, dimension) != Playback::Repeatedly
    {
        let connections = scenario.whole_script(script).len();
        implied.push(Expectation::Connections(connections..=connections));
    }
    implied
}

/// A worker that fails is started again, so what ends a function with several workers happens to each, each time.
fn playback(scenario: &Scenario, dimension: Dimension) -> Playback {
    match dimension.workers() {
        2.. if scenario.afterwards == Afterwards::Ends => Playback::Repeatedly,
        workers => Playback::Once { waiting: workers - 1 },
    }
}

fn scripted(
    scenario: &Scenario,
    script: &[Steps],
    subject: &Subject,
    transcript: &mut Transcript,
) -> Result<(), String> {
    let (sender, happenings) = mpsc::channel();
    let playback = playback(scenario, subject.dimension);
    let api = Api::start(scenario.address.ip(), scenario.whole_script(script), playback, sender.clone());
    let mut session = subject.start(&scenario.address.format(api.address()), sender, happenings)?;
    if let Some(process) = session.instance.process() {
        api.set_process(process);
    }
    let went = match scenario.afterwards {
        Afterwards::Ends => session.wait_for_end(),
        _ => session.wait_until_played(),
    };
    let stopped = session.stop(transcript);
    let recording = api.stop();
    transcript.requests = recording.requests;
    transcript.connections = recording.connections;
    transcript.memory = recording.memory;
    recording.unexpected.map_or(went.and(stopped), Err)
}

/// The function, and where it is started.
pub(crate) struct Subject {
    start: Start,
    pub(crate) dimension: Dimension,
    place: Place,
}

impl Subject {
    pub(crate) fn start(
        &self,
        address: &str,
        sender: mpsc::Sender<Happening>,
        happenings: mpsc::Receiver<Happening>,
    ) -> Result<Session, String> {
        let instance = Instance::start(self.start, self.dimension, self.place, address, sender)?;
        Ok(Session { instance, happenings, end: None })
    }
}

/// A running function, and what has happened to it.
pub(crate) struct Session {
    instance: Instance,
    happenings: mpsc::Receiver<Happening>,
    end: Option<Result<(), String>>,
}

impl Session {
    fn wait(&mut self) -> Result<(), String> {
        match self.happenings.recv_timeout(LIMIT) {
            Ok(Happening::Ended(end)) => self.end = Some(end),
            Ok(Happening::Played) => {}
            Err(_) => return Err(format!("nothing happened for {} s", LIMIT.as_secs())),
        }
        Ok(())
    }

    fn wait_until_played(&mut self) -> Result<(), String> {
        self.wait()?;
        self.end.as_ref().map_or(Ok(()), |_| Err("the function ended before the script did".to_owned()))
    }

    /// Waits until the function has ended by itself.
    pub(crate) fn wait_for_end(&mut self) -> Result<(), String> {
        while self.end.is_none() {
            self.wait().map_err(|error| format!("the function did not end: {error}"))?;
        }
        Ok(())
    }

    /// Stops the function, unless it has ended by itself.
    pub(crate) fn stop(mut self, transcript: &mut Transcript) -> Result<(), String> {
        transcript.end = self.end.take();
        if transcript.end.is_some() {
            return Ok(());
        }
        self.instance.stop();
        self.wait_for_end()
    }
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
