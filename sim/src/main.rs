//! All of Lambda in one thread: the runtime, the network, the API, the clock and the scheduler, driven by one seed.
//!
//!     cargo run --release -p sim -- --seed 1 --sandboxes 1000 --invocations 1000000
//!
//! Every sandbox has its own seed, so `--from N` replays only the one that serves invocation `N`.
//! [`docs/simulation.md`](../../docs/simulation.md) lists the invariants and the faults.

mod api;
mod companions;
mod connection;
mod draw;
mod executor;
mod faults;
mod function;
mod kernel;
mod layers;
mod ledger;
mod log;
mod network;
mod options;
mod plan;
mod process;
mod sandbox;
mod tasks;
#[cfg(test)]
mod tests;
mod trace;

use std::fs::File;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use workload::seed_of;

use crate::faults::{Faults, KINDS};
use crate::options::Options;
use crate::sandbox::Inputs;
use crate::trace::Trace;

/// Interval of the lines that report progress.
const PROGRESS: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    let options = match options::parse() {
        Ok(Some(options)) => options,
        Ok(None) => return ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sim: {error}; see --help");
            return ExitCode::from(2);
        }
    };
    log::install();
    match simulate(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            println!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn simulate(options: &Options) -> Result<(), String> {
    let Options { seed, sandboxes, invocations, from, each_fault, ref trace } = *options;
    let (mut hash, mut faults) = (Trace::new(), Faults::default());
    let (mut time, mut served, mut connections, mut polls, mut lived) = (0, 0, 0, 0, 0);
    let (begun, mut told) = (Instant::now(), Instant::now());
    let mut file = match trace {
        Some(path) => Some(File::create(path).map_err(|error| format!("sim: {path}: {error}"))?),
        None => None,
    };
    // Error reports contain the working directory, and the trace must not depend on it.
    std::env::set_current_dir("/").map_err(|error| format!("sim: /: {error}"))?;
    for sandbox in 0..sandboxes {
        // Invocations are divided evenly.
        let first = invocations * sandbox / sandboxes;
        let end = invocations * (sandbox + 1) / sandboxes;
        if from.is_some_and(|from| !(first..end).contains(&from)) {
            continue;
        }
        let inputs = Inputs { seed: seed_of(seed, sandbox), first, count: end - first, altered: None };
        let lifetime = sandbox::run(inputs, file.take());
        if let Some((invocation, violation)) = lifetime.failure {
            return Err(format!(
                "FAIL seed {seed}, invocation {invocation}: {violation}\n     in {:?}\n     replay it with --seed {seed} \
                 --sandboxes {sandboxes} --invocations {invocations} --from {invocation} --trace FILE",
                lifetime.plan
            ));
        }
        hash.append(lifetime.hash);
        faults.add(&lifetime.faults);
        time += lifetime.time / 1_000_000_000;
        served += lifetime.invocations;
        connections += lifetime.connections;
        polls += lifetime.polls;
        lived += 1;
        if told.elapsed() > PROGRESS {
            told = Instant::now();
            println!(
                "{lived} sandboxes, {served} invocations, {} faults, {} s",
                faults.total(),
                begun.elapsed().as_secs()
            );
        }
    }
    print!("{faults}");
    if let Some(kind) = KINDS.into_iter().find(|kind| faults.of(kind) < each_fault) {
        return Err(format!("FAIL seed {seed}: {kind} only {} times, and not {each_fault}", faults.of(kind)));
    }
    let seconds = begun.elapsed().as_secs_f64();
    println!(
        "ok   seed {seed}: {served} invocations in {lived} sandboxes, {time} s of virtual time, {:.0} invocations/s, \
         {connections} connections, {polls} polls, {} faults of {} kinds, hash {:016x}",
        served as f64 / seconds,
        faults.total(),
        faults.kinds().count(),
        hash.hash()
    );
    Ok(())
}
