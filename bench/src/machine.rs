//! The machine and the versions of a measurement.

use std::fs;
use std::process::Command;

use crate::Result;
use crate::build::{folder, output};

/// A list in markdown.
pub fn description() -> Result<String> {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let cpuinfo = read("/proc/cpuinfo");
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown");
    let model = model.trim_start_matches([' ', '\t', ':']);
    let cores = std::thread::available_parallelism()?;
    let kernel = read("/proc/sys/kernel/osrelease");
    let load = read("/proc/loadavg");
    let load = load.split(' ').next().unwrap_or_default();
    let date = output(command("date", &["-u", "+%Y-%m-%d %H:%M UTC"]))?;
    let rustc = output(command("rustc", &["--version"]))?;
    let revision = output(command("git", &["describe", "--always", "--dirty"])).unwrap_or("unknown".to_owned());
    let lock = read_lock()?;
    let versions: Vec<_> = ["lambda_runtime", "tokio", "smol", "async-io", "serde_json"]
        .iter()
        .filter_map(|name| Some(format!("{name} {}", version(&lock, name)?)))
        .collect();
    Ok(format!(
        "- {date}; this project at {revision}\n\
         - {model}, {cores} cores, Linux {}, load average {load} when it began\n\
         - {rustc}; {}\n",
        kernel.trim(),
        versions.join(", "),
    ))
}

fn command(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder());
    command
}

fn read_lock() -> Result<String> {
    Ok(fs::read_to_string(folder().join("Cargo.lock"))?)
}

/// The version of a crate in a lock file.
fn version<'l>(lock: &'l str, name: &str) -> Option<&'l str> {
    let (_, behind) = lock.split_once(&format!("name = \"{name}\"\nversion = \""))?;
    behind.split('"').next()
}
