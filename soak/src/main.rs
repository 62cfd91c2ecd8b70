//! Runs invocations with random faults through the real runtime, a million by default, and watches that each is
//! answered as the protocol wants, that memory does not grow, and that no socket is left behind.
//!
//!     cargo run --release -p soak -- --executor smol
//!     cargo run --release -p soak -- --executor tokio --pipelining --seed 7 --invocations 200000
//!
//! The function runs in this process, on one thread; the [API](api) on another breaks connections, refuses answers and
//! sends odd but legal HTTP, all drawn from a seed. The same seed draws the same for every invocation; only what the
//! threads make of it may differ, as they run freely.
//!
//! It ends with the faults that there were and a line of figures behind `ok`, or with `FAIL`, why, and what the API did
//! last. It fails unless
//!
//! - every answer is the one that its event asked for, byte by byte, comes to the right place, and does not come again
//!   when it has been acknowledged;
//! - the handler is called once for each event that came through;
//! - there is one connection at a time;
//! - the largest amount of memory in the last half of the run is that of its first quarter, but for a MiB; and the
//!   number of open files is the same;
//! - the files that are open at the end are those that were open at the start;
//! - `run` goes on until /next is refused, and then ends in the words of the refusal.

mod api;
mod book;
mod connection;
mod function;
mod gauge;
mod invocation;
mod line;
mod messages;
mod options;

use std::process::ExitCode;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::api::{Api, Tally};
use crate::book::Book;
use crate::options::Options;

/// Without an invocation served for so long, something hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// Between two lines about the progress.
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
        eprintln!("soak: it cannot start itself again: {error}");
        return ExitCode::FAILURE;
    }
    let Options { executor, seed, .. } = options;
    println!("soak: {} invocations on {executor}, --seed {seed}", options.invocations);

    // What the runtime has to say about a million faults is formatted, as it would be, but not printed.
    lambda_runtime_tokio::tracing::init_default_subscriber_with_writer(std::io::sink);
    function::keep_asked_panics_quiet();
    function::warm_up(executor);
    let book = Arc::new(Book::default());
    match soak(options, &book) {
        Ok(line) => {
            println!("{}", book.faults());
            println!("ok   {line}");
            ExitCode::SUCCESS
        }
        Err(words) => {
            println!("FAIL soak on {executor} with --seed {seed}: {words}\nwhat was done last:\n{}", book.recent());
            ExitCode::FAILURE
        }
    }
}

/// Returns the figures in a line.
fn soak(options: Options, book: &Arc<Book>) -> Result<String, String> {
    let fds_before = gauge::open_fds();
    let begun = Instant::now();
    let api = Api::bind(options, Arc::clone(book))?;
    let address = api.address().parse().map_err(|error| format!("{error}"))?;
    let function = std::thread::spawn(move || function::run(options, address));
    let api = std::thread::spawn(move || api.play());
    let tally = match watch(api, &function, book, begun) {
        Err(words) if function.is_finished() => return Err(format!("{words}; run returned {:?}", function.join())),
        tally => tally?,
    };
    let end = function.join().map_err(|_| "run panicked".to_owned())?;
    let seconds = begun.elapsed().as_secs_f64();

    if !end.as_ref().is_err_and(|words| words.contains("403 InvalidStateTransition")) {
        return Err(format!("a refused /next ends run in the API's words, but it returned {end:?}"));
    }
    let handled = function::handled();
    let Tally { connections, handed_out, lost, memory, fds } = tally;
    // Whether the function saw an event before its connection was reset, only the function knows.
    if !(handed_out - lost..=handed_out).contains(&handled) {
        return Err(format!(
            "the handler was called {handled} times, for {handed_out} events of which {lost} may have been lost"
        ));
    }
    // About a byte for each invocation of a million.
    memory.expect_flat("KiB resident", 1024)?;
    fds.expect_flat("open file descriptors", 0)?;
    let fds_after = gauge::open_fds();
    if fds_after != fds_before {
        return Err(format!("{fds_before} file descriptors were open before and {fds_after} are afterwards"));
    }
    Ok(format!(
        "{} on {}, seed {}: {} faults, {connections} connections, {handled} events handled, {memory} KiB resident, \
         {fds} fds while it ran, {fds_before} before and {fds_after} after, {seconds:.0} s",
        options.invocations,
        options.executor,
        options.seed,
        book.count(),
    ))
}

/// Waits for the API to end, and says now and then how far it has come.
fn watch(
    api: JoinHandle<Result<Tally, String>>,
    function: &JoinHandle<Result<(), String>>,
    book: &Book,
    begun: Instant,
) -> Result<Tally, String> {
    let (mut moved, mut seen, mut told) = (Instant::now(), 0, Instant::now());
    let mut function_ended = None;
    while !api.is_finished() {
        std::thread::sleep(Duration::from_millis(50));
        let served = book.served();
        if served > seen {
            (moved, seen) = (Instant::now(), served);
        }
        if moved.elapsed() > PATIENCE {
            return Err(format!("it hangs after {served} invocations"));
        }
        if function.is_finished() && function_ended.get_or_insert_with(Instant::now).elapsed() > Duration::from_secs(2)
        {
            return Err(format!("run ended after {served} invocations, though /next was not refused"));
        }
        if told.elapsed() > PROGRESS {
            told = Instant::now();
            println!(
                "{served} invocations, {} faults, {} KiB resident, {} s",
                book.count(),
                gauge::resident_kib(),
                begun.elapsed().as_secs()
            );
        }
    }
    api.join().map_err(|_| "the API panicked".to_owned())?
}
