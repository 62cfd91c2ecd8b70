//! Attributes the user instructions of a function under test, by `callgrind_annotate` over many invocations.
//!
//!     cargo run --release --manifest-path bench/Cargo.toml --bin profile -- tokio-echo

use std::process::Command;

use bench::Result;
use bench::build::Builds;
use bench::comparison::{COMPARISONS, Comparison};
use bench::cpus::{Cpus, Given};
use bench::instruments::Counters;
use bench::progress::Progress;

fn main() -> Result<()> {
    let wanted = std::env::args().nth(1).unwrap_or_default();
    let in_comparison = |comparison: &Comparison| {
        let program = comparison.programs().find(|program| program.bin == wanted)?;
        Some((program, comparison.load))
    };
    let Some((program, load)) = COMPARISONS.iter().find_map(in_comparison) else {
        return Err("expected the name of a function under test, such as tokio-echo".into());
    };
    let mut progress = Progress::new(2);
    progress.step("building");
    let builds = Builds::with_symbols()?;
    builds.build(program.package)?;
    progress.step("running");
    Given::find()?.restrict_to(Cpus::One)?;
    let counters = Counters::find(builds.scratch())?;
    let profile = counters.profile(&builds.binary(program), &load)?;
    progress.end();
    println!("{}: {} invocations of: {}", program.bin, load.count_instrumented, load.name);
    Command::new("callgrind_annotate").args(["--auto=no", "--show-percs=yes"]).arg(profile).status()?;
    Ok(())
}
