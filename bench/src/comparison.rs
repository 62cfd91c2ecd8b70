//! The comparisons: programs, loads and goals.

use crate::build::Tree;
use crate::cpus::Cpus;
use crate::figures::{Figures, Metric, Run};
use crate::load::{self, Load};
use crate::programs::{self, Program};

/// One section of the table: programs that do the same work.
#[derive(Debug, Clone, Copy)]
pub struct Comparison {
    pub executor: &'static str,
    pub load: Load,
    pub cpus: Cpus,
    /// A blocking socket.
    pub blocking: Option<Program>,
    /// A bare socket of the same executor.
    pub bare: Option<Program>,
    /// This project's runtime.
    pub ours: Option<Program>,
    pub official: Option<Program>,
    pub goals: &'static [Goal],
}

/// The maximum of a figure of this project.
#[derive(Debug, Clone, Copy)]
pub struct Goal {
    pub metric: Metric,
    pub limit: Limit,
}

#[derive(Debug, Clone, Copy)]
pub enum Limit {
    Number(f64),
    TimesBare(f64),
    TimesOfficial(f64),
}

/// The additional measurements of each section.
impl Comparison {
    /// Start-up, size and dependencies do not depend on the load: they are measured with the smallest of each function.
    pub fn measures_start(&self) -> bool {
        [load::SMALL, load::TYPED, load::RAW].iter().any(|load| load.name == self.load.name)
    }

    pub fn programs(&self) -> impl Iterator<Item = Program> {
        [self.blocking, self.bare, self.ours, self.official].into_iter().flatten()
    }

    pub fn run(&self, program: Program) -> Run {
        (program, self.load.name)
    }
}

impl Limit {
    /// Whether this runtime reaches it, with the decimals that the table shows: counts under a tracer vary slightly. `None` if
    /// something was not measured.
    pub fn is_reached(self, comparison: &Comparison, metric: Metric, figures: &Figures) -> Option<bool> {
        const RATIO_DECIMALS: usize = 2;
        let median = |program: Option<Program>| figures.median(comparison.run(program?), metric);
        let (found, limit, decimals) = match self {
            Limit::Number(number) => (median(comparison.ours)?, number, metric.decimals()),
            Limit::TimesBare(factor) => (median(comparison.ours)? / median(comparison.bare)?, factor, RATIO_DECIMALS),
            Limit::TimesOfficial(factor) => {
                (median(comparison.ours)? / median(comparison.official)?, factor, RATIO_DECIMALS)
            }
        };
        let shown = |value: f64| (value * 10_f64.powf(decimals as f64)).round();
        Some(shown(found) <= shown(limit))
    }
}

/// The dependency tree of a package's functions.
pub fn tree(package: &str) -> Option<Tree> {
    let tree = |manifest, root| Some(Tree { manifest, root });
    match package {
        "official" => tree("functions/official/Cargo.toml", "lambda_runtime"),
        "on-tokio" | "on-tokio-multi-thread" => tree("../executor-tokio/Cargo.toml", "lambda-runtime-tokio"),
        "on-tokio-lean" => tree("functions/on-tokio-lean/Cargo.toml", "lambda-runtime-tokio"),
        "on-blocking" => tree("../executor-blocking/Cargo.toml", "lambda-runtime-blocking"),
        "on-smol" => tree("../executor-smol/Cargo.toml", "lambda-runtime-smol"),
        _ => None,
    }
}

const fn goal(metric: Metric, limit: Limit) -> Goal {
    Goal { metric, limit }
}

const SMALL: &[Goal] = &[
    goal(Metric::Instructions, Limit::Number(12_600.0)),
    goal(Metric::SystemCalls, Limit::Number(6.0)),
    goal(Metric::Cpu, Limit::TimesBare(1.25)),
    goal(Metric::Anonymous, Limit::TimesBare(1.25)),
    goal(Metric::Size, Limit::Number(0.97)),
    goal(Metric::Crates, Limit::Number(45.0)),
];
const LEAN: &[Goal] = &[
    goal(Metric::Instructions, Limit::Number(12_600.0)),
    goal(Metric::SystemCalls, Limit::Number(6.0)),
    goal(Metric::Cpu, Limit::TimesBare(1.25)),
    goal(Metric::StartFaults, Limit::Number(92.0)),
    goal(Metric::StartCalls, Limit::Number(74.0)),
    goal(Metric::Anonymous, Limit::TimesBare(1.25)),
    goal(Metric::Crates, Limit::Number(45.0)),
];
const ON_SMOL: &[Goal] = &[
    goal(Metric::Instructions, Limit::Number(13_100.0)),
    goal(Metric::SystemCalls, Limit::Number(16.0)),
    goal(Metric::Cpu, Limit::TimesBare(1.25)),
    goal(Metric::Anonymous, Limit::TimesBare(1.15)),
];
const ON_SMOL_OWN: &[Goal] = &[
    goal(Metric::Instructions, Limit::Number(10_600.0)),
    goal(Metric::SystemCalls, Limit::Number(6.0)),
    goal(Metric::Cpu, Limit::TimesBare(1.25)),
    goal(Metric::Anonymous, Limit::TimesBare(1.15)),
];
const ON_BLOCKING: &[Goal] = &[
    goal(Metric::Instructions, Limit::Number(9_100.0)),
    goal(Metric::SystemCalls, Limit::Number(4.0)),
    goal(Metric::Cpu, Limit::TimesBare(1.25)),
    goal(Metric::Anonymous, Limit::TimesBare(1.2)),
];
const TYPED: &[Goal] = &[goal(Metric::SystemCalls, Limit::Number(6.0)), goal(Metric::Size, Limit::Number(1.04))];
const TYPED_BLOCKING: &[Goal] =
    &[goal(Metric::SystemCalls, Limit::Number(4.0)), goal(Metric::Size, Limit::Number(1.04))];
