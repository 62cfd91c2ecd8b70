//! Builds functions on this runtime, on `lambda_runtime` and on bare sockets, drives them side by side, prints a table
//! and writes it to `RESULTS.md`.
//!
//!     cargo run --release --manifest-path bench/Cargo.toml --bin compare [-- --quick | --shared]
//!
//! With `--shared`, on a machine that other programs use at the same time, times are shown only as ratios.

use std::collections::BTreeSet;
use std::fs;

use bench::Result;
use bench::build::{self, Builds};
use bench::comparison::{COMPARISONS, Comparison, tree};
use bench::cpus::{Cpus, Given};
use bench::figures::{Figures, Metric};
use bench::instruments::{self, Counters};
use bench::load::Load;
use bench::programs::Program;
use bench::progress::Progress;
use bench::{machine, report};

/// The extent of a measurement.
struct Effort {
    rounds: usize,
    /// Starts of each function in a round.
    starts: usize,
    /// The divisor of the loads.
    divisor: u64,
    shared_machine: bool,
}

const FULL: Effort = Effort { rounds: 5, starts: 20, divisor: 1, shared_machine: false };
const QUICK: Effort = Effort { rounds: 1, starts: 5, divisor: 10, shared_machine: false };
const SHARED: Effort = Effort { rounds: 3, starts: 5, divisor: 10, shared_machine: true };

fn main() -> Result<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let effort = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => FULL,
        ["--quick"] => QUICK,
        ["--shared"] => SHARED,
        _ => return Err("the options are --quick and --shared".into()),
    };
    let machine = machine::description()?;
    let builds = Builds::beside_this_program()?;
    build_all(&builds)?;
    let counters = Counters::find(builds.scratch())?;
    let given = Given::find()?;

    let mut figures = Figures::default();
    figures.shared_machine = effort.shared_machine;
    weigh(&builds, &mut figures)?;
    let runs = runs();
    let mut progress = Progress::new(effort.rounds * runs.len());
    for round in 0..effort.rounds {
        for contender in &runs {
            progress.step(&format!("{} · {}", contender.program.bin, contender.load.name));
            given.restrict_to(contender.cpus)?;
            let measured = contender.measure(&effort, round, &builds, &counters, &mut figures);
            measured.map_err(|error| format!("{}: {error}", contender.program.bin))?;
        }
    }
    progress.end();

    let results = results(&machine, &effort, &counters, &figures);
    println!("{results}");
    fs::write(build::folder().join("RESULTS.md"), results)?;
    Ok(())
}

fn build_all(builds: &Builds) -> Result<()> {
    let packages: BTreeSet<_> =
        COMPARISONS.iter().flat_map(Comparison::programs).map(|program| program.package).collect();
    let mut progress = Progress::new(packages.len());
    for package in packages {
        progress.step(&format!("building {package}"));
        builds.build(package)?;
    }
    progress.end();
    Ok(())
}

/// Measures properties of the binary.
fn weigh(builds: &Builds, figures: &mut Figures) -> Result<()> {
    const MB: f64 = 1e6;
    for comparison in COMPARISONS.iter().filter(|comparison| comparison.measures_start()) {
        for program in comparison.programs() {
            let size = fs::metadata(builds.binary(program))?.len();
            figures.add(comparison.run(program), Metric::Size, size as f64 / MB);
            if let Some(tree) = tree(program.package) {
                figures.add(comparison.run(program), Metric::Crates, build::crates(tree)? as f64);
            }
        }
    }
    Ok(())
}

/// A program under a load. It may be part of several comparisons, and is measured once per round.
struct Contender {
    program: Program,
    load: Load,
    cpus: Cpus,
    measures_start: bool,
}

fn runs() -> Vec<Contender> {
    let mut seen = BTreeSet::new();
    let all = COMPARISONS.iter().flat_map(|comparison| {
        comparison.programs().map(|program| Contender {
            program,
            load: comparison.load,
            cpus: comparison.cpus,
            measures_start: comparison.measures_start(),
        })
    });
    all.filter(|contender| seen.insert((contender.program, contender.load.name))).collect()
}

impl Contender {
    fn measure(
        &self,
        effort: &Effort,
        round: usize,
        builds: &Builds,
        counters: &Counters,
        figures: &mut Figures,
    ) -> Result<()> {
        let run = (self.program, self.load.name);
        let binary = builds.binary(self.program);
        let load = self.load.shortened(effort.divisor);
        figures.add_live(run, instruments::live(&binary, &load)?);
        if self.measures_start {
            for _ in 0..effort.starts {
                figures.add(run, Metric::StartFaults, instruments::start_faults(&binary, &load)?);
            }
        }
        // The counting tools are slow, and their results hardly vary.
        if round == 0 && counters.valgrind {
            figures.add(run, Metric::Instructions, counters.instructions(&binary, &load)?);
        }
        if round == 0 && counters.strace {
            figures.add_system_calls(run, counters.system_calls(&binary, &load)?);
            if self.measures_start {
                figures.add(run, Metric::StartCalls, counters.start_calls(&binary, &load)?);
            }
        }
        Ok(())
    }
}

fn results(machine: &str, effort: &Effort, counters: &Counters, figures: &Figures) -> String {
    let mut notes = String::new();
    if effort.shared_machine {
        notes += "- other programs ran at the same time: of times, only the ratios are shown\n";
    }
    for (tool, is_there, what) in
        [("valgrind", counters.valgrind, "user instructions"), ("strace", counters.strace, "system calls")]
    {
        if !is_there {
            notes += &format!("- {tool} is not installed: no {what}\n");
        }
    }
    format!(
        "# Side by side\n\n\
         Written by `compare`. Medians of {} rounds in which the functions took turns, each driven by the same local \
         Runtime API over loopback. Function and API share one CPU, so that CPU time does not depend on where the kernel \
         puts them; multi-threaded functions get all. Instructions and system calls are counted with an API that takes \
         a millisecond for each reply: in Lambda, a function waits for its events.\n\n\
         {machine}{notes}\n\
         {}\n\
         {}",
        effort.rounds,
        report::comparison(figures),
        report::system_calls(figures),
    )
}
