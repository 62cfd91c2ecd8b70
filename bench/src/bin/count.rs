//! Counts figures that do not depend on the machine's load: instructions and system calls of an invocation; page faults and
//! system calls before the first /next; anonymous memory; the size of the binary.
//!
//!     cargo run --release --manifest-path bench/Cargo.toml --bin count -- tokio-echo smol-echo
//!     cargo run --release --manifest-path bench/Cargo.toml --bin count -- --table tokio-echo official-echo
//!     cargo run --release --manifest-path bench/Cargo.toml --bin count -- --check
//!     cargo run --release --manifest-path bench/Cargo.toml --bin count -- --record
//!
//! `--table` writes the figures to `COUNTS.md`. `--check` compares the functions of `INSTRUCTIONS.txt` with the counts there,
//! and fails if one costs over 3 % more. With other versions of rustc or glibc than those there, it only prints. `--record` writes the file.

use std::fs;
use std::process::Command;

use bench::Result;
use bench::build::{self, Builds};
use bench::comparison::{COMPARISONS, Comparison};
use bench::cpus::{Cpus, Given};
use bench::instruments::{self, Counters};
use bench::load::Load;
use bench::machine;
use bench::programs::Program;
use bench::report::{markdown, number};

/// The recorded functions: an echo on each executor.
const RECORDED: [&str; 3] = ["tokio-echo", "smol-own-echo", "blocking-echo"];

/// More than this is a regression; less is noise of the allocator and the scheduler.
const TOLERANCE: f64 = 1.03;

fn main() -> Result<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let file = build::folder().join("INSTRUCTIONS.txt");
    match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--record"] => {
            let counts = count(&RECORDED)?;
            let lines = counts.iter().map(|(function, count)| format!("{function} {count:.0}\n"));
            fs::write(file, format!("{}\n{}", versions()?, lines.collect::<String>()))?;
            Ok(())
        }
        ["--check"] => check(&fs::read_to_string(file)?, &versions()?, count),
        ["--table", functions @ ..] => {
            // Before the process is restricted to one CPU.
            let machine = machine::description()?;
            let table = table(functions)?;
            let text = format!(
                "# Counts\n\n\
                 Written by `count --table`: what does not depend on the load of the machine. The event is `{{}}`, except for \
                 the typed functions, which get an order of four types with 62 fields. Instructions and system calls are \
                 counted with an API that takes a millisecond for each reply.\n\n\
                 {machine}\n{table}"
            );
            Ok(fs::write(build::folder().join("COUNTS.md"), text)?)
        }
        functions => table(functions).map(drop),
    }
}

/// Prints all counts as a table.
fn table(functions: &[&str]) -> Result<String> {
    let (builds, counters) = prepare()?;
    let head = [
        "function",
        "instructions / invocation",
        "system calls / invocation",
        "page faults before /next",
        "system calls before /next",
        "anonymous, KiB",
        "binary, kB",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for &name in functions {
        let (program, load) = find(name)?;
        builds.build_only(program)?;
        let binary = builds.binary(program);
        let figures = [
            (counters.instructions(&binary, &load)?, 0),
            (counters.system_calls(&binary, &load)?.into_values().sum(), 1),
            (instruments::start_faults(&binary, &load)?, 0),
            (counters.start_calls(&binary, &load)?, 0),
            (instruments::live(&binary, &load.shortened(10))?.anonymous / 1024.0, 0),
            (fs::metadata(&binary)?.len() as f64 / 1000.0, 0),
        ];
        let cells = figures.map(|(figure, decimals)| number(figure, decimals));
        rows.push([format!("`{name}`")].into_iter().chain(cells).collect());
    }
    let table = markdown(&rows);
    println!("{table}");
    Ok(table)
}

/// Compares counts with the recorded ones.
fn check(recorded: &str, versions: &str, count: impl FnOnce(&[&str]) -> Result<Vec<(String, f64)>>) -> Result<()> {
    let (recorded_versions, counts) = recorded.split_once('\n').ok_or("the record is empty")?;
    let mut limits = Vec::new();
    for line in counts.lines() {
        let (function, count) = line.split_once(' ').ok_or_else(|| format!("invalid record {line:?}"))?;
        limits.push((function, count.parse::<f64>()?));
    }
    let functions: Vec<_> = limits.iter().map(|&(function, _)| function).collect();
    let counted = count(&functions)?;
    let worse: Vec<_> = limits
        .iter()
        .zip(&counted)
        .filter(|((_, recorded), (_, counted))| *counted > recorded * TOLERANCE)
        .map(|((function, recorded), (_, counted))| format!("{function}: {counted:.0}, recorded are {recorded:.0}"))
        .collect();
    if versions != recorded_versions {
        println!("not compared: the record is of {recorded_versions}, this is {versions}");
        return Ok(());
    }
    if worse.is_empty() { Ok(()) } else { Err(format!("more instructions than recorded: {}", worse.join("; ")).into()) }
}

/// User instructions of an invocation of each function.
fn count(functions: &[&str]) -> Result<Vec<(String, f64)>> {
    let (builds, counters) = prepare()?;
    let mut counts = Vec::new();
    for &name in functions {
        let (program, load) = find(name)?;
        builds.build_only(program)?;
        let count = counters.instructions(&builds.binary(program), &load)?;
        println!("{name}: {count:.0} instructions per invocation");
        counts.push((name.to_owned(), count));
    }
    Ok(counts)
}

fn prepare() -> Result<(Builds, Counters)> {
    let builds = Builds::beside_this_program()?;
    let counters = Counters::find(builds.scratch())?;
    Given::find()?.restrict_to(Cpus::One)?;
    Ok((builds, counters))
}

fn find(name: &str) -> Result<(Program, Load)> {
    let in_comparison = |comparison: &Comparison| {
        let program = comparison.programs().find(|program| program.bin == name)?;
        Some((program, comparison.load))
    };
    let found = COMPARISONS.iter().find_map(in_comparison);
    found.ok_or_else(|| format!("no such function: {name:?}").into())
}

/// The versions of the compiler and the C library, on which the count depends.
fn versions() -> Result<String> {
    let rustc = build::output(rustc())?;
    let mut getconf = Command::new("getconf");
    getconf.arg("GNU_LIBC_VERSION");
    let rustc = rustc.split_whitespace().nth(1).unwrap_or_default().to_owned();
    Ok(format!("rustc {rustc}, {}", build::output(getconf).unwrap_or_else(|_| "another C library".to_owned())))
}

fn rustc() -> Command {
    let mut rustc = Command::new("rustc");
    rustc.arg("--version");
    rustc
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(versions: &str, counted: f64) -> Result<()> {
        check("rustc 1, glibc 2\nan-echo 1000\n", versions, |functions| {
            assert_eq!(functions, ["an-echo"]);
            Ok(vec![("an-echo".to_owned(), counted)])
        })
    }

    #[test]
    fn over_three_percent_more_than_recorded_is_an_error_for_the_same_versions() {
        assert!(checked("rustc 1, glibc 2", 1030.0).is_ok());
        let error = checked("rustc 1, glibc 2", 1031.0).unwrap_err().to_string();
        assert!(error.contains("an-echo: 1031, recorded are 1000"), "{error}");
        assert!(checked("rustc 2, glibc 2", 2000.0).is_ok());
    }
}
