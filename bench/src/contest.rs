//! Who is compared with whom under which load, and what is to be reached.

use crate::build::Tree;
use crate::cpus::Cpus;
use crate::figures::{Figures, Metric, Run};
use crate::load::{self, Load};
use crate::programs::{self, Program};

/// One section of the table: programs that do the same work.
#[derive(Debug, Clone, Copy)]
pub struct Contest {
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

/// The most that a figure of this project's may be.
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

/// What each section measures besides the load itself, which is done for all.
impl Contest {
    /// Start-up, size and dependencies are the same under every load: they are measured with the smallest.
    pub fn measures_start(&self) -> bool {
        self.load.name == load::SMALL.name
    }

    pub fn programs(&self) -> impl Iterator<Item = Program> {
        [self.blocking, self.bare, self.ours, self.official].into_iter().flatten()
    }

    pub fn run(&self, program: Program) -> Run {
        (program, self.load.name)
    }
}

impl Limit {
    /// The number, where what it refers to was measured.
    pub fn number(self, contest: &Contest, metric: Metric, figures: &Figures) -> Option<f64> {
        let median = |program: Option<Program>| figures.median(contest.run(program?), metric);
        match self {
            Limit::Number(number) => Some(number),
            Limit::TimesBare(factor) => median(contest.bare).map(|bare| bare * factor),
            Limit::TimesOfficial(factor) => median(contest.official).map(|official| official * factor),
        }
    }
}

/// The dependency tree that a package's functions stand for.
pub fn tree(package: &str) -> Option<Tree> {
    let tree = |manifest, root| Some(Tree { manifest, root });
    match package {
        "official" => tree("functions/official/Cargo.toml", "lambda_runtime"),
        "on-tokio" | "on-tokio-multi-thread" => tree("../executor-tokio/Cargo.toml", "lambda-runtime-tokio"),
        "on-tokio-lean" => tree("functions/on-tokio-lean/Cargo.toml", "lambda-runtime-tokio"),
        "on-smol" => tree("../executor-smol/Cargo.toml", "lambda-runtime-smol"),
        _ => None,
    }
}

const fn goal(metric: Metric, limit: Limit) -> Goal {
    Goal { metric, limit }
}

const SMALL: &[Goal] = &[
    goal(Metric::Instructions, Limit::TimesOfficial(0.1)),
    goal(Metric::SystemCalls, Limit::Number(6.0)),
    goal(Metric::Cpu, Limit::TimesBare(1.25)),
    goal(Metric::FirstNext, Limit::TimesBare(1.05)),
    goal(Metric::Resident, Limit::TimesBare(1.2)),
    goal(Metric::Peak, Limit::TimesBare(1.2)),
    goal(Metric::Size, Limit::TimesOfficial(0.6)),
    goal(Metric::Crates, Limit::Number(45.0)),
];
const RAW: &[Goal] = &[
    goal(Metric::Instructions, Limit::TimesOfficial(0.1)),
    goal(Metric::SystemCalls, Limit::Number(6.0)),
    goal(Metric::Cpu, Limit::TimesBare(1.25)),
];
const PIPELINED: &[Goal] = &[goal(Metric::SystemCalls, Limit::Number(4.0))];
const MULTI_THREAD: &[Goal] =
    &[goal(Metric::Futex, Limit::TimesBare(1.0)), goal(Metric::Connections, Limit::Number(1.0))];
const LARGE: &[Goal] = &[goal(Metric::Cpu, Limit::TimesOfficial(0.5))];
const STREAMING: &[Goal] = &[goal(Metric::Cpu, Limit::TimesBare(1.15)), goal(Metric::Wall, Limit::TimesBare(1.15))];
const CONCURRENT: &[Goal] = &[goal(Metric::Wall, Limit::TimesOfficial(1.0 / 1.8))];

const TOKIO: Contest = Contest {
    executor: "tokio, current_thread",
    load: load::SMALL,
    cpus: Cpus::One,
    blocking: Some(programs::BLOCKING_ECHO),
    bare: Some(programs::BARE_TOKIO_ECHO),
    ours: Some(programs::TOKIO_ECHO),
    official: Some(programs::OFFICIAL_ECHO),
    goals: SMALL,
};

/// Without default features, so without what a function may have of tokio by way of `lambda_runtime`.
const TOKIO_LEAN: Contest =
    Contest { executor: "tokio, current_thread, without default features", ours: Some(programs::TOKIO_LEAN), ..TOKIO };

const SMOL: Contest =
    Contest { executor: "smol", bare: Some(programs::BARE_SMOL_ECHO), ours: Some(programs::SMOL_ECHO), ..TOKIO };

const TOKIO_MULTI_THREAD: Contest = Contest {
    executor: "tokio, multi-threaded",
    cpus: Cpus::All,
    bare: Some(programs::BARE_TOKIO_MULTI_THREAD_ECHO),
    ours: Some(programs::TOKIO_ECHO_MULTI_THREAD),
    official: Some(programs::OFFICIAL_ECHO_MULTI_THREAD),
    goals: MULTI_THREAD,
    ..TOKIO
};

const TOKIO_STREAMING: Contest = Contest {
    load: load::STREAM,
    blocking: Some(programs::BLOCKING_STREAMING),
    bare: Some(programs::BARE_TOKIO_STREAMING),
    ours: Some(programs::TOKIO_STREAMING),
    official: Some(programs::OFFICIAL_STREAMING),
    goals: STREAMING,
    ..TOKIO
};

const SMOL_STREAMING: Contest = Contest {
    executor: "smol",
    bare: Some(programs::BARE_SMOL_STREAMING),
    ours: Some(programs::SMOL_STREAMING),
    ..TOKIO_STREAMING
};

/// Without JSON in between. The nearest that `lambda_runtime` has is `serde_json`'s `RawValue`.
const TOKIO_RAW: Contest = Contest {
    load: load::RAW,
    ours: Some(programs::TOKIO_RAW),
    official: Some(programs::OFFICIAL_RAW),
    goals: RAW,
    ..TOKIO
};

const SMOL_RAW: Contest = Contest {
    load: load::RAW,
    ours: Some(programs::SMOL_RAW),
    official: Some(programs::OFFICIAL_RAW),
    goals: RAW,
    ..SMOL
};

/// /next in one write with the answer before it, which `lambda_runtime` does not do.
const TOKIO_PIPELINED: Contest =
    Contest { load: load::PIPELINED, ours: Some(programs::TOKIO_PIPELINED), goals: PIPELINED, ..TOKIO };

const SMOL_PIPELINED: Contest =
    Contest { load: load::PIPELINED, ours: Some(programs::SMOL_PIPELINED), goals: PIPELINED, ..SMOL };

const CONCURRENT_8: Contest = Contest {
    executor: "tokio, multi-threaded",
    load: load::WORKERS_8,
    cpus: Cpus::All,
    blocking: None,
    bare: Some(programs::BARE_TOKIO_CONCURRENT),
    ours: Some(programs::TOKIO_CONCURRENT),
    official: Some(programs::OFFICIAL_CONCURRENT),
    goals: CONCURRENT,
};

const SMOL_CONCURRENT_8: Contest = Contest {
    executor: "smol",
    bare: Some(programs::BARE_SMOL_CONCURRENT),
    ours: Some(programs::SMOL_CONCURRENT),
    ..CONCURRENT_8
};

/// The whole table. A program that does not exist yet is `None`.
pub const CONTESTS: &[Contest] = &[
    TOKIO,
    TOKIO_LEAN,
    SMOL,
    TOKIO_MULTI_THREAD,
    Contest { load: load::TEXT, goals: LARGE, ..TOKIO },
    Contest { load: load::TEXT, goals: LARGE, ..SMOL },
    Contest { load: load::RECORDS, goals: LARGE, ..TOKIO },
    Contest { load: load::RECORDS, goals: LARGE, ..SMOL },
    TOKIO_PIPELINED,
    SMOL_PIPELINED,
    TOKIO_RAW,
    SMOL_RAW,
    Contest { load: load::RAW_TEXT, goals: LARGE, ..TOKIO_RAW },
    Contest { load: load::RAW_TEXT, goals: LARGE, ..SMOL_RAW },
    TOKIO_STREAMING,
    SMOL_STREAMING,
    CONCURRENT_8,
    Contest { load: load::WORKERS_32, ..CONCURRENT_8 },
    SMOL_CONCURRENT_8,
    Contest { load: load::WORKERS_32, ..SMOL_CONCURRENT_8 },
];
