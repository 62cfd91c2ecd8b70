//! Runs invocations with random faults through the real runtime, a million by default, and checks that each has the correct
//! outcome, that memory does not grow, and that no socket leaks.
//!
//!     cargo run --release -p soak -- --executor smol
//!     cargo run --release -p soak -- --executor tokio --pipelining --seed 7 --invocations 200000
//!
//! The function runs in this process on one thread. On another, the [API](api) breaks connections, refuses outcomes and sends
//! unusual but legal HTTP, all drawn from a seed. The same seed draws the same for every invocation; only the interleaving of
//! the threads may differ.
//!
//! Prints the faults and a line `ok` with figures, or `FAIL` with the reason and the API's last actions. A run fails unless
//!
//! - each outcome is the one that its event requests, byte by byte, is posted for its invocation, and is not repeated after its
//!   acknowledgement;
//! - the handler is called once for each event that was delivered;
//! - there is one connection at a time;
//! - the maximum memory in the second half of the run exceeds that in the first quarter by at most 1 MiB, and the number of open
//!   files does not grow;
//! - the same files are open at the end and at the start;
//! - `run` continues until /next is refused, and then returns the API's error.

mod api;
mod connection;
mod draw;
mod function;
mod gauge;
mod journal;
mod messages;
mod options;
mod peer;

use std::process::ExitCode;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::api::{Api, Tally};
use crate::journal::Journal;
use crate::options::Options;

/// The run has hung if no invocation is served for this long.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Interval between reports of progress.
const PROGRESS: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    let options = match options::parse() {
        Ok(Some(options)) => options,
        Ok(None) => return ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("soak: {error}; see --help");
            return ExitCode::from(2);
        }
    };
    if let Err(error) = gauge::return_freed_memory() {
        eprintln!("soak: cannot re-execute itself: {error}");
        return ExitCode::FAILURE;
    }
    let Options { executor, seed, .. } = options;
    println!("soak: {} invocations on {executor}, --seed {seed}", options.invocations);

    // Messages about a million faults are formatted, as usual, but not printed.
    lambda_runtime_tokio::tracing::init_default_subscriber_with_writer(std::io::sink);
    function::silence_requested_panics();
    function::warm_up(executor);
    let journal = Arc::new(Journal::default());
    match soak(options, &journal) {
        Ok(line) => {
            println!("{}", journal.faults());
            println!("ok   {line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("FAIL soak on {executor} with --seed {seed}: {error}\nlast actions:\n{}", journal.recent());
            ExitCode::FAILURE
        }
    }
}

/// Returns the line of figures.
fn soak(options: Options, journal: &Arc<Journal>) -> Result<String, String> {
    let fds_before = gauge::open_fds();
    let begun = Instant::now();
    let api = Api::bind(options, Arc::clone(journal))?;
    let address = api.address().parse().map_err(|error| format!("{error}"))?;
    let function = std::thread::spawn(move || function::run(options, address));
    let api = std::thread::spawn(move || api.play());
    let tally = match watch(api, &function, journal, begun) {
        Err(error) if function.is_finished() => return Err(format!("{error}; run returned {:?}", function.join())),
        tally => tally?,
    };
    let end = function.join().map_err(|_| "run panicked".to_owned())?;
    let seconds = begun.elapsed().as_secs_f64();

    if !end.as_ref().is_err_and(|error| error.contains("403 InvalidStateTransition")) {
        return Err(format!("expected the API's refusal of /next from run, which returned {end:?}"));
    }
    let handled = function::handled();
    let Tally { connections, delivered, lost, memory, fds } = tally;
    // The API cannot know whether the function read an event before its connection was reset.
    if !(delivered - lost..=delivered).contains(&handled) {
        return Err(format!(
            "the handler was called {handled} times for {delivered} events, of which {lost} may have been lost"
        ));
    }
    // About one byte per invocation of a million.
    memory.expect_flat("KiB resident", 1024)?;
    fds.expect_flat("open file descriptors", 0)?;
    let fds_after = gauge::open_fds();
    if fds_after != fds_before {
        return Err(format!("{fds_before} file descriptors were open at the start, and {fds_after} at the end"));
    }
    Ok(format!(
        "{} on {}, seed {}: {} faults, {connections} connections, {handled} events handled; KiB resident: {memory}; \
         open files: {fds}, {fds_before} before and {fds_after} after; {seconds:.0} s",
        options.invocations,
        options.executor,
        options.seed,
        journal.count(),
    ))
}

/// Waits for the API to end, and reports progress.
fn watch(
    api: JoinHandle<Result<Tally, String>>,
    function: &JoinHandle<Result<(), String>>,
    journal: &Journal,
    begun: Instant,
) -> Result<Tally, String> {
    let (mut moved, mut seen, mut told) = (Instant::now(), 0, Instant::now());
    let mut function_ended = None;
    while !api.is_finished() {
        std::thread::sleep(Duration::from_millis(50));
        let served = journal.served();
        if served > seen {
            (moved, seen) = (Instant::now(), served);
        }
        if moved.elapsed() > TIMEOUT {
            return Err(format!("the run hangs after {served} invocations"));
        }
        if function.is_finished() && function_ended.get_or_insert_with(Instant::now).elapsed() > Duration::from_secs(2)
        {
            return Err(format!("run returned after {served} invocations, although /next was not refused"));
        }
        if told.elapsed() > PROGRESS {
            told = Instant::now();
            println!(
                "{served} invocations, {} faults, {} KiB resident, {} s",
                journal.count(),
                gauge::resident_kib(),
                begun.elapsed().as_secs()
            );
        }
    }
    api.join().map_err(|_| "the API panicked".to_owned())?
}
