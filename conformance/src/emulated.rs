//! Plays scenarios of the emulator, whose API tracks the state of invocations and reports their outcome.

use std::net::SocketAddr;
use std::sync::mpsc;
use std::time::Duration;

use http::HeaderMap;
use lambda_runtime_emulator::{Emulator, End, Endpoint, Event, Fault, FunctionError, Outcome};

use crate::function::Launcher;
use crate::scenario::LAST;
use crate::{Afterwards, Emulated, RecordedRequest, Scenario, Transcript};

/// How long the emulator waits for anything. Shorter than the time after which the function counts as hanging.
const LIMIT: Duration = Duration::from_secs(20);

pub(crate) fn play(
    scenario: &Scenario,
    emulated: &Emulated,
    launcher: &Launcher,
    transcript: &mut Transcript,
) -> Result<(), String> {
    let faults = emulated.faults.iter().map(|fault| fault.parse().map_err(|error| format!("{error}")));
    let faults: Vec<Fault> = faults.collect::<Result<_, String>>()?;
    let workers = launcher.dimension.workers();
    let emulator = Emulator::builder()
        .address(SocketAddr::from((scenario.address.ip(), 0)))
        .concurrency(workers)
        .timeout(LIMIT)
        .claim_timeout(LIMIT)
        .faults(faults.iter().cloned())
        .start()
        .map_err(|error| format!("starting the emulator: {error}"))?;
    let address = emulator.endpoint().parse().map_err(|error| format!("{error}"))?;
    // The event waits when the function starts, which may end before it has requested one.
    let first = emulator.start_invocation(Event::new(emulated.event.clone()).request_id("a"));
    let first = first.map_err(|error| format!("the event: {error}"))?;
    let mut instance = launcher.launch(&scenario.address.format(address), mpsc::channel())?;
    let waited = match scenario.afterwards {
        Afterwards::Ends => instance.wait_for_end(|| 0).and_then(|()| {
            emulator.runtime_exited("run has ended");
            record(transcript, "a", first.wait())
        }),
        Afterwards::Serves | Afterwards::Reconnects => {
            let (id, payload) = LAST;
            record(transcript, "a", first.wait())
                .and_then(|()| record(transcript, id, emulator.invoke(Event::new(payload).request_id(id))))
                .and_then(|()| match emulator.wait_until(LIMIT, |observed| observed.waiting == workers) {
                    true => Ok(()),
                    false => Err("the function does not wait for the next event".to_owned()),
                })
        }
    };
    let observed = emulator.observed();
    let stopped = instance.stop();
    transcript.connections = usize::try_from(observed.connections).unwrap_or(usize::MAX).saturating_sub(workers - 1);
    transcript.end = stopped?;
    waited?;
    if observed.faults != faults {
        return Err(format!("these faults happened: {:?}", observed.faults));
    }
    let Some(expected) = emulated.next_requests else { return Ok(()) };
    let expected = expected + workers as u64 - 1;
    let lost = launcher.dimension.pipelined_requests_lost(transcript.connections);
    match observed.requests(Endpoint::Next) {
        found if (expected..=expected + lost).contains(&found) => Ok(()),
        found => Err(format!("expected: {expected} requests for an event\nfound: {found}")),
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
