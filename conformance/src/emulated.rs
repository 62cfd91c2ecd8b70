//! Plays scenarios of the emulator, whose API tracks the state of invocations and reports their outcome.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use http::HeaderMap;
use lambda_runtime_emulator::{
    Emulator, End, Endpoint, Event, Fault, FunctionError, Invocation, Observed, Outcome, Sender,
};

use crate::function::{Instance, Launcher};
use crate::happening::Happening;
use crate::scenario::LAST;
use crate::transcript::{Direction, Wire};
use crate::{Afterwards, Emulated, RecordedRequest, Scenario, Transcript};

/// Timeout of the emulator's waits. Shorter than the time after which the function counts as hanging.
const LIMIT: Duration = Duration::from_secs(20);

/// How long a function may take until its first request.
const START_LIMIT: Duration = Duration::from_secs(60);

pub(crate) fn play(
    scenario: &Scenario,
    emulated: &Emulated,
    launcher: &Launcher,
    transcript: &mut Transcript,
) -> Result<(), String> {
    let faults = emulated.faults.iter().map(|fault| fault.parse().map_err(|error| format!("{error}")));
    let faults: Vec<Fault> = faults.collect::<Result<_, String>>()?;
    let workers = launcher.workers().max(emulated.at_once);
    let wire = Arc::<Mutex<Wire>>::default();
    let recorded = Arc::clone(&wire);
    let emulator = Emulator::builder()
        .address(SocketAddr::from((scenario.address.ip(), 0)))
        .concurrency(workers)
        .timeout(LIMIT)
        .claim_timeout(START_LIMIT)
        .faults(faults.iter().cloned())
        .recorder(move |traffic| {
            let direction = match traffic.sender {
                Sender::Runtime => Direction::Received,
                Sender::Api => Direction::Sent,
            };
            let connection = usize::try_from(traffic.connection).unwrap_or(usize::MAX);
            // The end of a connection is not recorded.
            if traffic.bytes.is_empty() {
                return;
            }
            recorded.lock().unwrap_or_else(PoisonError::into_inner).record(connection, direction, traffic.bytes);
        })
        .start()
        .map_err(|error| format!("starting the emulator: {error}"))?;
    let address = emulator.endpoint().parse().map_err(|error| format!("{error}"))?;
    let ended = AtomicBool::new(false);
    let (sender, happenings) = mpsc::channel();
    let (forward, forwarded) = mpsc::channel();
    let run = thread::scope(|scope| {
        // The API cannot notice that the function has ended.
        scope.spawn(|| {
            for happening in happenings {
                if let Happening::Ended(_) = happening {
                    ended.store(true, Ordering::SeqCst);
                    emulator.runtime_exited("the function has ended");
                }
                let _ = forward.send(happening);
            }
        });
        let launch = || launcher.launch(scenario, &scenario.address.format(address), (sender, forwarded));
        Run { scenario, emulated, emulator: &emulator, workers, ended: &ended }.play(launch, transcript)
    });
    transcript.wire = wire.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let observed = run?;
    let connections = usize::try_from(observed.connections).unwrap_or(usize::MAX);
    transcript.connections = connections.saturating_sub(workers - 1);
    if observed.faults != faults {
        return Err(format!("these faults happened: {:?}", observed.faults));
    }
    let Some(expected) = emulated.next_requests.filter(|_| launcher.dimension().is_some()) else { return Ok(()) };
    let expected = expected + workers as u64 - 1;
    let lost = launcher.pipelined_requests_lost(transcript.connections);
    match observed.requests(Endpoint::Next) {
        found if (expected..=expected + lost).contains(&found) => Ok(()),
        found => Err(format!("expected: {expected} requests for an event\nfound: {found}")),
    }
}

struct Run<'a> {
    scenario: &'a Scenario,
    emulated: &'a Emulated,
    emulator: &'a Emulator,
    workers: usize,
    ended: &'a AtomicBool,
}

