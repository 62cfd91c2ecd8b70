//! A function under test while it runs.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::Result;
use crate::api::Api;

/// A running function. Dropping it ends it.
pub struct Function {
    /// The function, or the tool that runs it.
    child: Child,
}

/// The kernel's statistics of a process.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    /// Time on a CPU, of the threads that are alive.
    pub cpu: Duration,
    /// Resident memory in bytes that is not a part of a file: heap and stacks.
    pub anonymous: f64,
    pub threads: f64,
}

/// The timeout of any step of a function, even under valgrind.
pub const PATIENCE: Duration = Duration::from_secs(120);

impl Function {
    /// Starts `binary`, optionally under a tool.
    pub fn start(binary: &Path, under: Option<Command>, api: &Api, workers: u64) -> Result<Self> {
        let mut command = match under {
            Some(mut tool) => {
                tool.arg(binary);
                tool
            }
            None => Command::new(binary),
        };
        let path = std::env::var_os("PATH").unwrap_or_default();
        command
            .env_clear()
            .env("PATH", path)
            .env("AWS_LAMBDA_RUNTIME_API", api.address())
            .env("AWS_LAMBDA_FUNCTION_NAME", "bench")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .stdin(Stdio::null());
        if workers > 1 {
            command.env("AWS_LAMBDA_MAX_CONCURRENCY", workers.to_string());
        }
        let child = command.spawn().map_err(|error| format!("cannot start {}: {error}", binary.display()))?;
        Ok(Self { child })
    }

    pub fn usage(&self) -> Result<Usage> {
        let process = format!("/proc/{}", self.child.id());
        let mut cpu = Duration::ZERO;
        for task in fs::read_dir(format!("{process}/task"))? {
            let schedstat = fs::read_to_string(task?.path().join("schedstat"))?;
            cpu += Duration::from_nanos(schedstat.split(' ').next().unwrap_or_default().parse()?);
        }
        let status = fs::read_to_string(format!("{process}/status"))?;
        let number = |name: &str| -> Result<f64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).ok_or("no such line")?;
            Ok(line.split_whitespace().nth(1).unwrap_or_default().parse()?)
        };
        const KIB: f64 = 1024.0;
        Ok(Usage { cpu, anonymous: number("RssAnon")? * KIB, threads: number("Threads")? })
    }

    /// Page faults since the process was started. None needed a disk, if it was started before.
    pub fn page_faults(&self) -> Result<f64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The name, which is the second field, ends with the last parenthesis; the tenth field is `minflt`.
        let fields = stat.rsplit_once(')').ok_or("no name")?.1;
        Ok(fields.split_whitespace().nth(7).ok_or("no such field")?.parse()?)
    }

    /// Ends the function and waits until the tool has written its counts.
    pub fn terminate(mut self) -> Result<()> {
        let tool = self.child.id();
        let children = fs::read_to_string(format!("/proc/{tool}/task/{tool}/children")).unwrap_or_default();
        // valgrind is one process with the function, strace is the function's parent.
        let function = children.split(' ').next().and_then(|pid| pid.parse().ok());
        let pid = function.or(i32::try_from(tool).ok()).and_then(Pid::from_raw).ok_or("no such process")?;
        kill_process(pid, Signal::TERM)?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
