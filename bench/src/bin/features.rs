//! Counts what each feature costs a function that does not use it: instructions of an invocation, and the size of the binary.
//!
//!     cargo run --release --manifest-path bench/Cargo.toml --bin features
//!     cargo run --release --manifest-path bench/Cargo.toml --bin features -- tokio

use std::fs;

use bench::Result;
use bench::build::Builds;
use bench::cpus::{Cpus, Given};
use bench::instruments::Counters;
use bench::load;
use bench::programs;
use bench::report::{markdown, number};

const FEATURES: [&str; 6] =
    ["", "current", "wait-until", "current,wait-until", "tracing", "tracing,current,wait-until"];

fn main() -> Result<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let builds = Builds::beside_this_program()?;
    let counters = Counters::find(builds.scratch())?;
    Given::find()?.restrict_to(Cpus::One)?;
    let head = ["executor", "features", "instructions / invocation", "more", "binary, bytes", "more", "%"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for (executor, program) in programs::FEATURED {
        if !arguments.is_empty() && !arguments.iter().any(|argument| argument == executor) {
            continue;
        }
        let mut without = None;
        for features in FEATURES {
            builds.build_with(program, &format!("{executor},{features}"))?;
            let binary = builds.binary(program);
            let size = fs::metadata(&binary)?.len() as f64;
            let instructions = counters.instructions(&binary, &load::SMALL)?;
            let (instructions_without, size_without) = *without.get_or_insert((instructions, size));
            let more = size - size_without;
            let figures = [
                number(instructions, 0),
                number(instructions - instructions_without, 0),
                number(size, 0),
                number(more, 0),
                number(more / size_without * 100.0, 2),
            ];
            let names = [executor.to_owned(), features.replace(',', ", ")];
            rows.push(names.into_iter().chain(figures).collect());
            eprintln!("{}", rows.last().map(|row| row.join(" | ")).unwrap_or_default());
        }
    }
    println!("{}", markdown(&rows));
    Ok(())
}
