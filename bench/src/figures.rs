//! Measured figures.

use std::collections::BTreeMap;

use crate::instruments::Live;
use crate::programs::Program;

/// A metric of a program under a load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Metric {
    Instructions,
    SystemCalls,
    Futex,
    Cpu,
    Wall,
    StartFaults,
    StartCalls,
    Anonymous,
    Threads,
    Connections,
    Size,
    Crates,
}

impl Metric {
    pub const ALL: [Metric; 12] = [
        Metric::Instructions,
        Metric::SystemCalls,
        Metric::Futex,
        Metric::Cpu,
        Metric::Wall,
        Metric::StartFaults,
        Metric::StartCalls,
        Metric::Anonymous,
        Metric::Threads,
        Metric::Connections,
        Metric::Size,
        Metric::Crates,
    ];

    pub fn label(self) -> &'static str {
        match self {
            Metric::Instructions => "user instructions / invocation",
            Metric::SystemCalls => "system calls / invocation",
            Metric::Futex => "… of them futex",
            Metric::Cpu => "CPU µs / invocation",
            Metric::Wall => "wall µs / invocation",
            Metric::StartFaults => "page faults before the first /next",
            Metric::StartCalls => "system calls before the first /next",
            Metric::Anonymous => "anonymous memory after load, MB",
            Metric::Threads => "threads",
            Metric::Connections => "connections opened",
            Metric::Size => "stripped binary, MB",
            Metric::Crates => "crates of the runtime",
        }
    }

    /// Digits after the decimal point.
    pub fn decimals(self) -> usize {
        match self {
            Metric::Instructions
            | Metric::StartFaults
            | Metric::StartCalls
            | Metric::Threads
            | Metric::Connections
            | Metric::Crates => 0,
            Metric::Cpu | Metric::Wall | Metric::SystemCalls | Metric::Futex => 1,
            _ => 2,
        }
    }

    /// Whether it depends on other programs on the machine.
    pub fn is_time(self) -> bool {
        matches!(self, Metric::Cpu | Metric::Wall)
    }
}

/// A program under the load of this name.
pub type Run = (Program, &'static str);

/// All samples.
#[derive(Debug, Default)]
pub struct Figures {
    /// Other programs ran on the machine, so only ratios of times are shown.
    pub shared_machine: bool,
    samples: BTreeMap<(Run, Metric), Vec<f64>>,
    system_calls: BTreeMap<Run, BTreeMap<String, Vec<f64>>>,
}

impl Figures {
    pub fn add(&mut self, run: Run, metric: Metric, sample: f64) {
        self.samples.entry((run, metric)).or_default().push(sample);
    }

    pub fn add_live(&mut self, run: Run, live: Live) {
        const MB: f64 = 1e6;
        const MICROSECONDS: f64 = 1e6;
        self.add(run, Metric::Cpu, live.cpu.as_secs_f64() * MICROSECONDS);
        self.add(run, Metric::Wall, live.wall.as_secs_f64() * MICROSECONDS);
        self.add(run, Metric::Anonymous, live.anonymous / MB);
        self.add(run, Metric::Threads, live.threads);
        self.add(run, Metric::Connections, live.connections as f64);
    }

    pub fn add_system_calls(&mut self, run: Run, calls: BTreeMap<String, f64>) {
        self.add(run, Metric::SystemCalls, calls.values().sum());
        self.add(run, Metric::Futex, calls.get("futex").copied().unwrap_or_default());
        let by_name = self.system_calls.entry(run).or_default();
        for (name, count) in calls {
            by_name.entry(name).or_default().push(count);
        }
    }

    pub fn median(&self, run: Run, metric: Metric) -> Option<f64> {
        self.samples.get(&(run, metric)).map(|samples| median(samples))
    }

    /// The system calls of a program, most frequent first, without those called less than once in a hundred invocations.
    pub fn system_calls(&self, run: Run) -> Vec<(&str, f64)> {
        let by_name = self.system_calls.get(&run).into_iter().flatten();
        let mut medians: Vec<_> = by_name.map(|(name, counts)| (name.as_str(), median(counts))).collect();
        medians.retain(|&(_, count)| count >= 0.01);
        medians.sort_by(|(_, a), (_, b)| b.total_cmp(a));
        medians
    }
}

/// The median of at least one sample.
pub fn median(samples: &[f64]) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { (sorted[middle - 1] + sorted[middle]) / 2.0 }
}
