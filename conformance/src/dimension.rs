//! The configurations in which an executor runs the suite's function.

use std::fmt;

use crate::Feature;

/// A configuration of the function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dimension {
    /// `Runtime::run`.
    Runtime,
    /// `Runtime::run` with `Runtime::pipelining`.
    Pipelining,
    /// The free function `run`.
    Run,
    /// `Runtime::run_concurrent`.
    RunConcurrent,
    /// `Runtime::run_concurrent_local`.
    RunConcurrentLocal,
}

/// The properties of a dimension.
struct Row {
    name: &'static str,
    process: Process,
    /// The number of workers, each with its own connection.
    workers: usize,
    layers: Layers,
}

/// Where the function runs.
enum Process {
    /// On a thread of the test.
    Shared,
    /// In its own process, because it reads environment variables.
    Own,
}

enum Layers {
    None,
    Faulty,
}

impl Dimension {
    /// All dimensions. An executor without `Spawn` has no [`RunConcurrent`](Self::RunConcurrent), and one without
    /// aliases no [`Run`](Self::Run).
    pub const ALL: [Self; 5] =
        [Self::Runtime, Self::Pipelining, Self::Run, Self::RunConcurrent, Self::RunConcurrentLocal];

    const fn row(self) -> Row {
        use {Layers::*, Process::*};
        match self {
            Self::Runtime => Row { name: "runtime", process: Shared, workers: 1, layers: Faulty },
            Self::Pipelining => Row { name: "pipelining", process: Shared, workers: 1, layers: Faulty },
            Self::Run => Row { name: "run", process: Own, workers: 1, layers: None },
            Self::RunConcurrent => Row { name: "run_concurrent", process: Own, workers: 2, layers: Faulty },
            Self::RunConcurrentLocal => Row { name: "run_concurrent_local", process: Own, workers: 2, layers: Faulty },
        }
    }

    /// The name in the names of tests.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dimension| dimension.name() == name)
    }

    pub(crate) fn needs_process(self) -> bool {
        matches!(self.row().process, Process::Own)
    }

    pub(crate) fn workers(self) -> usize {
        self.row().workers
    }

    /// The largest number of requests for an event that are lost and repeated: a pipelined one with each connection but
    /// the last.
    pub(crate) fn pipelined_requests_lost(self, connections: usize) -> u64 {
        match self {
            Self::Pipelining => connections.saturating_sub(1) as u64,
            _ => 0,
        }
    }

    pub(crate) fn has(self, feature: Feature) -> bool {
        match feature {
            Feature::Layers => matches!(self.row().layers, Layers::Faulty),
            Feature::OneWorker => self.workers() == 1,
            Feature::Streaming | Feature::Rust => true,
            // A process has its own tests, with the tool.
            Feature::Concurrency | Feature::SnapStart | Feature::Init | Feature::Process => false,
        }
    }
}

impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
