//! Counts the user instructions of an invocation, with callgrind.
//!
//!     cargo run --release --manifest-path bench/Cargo.toml --bin count -- tokio-echo smol-echo

use bench::Result;
use bench::build::Builds;
use bench::comparison::{COMPARISONS, Comparison};
use bench::cpus::{Cpus, Given};
use bench::instruments::Counters;

fn main() -> Result<()> {
    let builds = Builds::with_symbols()?;
    let counters = Counters::find(builds.scratch())?;
    Given::find()?.restrict_to(Cpus::One)?;
    for wanted in std::env::args().skip(1) {
        let in_comparison = |comparison: &Comparison| {
            let program = comparison.programs().find(|program| program.bin == wanted)?;
            Some((program, comparison.load))
        };
        let found = COMPARISONS.iter().find_map(in_comparison);
        let (program, load) = found.ok_or_else(|| format!("no such function: {wanted:?}"))?;
        builds.build(program.package)?;
        println!("{wanted}: {:.0} instructions per invocation", counters.instructions(&builds.binary(program), &load)?);
    }
    Ok(())
}