impl Run<'_> {
    fn play(
        &self,
        launch: impl FnOnce() -> Result<Instance, String>,
        transcript: &mut Transcript,
    ) -> Result<Observed, String> {
        let at_once = self.emulated.at_once;
        // The event waits when the function starts, which may end before it has requested one.
        let first = if at_once == 1 { Some(self.send("a")?) } else { None };
        let mut instance = launch()?;
        let served = match first {
            None => self.at_once(at_once, transcript),
            Some(first) if self.scenario.afterwards == Afterwards::Ends => instance.wait_for_end().and_then(|()| {
                self.emulator.runtime_exited("run has ended");
                record(transcript, "a", first.wait())
            }),
            Some(first) => record(transcript, "a", first.wait()),
        };
        let served = served.and_then(|()| match self.scenario.afterwards {
            Afterwards::Ends => Ok(()),
            Afterwards::Serves | Afterwards::Reconnects => self.serve_last(transcript),
        });
        let observed = self.emulator.observed();
        transcript.output = instance.output();
        let stopped = instance.stop();
        transcript.connections = usize::try_from(observed.connections).unwrap_or(usize::MAX);
        transcript.end = stopped?;
        served.map(|()| observed)
    }

    fn send(&self, id: &str) -> Result<Invocation, String> {
        let event = Event::new(self.emulated.event.clone()).request_id(id);
        self.emulator.start_invocation(event).map_err(|error| format!("the event: {error}"))
    }

    /// Sends events to workers that all wait, and then as many again.
    fn at_once(&self, count: usize, transcript: &mut Transcript) -> Result<(), String> {
        for (letter, limit) in [(b'a', START_LIMIT), (b'A', LIMIT)] {
            self.wait_for_workers(limit)?;
            let ids = (letter..).take(count).map(|id| char::from(id).to_string());
            let sent: Vec<_> = ids.map(|id| Ok((id.clone(), self.send(&id)?))).collect::<Result<_, String>>()?;
            for (id, invocation) in sent {
                record(transcript, &id, invocation.wait())?;
            }
        }
        Ok(())
    }

    fn serve_last(&self, transcript: &mut Transcript) -> Result<(), String> {
        let (id, payload) = LAST;
        self.wait_for_workers(LIMIT)?;
        record(transcript, id, self.emulator.invoke(Event::new(payload).request_id(id)))?;
        self.wait_for_workers(LIMIT)
    }

    /// Waits until every worker has requested an event.
    fn wait_for_workers(&self, limit: Duration) -> Result<(), String> {
        let has_ended = || self.ended.load(Ordering::SeqCst);
        match self.emulator.wait_until(limit, |observed| observed.waiting == self.workers || has_ended()) {
            _ if has_ended() => Err("the function ended before the script did".to_owned()),
            true => Ok(()),
            false => Err(format!(
                "the function does not wait for the next event: {} requests for one are open, and {} are expected",
                self.emulator.observed().waiting,
                self.workers
            )),
        }
    }
}

/// Records an outcome as the request that it came from.
fn record(
    transcript: &mut Transcript,
    id: &str,
    outcome: Result<Outcome, lambda_runtime_emulator::Error>,
) -> Result<(), String> {
    let outcome = outcome.map_err(|error| format!("invocation {id}: {error}"))?;
    let (endpoint, complete, error) = match outcome.end() {
        End::Complete => (Endpoint::Response, true, None),
        End::Failed(error) if outcome.head().is_none() => (Endpoint::Error, true, Some(error)),
        End::Failed(_) => (Endpoint::Response, true, None),
        End::Truncated(_) => (Endpoint::Response, false, None),
        other => return Err(format!("invocation {id}: {other:?}")),
    };
    let body = error.map_or(outcome.body(), FunctionError::body);
    let mut headers = outcome.head().map_or_else(Vec::new, |head| text(head.headers()));
    let sent_type = error.and_then(FunctionError::sent_type);
    headers.extend(sent_type.map(|sent| ("lambda-runtime-function-error-type".to_owned(), sent.to_owned())));
    transcript.requests.push(RecordedRequest {
        endpoint,
        id: id.to_owned(),
        headers,
        body: body.to_vec(),
        received: body.len(),
        trailers: text(outcome.trailers()),
        complete,
    });
    Ok(())
}

fn text(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect()
}