const RAW: &[Goal] = &[goal(Metric::SystemCalls, Limit::Number(6.0)), goal(Metric::Cpu, Limit::TimesBare(1.25))];
const RAW_BLOCKING: &[Goal] = &[
    goal(Metric::SystemCalls, Limit::Number(4.0)),
    goal(Metric::Cpu, Limit::TimesBare(1.25)),
    goal(Metric::Size, Limit::TimesBare(1.5)),
];
const PIPELINED: &[Goal] = &[goal(Metric::SystemCalls, Limit::Number(4.0))];
const MULTI_THREAD: &[Goal] =
    &[goal(Metric::Futex, Limit::TimesBare(1.0)), goal(Metric::Connections, Limit::Number(1.0))];
const LARGE: &[Goal] = &[goal(Metric::Cpu, Limit::TimesOfficial(0.5))];
const STREAMING: &[Goal] = &[goal(Metric::Cpu, Limit::TimesBare(1.15)), goal(Metric::Wall, Limit::TimesBare(1.15))];
const CONCURRENT: &[Goal] = &[goal(Metric::Wall, Limit::TimesOfficial(1.0 / 1.8))];

const TOKIO: Comparison = Comparison {
    executor: "tokio, current_thread",
    load: load::SMALL,
    cpus: Cpus::One,
    blocking: Some(programs::BARE_BLOCKING_ECHO),
    bare: Some(programs::BARE_TOKIO_ECHO),
    ours: Some(programs::TOKIO_ECHO),
    official: Some(programs::OFFICIAL_ECHO),
    goals: SMALL,
};

/// Without default features, which include features of tokio that `lambda_runtime` enables.
const TOKIO_LEAN: Comparison = Comparison {
    executor: "tokio, current_thread, without default features",
    ours: Some(programs::TOKIO_LEAN),
    goals: LEAN,
    ..TOKIO
};

const SMOL: Comparison = Comparison {
    executor: "smol::block_on",
    bare: Some(programs::BARE_SMOL_ECHO),
    ours: Some(programs::SMOL_ECHO),
    goals: ON_SMOL,
    ..TOKIO
};

const SMOL_OWN: Comparison =
    Comparison { executor: "smol, its own block_on", ours: Some(programs::SMOL_OWN_ECHO), goals: ON_SMOL_OWN, ..SMOL };

/// A plain function, compared with the blocking socket.
const BLOCKING: Comparison = Comparison {
    executor: "blocking sockets",
    bare: Some(programs::BARE_BLOCKING_ECHO),
    ours: Some(programs::BLOCKING_ECHO),
    goals: ON_BLOCKING,
    ..TOKIO
};

/// Types with 62 fields.
const TOKIO_TYPED: Comparison = Comparison {
    load: load::TYPED,
    blocking: None,
    bare: None,
    ours: Some(programs::TOKIO_TYPED),
    official: Some(programs::OFFICIAL_TYPED),
    goals: TYPED,
    ..TOKIO
};

const BLOCKING_TYPED: Comparison = Comparison {
    executor: "blocking sockets",
    ours: Some(programs::BLOCKING_TYPED),
    goals: TYPED_BLOCKING,
    ..TOKIO_TYPED
};

const TOKIO_MULTI_THREAD: Comparison = Comparison {
    executor: "tokio, multi-threaded",
    cpus: Cpus::All,
    bare: Some(programs::BARE_TOKIO_MULTI_THREAD_ECHO),
    ours: Some(programs::TOKIO_ECHO_MULTI_THREAD),
    official: Some(programs::OFFICIAL_ECHO_MULTI_THREAD),
    goals: MULTI_THREAD,
    ..TOKIO
};

const TOKIO_STREAMING: Comparison = Comparison {
    load: load::STREAM,
    blocking: Some(programs::BARE_BLOCKING_STREAMING),
    bare: Some(programs::BARE_TOKIO_STREAMING),
    ours: Some(programs::TOKIO_STREAMING),
    official: Some(programs::OFFICIAL_STREAMING),
    goals: STREAMING,
    ..TOKIO
};

const BLOCKING_STREAMING: Comparison = Comparison {
    executor: "blocking sockets",
    bare: Some(programs::BARE_BLOCKING_STREAMING),
    ours: Some(programs::BLOCKING_STREAMING),
    ..TOKIO_STREAMING
};

