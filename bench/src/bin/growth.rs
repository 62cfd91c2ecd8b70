//! Measures how cost grows with the size of the payload, the number of chunks and the number of workers. Writes `GROWTH.md`
//! and `plots/`.
//!
//!     cargo run --release --manifest-path bench/Cargo.toml --bin growth [-- --quick]

use std::collections::BTreeSet;
use std::fs;

use bench::Result;
use bench::build::{self, Builds};
use bench::cpus::{Cpus, Given};
use bench::figures::median;
use bench::instruments::{self, Live};
use bench::load::{Event, Load};
use bench::plot::{Curve, Plot};
use bench::programs::{self, Program};
use bench::progress::Progress;
use bench::{machine, report};

/// One variable that grows.
struct Growth {
    name: &'static str,
    title: &'static str,
    /// The variable and its cost.
    x: &'static str,
    y: &'static str,
    /// The approximate factor from one step to the next.
    base: f64,
    steps: &'static [usize],
    programs: &'static [(&'static str, Program)],
    cpus: Cpus,
    load: fn(usize) -> Load,
    /// The cost, from a measurement.
    cost: fn(Live) -> f64,
}

const ECHOES: &[(&str, Program)] = &[
    ("this runtime on tokio", programs::TOKIO_ECHO),
    ("lambda_runtime", programs::OFFICIAL_ECHO),
    ("this runtime on smol", programs::SMOL_ECHO),
    ("bare socket on tokio", programs::BARE_TOKIO_ECHO),
];

const STREAMS: &[(&str, Program)] = &[
    ("this runtime on tokio", programs::TOKIO_STREAMING),
    ("lambda_runtime", programs::OFFICIAL_STREAMING),
    ("this runtime on smol", programs::SMOL_STREAMING),
    ("bare socket on tokio", programs::BARE_TOKIO_STREAMING),
];

const CONCURRENT: &[(&str, Program)] = &[
    ("this runtime on tokio", programs::TOKIO_CONCURRENT),
    ("lambda_runtime", programs::OFFICIAL_CONCURRENT),
    ("this runtime on smol", programs::SMOL_CONCURRENT),
];

const GROWTHS: &[Growth] = &[
    Growth {
        name: "payload",
        title: "Echo of a JSON string, by its size in bytes",
        x: "bytes",
        y: "CPU µs / invocation",
        base: 10.0,
        steps: &[10, 100, 1_000, 10_000, 100_000, 1_000_000, 3_000_000, 6_000_000],
        programs: ECHOES,
        cpus: Cpus::One,
        load: |size| load(Event::Text(size), 1, 100_000_000 / (size + 20_000)),
        cost: cpu,
    },
    Growth {
        name: "chunks",
        title: "Streamed response, by the number of chunks of 1 KiB",
        x: "chunks",
        y: "CPU µs / invocation",
        base: 10.0,
        steps: &[1, 10, 100, 1_000, 10_000],
        programs: STREAMS,
        cpus: Cpus::One,
        // Few, because lambda_runtime waits 40 ms for a delayed acknowledgement in each short stream.
        load: |count| load(Event::Chunks(count, 1024), 1, 5_000 / (count + 20)),
        cost: cpu,
    },
    Growth {
        name: "workers",
        title: "Echo of small events, by the number of workers",
        x: "workers",
        y: "invocations / s",
        base: 2.0,
        steps: &[1, 2, 4, 8, 16, 32, 64],
        programs: CONCURRENT,
        cpus: Cpus::All,
        load: |workers| load(Event::Empty, workers as u64, 20_000),
        cost: |live| 1.0 / live.wall.as_secs_f64(),
    },
];

fn load(event: Event, workers: u64, count: usize) -> Load {
    const LEAST: usize = 10;
    Load { name: "", event, workers, count: count.max(LEAST) as u64, count_instrumented: 0 }
}

fn cpu(live: Live) -> f64 {
    const MICROSECONDS: f64 = 1e6;
    live.cpu.as_secs_f64() * MICROSECONDS
}

fn main() -> Result<()> {
    let (rounds, divisor) = match std::env::args().nth(1).as_deref() {
        None => (3, 1),
        Some("--quick") => (1, 10),
        Some(_) => return Err("the only option is --quick".into()),
    };
    let machine = machine::description()?;
    let builds = Builds::beside_this_program()?;
    let packages: BTreeSet<_> =
        GROWTHS.iter().flat_map(|growth| growth.programs).map(|(_, program)| program.package).collect();
    let points: usize = GROWTHS.iter().map(|growth| growth.steps.len() * growth.programs.len()).sum();
    let mut progress = Progress::new(packages.len() + rounds * points);
    for package in packages {
        progress.step(&format!("building {package}"));
        builds.build(package)?;
    }
    let given = Given::find()?;
    let plots = build::folder().join("plots");
    fs::create_dir_all(&plots)?;
    let mut results = format!("# How cost grows\n\nWritten by `growth`. Medians of {rounds} rounds.\n\n{machine}");
    for growth in GROWTHS {
        given.restrict_to(growth.cpus)?;
        let curves = growth.measure(rounds, divisor, &builds, &mut progress)?;
        let Growth { name, title, y, .. } = growth;
        results += &format!("\n## {title}\n\n![{y}](plots/{name}.svg)\n\n{y}:\n\n");
        results += &growth.table(&curves);
        let (title, x, y) = (growth.title.to_owned(), growth.x.to_owned(), growth.y.to_owned());
        let plot = Plot { title, x, y, base: growth.base, curves };
        plot.draw(&plots.join(format!("{}.svg", growth.name)))?;
    }
    progress.end();
    println!("{results}");
    fs::write(build::folder().join("GROWTH.md"), results)?;
    Ok(())
}

impl Growth {
    fn measure(&self, rounds: usize, divisor: u64, builds: &Builds, progress: &mut Progress) -> Result<Vec<Curve>> {
        let mut samples = vec![vec![Vec::new(); self.steps.len()]; self.programs.len()];
        for _ in 0..rounds {
            for (at, &step) in self.steps.iter().enumerate() {
                for ((_, program), samples) in self.programs.iter().zip(&mut samples) {
                    progress.step(&format!("{} · {step} {}", program.bin, self.x));
                    let load = (self.load)(step).shortened(divisor);
                    let live = instruments::live(&builds.binary(*program), &load)
                        .map_err(|error| format!("{}: {error}", program.bin))?;
                    samples[at].push((self.cost)(live));
                }
            }
        }
        let curve = |(&(name, _), samples): (&(&str, Program), &Vec<Vec<f64>>)| Curve {
            name: name.to_owned(),
            points: self.steps.iter().zip(samples).map(|(&step, samples)| (step as f64, median(samples))).collect(),
        };
        Ok(self.programs.iter().zip(&samples).map(curve).collect())
    }

    fn table(&self, curves: &[Curve]) -> String {
        let names = curves.iter().map(|curve| curve.name.clone());
        let mut rows = vec![std::iter::once(self.x.to_owned()).chain(names).collect()];
        for (at, &step) in self.steps.iter().enumerate() {
            let costs = curves.iter().map(|curve| report::number(curve.points[at].1, 1));
            rows.push(std::iter::once(report::number(step as f64, 0)).chain(costs).collect());
        }
        report::markdown(&rows)
    }
}
