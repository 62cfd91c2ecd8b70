//! The instruments, each of which measures a separate process.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::Result;
use crate::api::Api;
use crate::function::{Function, PATIENCE};
use crate::load::Load;

/// The kernel's accounts of a process under load.
#[derive(Debug, Clone, Copy)]
pub struct Live {
    /// A single invocation's share.
    pub cpu: Duration,
    pub wall: Duration,
    /// Anonymous resident memory in bytes, after the load.
    pub anonymous: f64,
    pub threads: f64,
    /// Connections to the API, from start to end.
    pub connections: u64,
}

/// Invocations before a measurement, because the first large ones make buffers grow.
const WARM_UP: u64 = 3;

/// Serves a fifth of the load as a warm-up, and then measures the load.
pub fn live(binary: &Path, load: &Load) -> Result<Live> {
    let api = Api::start(load, Duration::ZERO)?;
    let function = Function::start(binary, None, &api, load.workers)?;
    api.await_workers(load.workers, PATIENCE)?;
    api.serve(load.count.div_ceil(5).max(WARM_UP), load.workers, PATIENCE)?;
    let before = function.usage()?;
    let wall = api.serve(load.count, load.workers, PATIENCE)?;
    let after = function.usage()?;
    let share = |time: Duration| Duration::from_secs_f64(time.as_secs_f64() / load.count as f64);
    Ok(Live {
        cpu: share(after.cpu.saturating_sub(before.cpu)),
        wall: share(wall),
        anonymous: after.anonymous,
        threads: after.threads,
        connections: api.connections(),
    })
}

/// Page faults from the start of the process to its first /next.
pub fn start_faults(binary: &Path, load: &Load) -> Result<f64> {
    let api = Api::start(load, Duration::ZERO)?;
    let function = Function::start(binary, None, &api, load.workers)?;
    api.await_workers(load.workers, PATIENCE)?;
    function.page_faults()
}

/// Tools that count exactly, and slow a process down.
pub struct Counters {
    pub valgrind: bool,
    pub strace: bool,
    scratch: PathBuf,
}

impl Counters {
    /// Detects the tools on this machine. `scratch` is a directory for their output.
    pub fn find(scratch: PathBuf) -> Result<Self> {
        fs::create_dir_all(&scratch)?;
        let is_there = |tool| {
            let version = Command::new(tool).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
            version.is_ok_and(|status| status.success())
        };
        Ok(Self { valgrind: is_there("valgrind"), strace: is_there("strace"), scratch })
    }

    /// User instructions per invocation, by callgrind.
    pub fn instructions(&self, binary: &Path, load: &Load) -> Result<f64> {
        let count = |invocations| {
            let profile = fs::read_to_string(self.callgrind(binary, load, invocations)?)?;
            let totals = profile.lines().find_map(|line| line.strip_prefix("totals: "));
            Ok(BTreeMap::from([((), totals.ok_or("callgrind wrote no totals")?.trim().parse()?)]))
        };
        Ok(per_invocation(load, count)?.into_values().sum())
    }

    /// Writes a file for callgrind_annotate.
    pub fn profile(&self, binary: &Path, load: &Load) -> Result<PathBuf> {
        self.callgrind(binary, load, load.count_instrumented)
    }

    fn callgrind(&self, binary: &Path, load: &Load, invocations: u64) -> Result<PathBuf> {
        let out = self.scratch.join("callgrind.out");
        let mut valgrind = Command::new("valgrind");
        valgrind.args(["--quiet", "--tool=callgrind"]).arg(format!("--callgrind-out-file={}", out.display()));
        run(valgrind, binary, load, invocations)?;
        Ok(out)
    }

    /// System calls per invocation and name, by strace.
    pub fn system_calls(&self, binary: &Path, load: &Load) -> Result<BTreeMap<String, f64>> {
        per_invocation(load, |invocations| self.strace(binary, load, invocations))
    }

    /// System calls from the start of the process to its first /next, inclusive.
    pub fn start_calls(&self, binary: &Path, load: &Load) -> Result<f64> {
        Ok(self.strace(binary, load, 0)?.into_values().sum())
    }

    fn strace(&self, binary: &Path, load: &Load, invocations: u64) -> Result<BTreeMap<String, f64>> {
        let out = self.scratch.join("strace.out");
        let mut strace = Command::new("strace");
        strace.args(["-f", "-c", "-U", "name,calls", "-o"]).arg(&out).arg("--");
        run(strace, binary, load, invocations)?;
        let summary = fs::read_to_string(&out)?;
        let rows = summary.lines().filter_map(|line| line.trim().split_once(char::is_whitespace));
        let calls = rows.filter_map(|(name, calls)| Some((name.to_owned(), calls.trim().parse().ok()?)));
        Ok(calls.filter(|(name, _)| name != "total").collect())
    }
}

fn run(tool: Command, binary: &Path, load: &Load, invocations: u64) -> Result<()> {
    // In Lambda a function waits for replies; a slowed-down function would find them ready.
    const DELAY: Duration = Duration::from_millis(1);
    let api = Api::start(load, DELAY)?;
    let function = Function::start(binary, Some(tool), &api, load.workers)?;
    api.await_workers(load.workers, PATIENCE)?;
    if invocations > 0 {
        api.serve(invocations, load.workers, PATIENCE)?;
    }
    function.terminate()
}

/// Computed from a short and a longer run, so that the cost of the start cancels out.
fn per_invocation<K: Ord>(load: &Load, count: impl Fn(u64) -> Result<BTreeMap<K, f64>>) -> Result<BTreeMap<K, f64>> {
    let few = load.count_instrumented.div_ceil(2).max(WARM_UP);
    let before = count(few)?;
    let mut after = count(few + load.count_instrumented)?;
    for (name, count) in &mut after {
        let start = before.get(name).copied().unwrap_or_default();
        // The starts may differ slightly.
        *count = (*count - start).max(0.0) / load.count_instrumented as f64;
    }
    Ok(after)
}
