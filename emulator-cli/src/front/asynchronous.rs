//! Asynchronous invocations. Failed ones are retried; if the last retry fails, too, that is reported.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use lambda_runtime_emulator::serving::Reservation;
use lambda_runtime_emulator::{Error, Event, Invocation};
use serde_json::json;
use serde_json::value::RawValue;

use super::Shared;
use crate::time::Utc;

/// State shared by asynchronous invocations.
#[derive(Debug)]
pub(super) struct Asynchronous {
    retries: u32,
    delay: Duration,
    on_failure: Option<Mutex<File>>,
    running: AtomicUsize,
}

/// How an attempt failed.
struct Failure {
    error_type: String,
    body: Bytes,
}

impl Asynchronous {
    /// The limit of asynchronous invocations that have not ended, those between two attempts included.
    const MAX: usize = 1000;

    pub(super) fn new(retries: u32, delay: Duration, on_failure: Option<&Path>) -> io::Result<Self> {
        let open = |path: &Path| {
            File::options().create(true).append(true).open(path).map_err(|error| {
                io::Error::new(error.kind(), format!("--on-failure {}: cannot open it: {error}", path.display()))
            })
        };
        let on_failure = on_failure.map(open).transpose()?.map(Mutex::new);
        Ok(Self { retries, delay, on_failure, running: AtomicUsize::new(0) })
    }

    fn enter(&self) -> bool {
        let entered = |running: usize| (running < Self::MAX).then_some(running + 1);
        self.running.fetch_update(Ordering::Relaxed, Ordering::Relaxed, entered).is_ok()
    }
}

/// Starts an invocation and returns at once. `event` must have a request id. `reservation` is that of the payload, which is
/// retained until the last attempt has ended.
///
/// # Errors
///
/// The first attempt cannot be queued.
pub(super) fn start(
    shared: &Arc<Shared>,
    event: Event,
    request_id: &str,
    reservation: Reservation,
) -> Result<(), Error> {
    if !shared.asynchronous.enter() {
        return Err(Error::QueueFull);
    }
    let started = shared.emulator.start_invocation(event.clone()).and_then(|first| {
        let (of_thread, request_id) = (Arc::clone(shared), request_id.to_owned());
        let run = move || {
            of_thread.run(first, event, &request_id);
            drop(reservation);
            of_thread.asynchronous.running.fetch_sub(1, Ordering::Relaxed);
        };
        thread::Builder::new().name("asynchronous".to_owned()).spawn(run).map(drop).map_err(|_| Error::QueueFull)
    });
    if started.is_err() {
        shared.asynchronous.running.fetch_sub(1, Ordering::Relaxed);
    }
    started
}

impl Shared {
    fn run(&self, first: Invocation, event: Event, request_id: &str) {
        let Asynchronous { retries, delay, .. } = &self.asynchronous;
        let mut invocation = first;
        let mut attempt = 1;
        loop {
            let failure = match outcome(invocation) {
                Ok(None) | Err(Error::Stopped) => return,
                Ok(Some(failure)) => failure,
                Err(error) => Failure { error_type: "ServiceException".to_owned(), body: error.to_string().into() },
            };
            if attempt > *retries {
                return self.report(&event, request_id, attempt, &failure);
            }
            thread::sleep(delay.saturating_mul(attempt));
            attempt += 1;
            crate::log::message(format_args!("attempt {attempt} of the asynchronous invocation {request_id}"));
            invocation = loop {
                match self.emulator.start_invocation(event.clone()) {
                    Ok(invocation) => break invocation,
                    // As in Lambda, waiting for capacity is not an attempt.
                    Err(Error::QueueFull) => thread::sleep(*delay),
                    Err(_) => return,
                }
            };
        }
    }

    /// Appends an invocation whose last attempt failed to the file, in the form in which Lambda sends it to an on-failure
    /// destination.
    fn report(&self, event: &Event, request_id: &str, attempts: u32, failure: &Failure) {
        let Some(file) = &self.asynchronous.on_failure else { return };
        let raw = |json: &[u8]| {
            let text = String::from_utf8_lossy(json).into_owned();
            RawValue::from_string(text.clone()).or_else(|_| serde_json::value::to_raw_value(&text)).ok()
        };
        let record = json!({
            "version": "1.0",
            "timestamp": Utc::from(SystemTime::now()).rfc3339(),
            "requestContext": {
                "requestId": request_id,
                "functionArn": format!("{}:$LATEST", self.emulator.function_arn()),
                "condition": "RetriesExhausted",
                "approximateInvokeCount": attempts,
            },
            "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        });
        // The payloads are written as they are: a tree of a large one would take many times its memory.
        let mut line = record.to_string();
        line.pop();
        for (name, value) in [("requestPayload", raw(event.payload())), ("responsePayload", raw(&failure.body))] {
            let value = value.map_or_else(|| "null".to_owned(), |value| value.get().replace(['\n', '\r'], " "));
            line.push_str(&format!(",\"{name}\":{value}"));
        }
        line.push_str("}\n");
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = file.write_all(line.as_bytes()) {
            let error_type = &failure.error_type;
            crate::log::message(format_args!("--on-failure: cannot report {request_id} ({error_type}): {error}"));
        }
    }
}

/// Waits for the end of an attempt; `None` if it succeeded. The response is discarded.
fn outcome(mut invocation: Invocation) -> Result<Option<Failure>, Error> {
    for _ in invocation.by_ref() {}
    let outcome = invocation.wait()?;
    Ok(outcome.error().map(|error| Failure { error_type: error.error_type().to_owned(), body: error.body().clone() }))
}