const SMOL_STREAMING: Comparison = Comparison {
    executor: "smol::block_on",
    bare: Some(programs::BARE_SMOL_STREAMING),
    ours: Some(programs::SMOL_STREAMING),
    ..TOKIO_STREAMING
};

/// Without JSON. The closest equivalent on `lambda_runtime` is `serde_json`'s `RawValue`.
const TOKIO_RAW: Comparison = Comparison {
    load: load::RAW,
    ours: Some(programs::TOKIO_RAW),
    official: Some(programs::OFFICIAL_RAW),
    goals: RAW,
    ..TOKIO
};

const SMOL_RAW: Comparison = Comparison {
    load: load::RAW,
    ours: Some(programs::SMOL_OWN_RAW),
    official: Some(programs::OFFICIAL_RAW),
    goals: RAW,
    ..SMOL_OWN
};

const BLOCKING_RAW: Comparison = Comparison {
    load: load::RAW,
    ours: Some(programs::BLOCKING_RAW),
    official: Some(programs::OFFICIAL_RAW),
    goals: RAW_BLOCKING,
    ..BLOCKING
};

/// /next in the same write as the previous response, which `lambda_runtime` does not support.
const TOKIO_PIPELINED: Comparison =
    Comparison { load: load::PIPELINED, ours: Some(programs::TOKIO_PIPELINED), goals: PIPELINED, ..TOKIO };

const SMOL_PIPELINED: Comparison =
    Comparison { load: load::PIPELINED, ours: Some(programs::SMOL_OWN_PIPELINED), goals: PIPELINED, ..SMOL_OWN };

const BLOCKING_PIPELINED: Comparison =
    Comparison { load: load::PIPELINED, ours: Some(programs::BLOCKING_PIPELINED), goals: PIPELINED, ..BLOCKING };

const CONCURRENT_8: Comparison = Comparison {
    executor: "tokio, multi-threaded",
    load: load::WORKERS_8,
    cpus: Cpus::All,
    blocking: None,
    bare: Some(programs::BARE_TOKIO_CONCURRENT),
    ours: Some(programs::TOKIO_CONCURRENT),
    official: Some(programs::OFFICIAL_CONCURRENT),
    goals: CONCURRENT,
};

const SMOL_CONCURRENT_8: Comparison = Comparison {
    executor: "smol::block_on",
    bare: Some(programs::BARE_SMOL_CONCURRENT),
    ours: Some(programs::SMOL_CONCURRENT),
    ..CONCURRENT_8
};

/// The whole table.
pub const COMPARISONS: &[Comparison] = &[
    TOKIO,
    TOKIO_LEAN,
    SMOL,
    SMOL_OWN,
    BLOCKING,
    TOKIO_MULTI_THREAD,
    TOKIO_TYPED,
    BLOCKING_TYPED,
    Comparison { load: load::TEXT, goals: LARGE, ..TOKIO },
    Comparison { load: load::TEXT, goals: LARGE, ..SMOL_OWN },
    Comparison { load: load::TEXT, goals: LARGE, ..BLOCKING },
    Comparison { load: load::RECORDS, goals: LARGE, ..TOKIO },
    Comparison { load: load::RECORDS, goals: LARGE, ..SMOL_OWN },
    Comparison { load: load::RECORDS, goals: LARGE, ..BLOCKING },
    TOKIO_PIPELINED,
    SMOL_PIPELINED,
    BLOCKING_PIPELINED,
    TOKIO_RAW,
    SMOL_RAW,
    BLOCKING_RAW,
    Comparison { load: load::RAW_TEXT, goals: LARGE, ..TOKIO_RAW },
    Comparison { load: load::RAW_TEXT, goals: LARGE, ..SMOL_RAW },
    Comparison { load: load::RAW_TEXT, goals: LARGE, ..BLOCKING_RAW },
    TOKIO_STREAMING,
    SMOL_STREAMING,
    BLOCKING_STREAMING,
    CONCURRENT_8,
    Comparison { load: load::WORKERS_32, ..CONCURRENT_8 },
    SMOL_CONCURRENT_8,
    Comparison { load: load::WORKERS_32, ..SMOL_CONCURRENT_8 },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_reaches_its_goal_as_it_is_displayed() {
        let (ours, bare) = (TOKIO.ours.unwrap(), TOKIO.bare.unwrap());
        let reaches = |megabytes: f64| {
            let mut figures = Figures::default();
            figures.add(TOKIO.run(ours), Metric::Anonymous, megabytes);
            figures.add(TOKIO.run(bare), Metric::Anonymous, 0.14);
            Limit::TimesBare(1.25).is_reached(&TOKIO, Metric::Anonymous, &figures)
        };
        assert_eq!([0.170, 0.175, 0.177, 0.180].map(reaches), [Some(true), Some(true), Some(false), Some(false)]);
        assert_eq!(Limit::TimesOfficial(1.0).is_reached(&TOKIO, Metric::Anonymous, &Figures::default()), None);
    }
}
