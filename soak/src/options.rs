//! The command line.

use std::fmt;
use std::str::FromStr;

use lexopt::Arg::{Long, Short};
use lexopt::ValueExt as _;

/// The options of a run.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    pub invocations: u64,
    pub executor: Executor,
    pub seed: u64,
    pub pipelining: bool,
}

/// The executor of the function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Executor {
    Tokio,
    Smol,
    Blocking,
}

const HELP: &str = "\
Runs invocations with random faults through the runtime.

Usage: soak [OPTIONS]

Options:
  --invocations N        number of invocations [default: 1000000]
  --executor NAME        tokio, smol or blocking [default: tokio]
  --pipelining           request the next event in the same write as the outcome
  --seed S               seed of events and faults [default: random, and printed]
  -h, --help             print this
";

/// Parses the arguments; prints the help and returns `None` if they request it.
pub fn parse() -> Result<Option<Options>, lexopt::Error> {
    let mut parser = lexopt::Parser::from_env();
    let mut options =
        Options { invocations: 1_000_000, executor: Executor::Tokio, seed: fastrand::u64(..), pipelining: false };
    while let Some(arg) = parser.next()? {
        match arg {
            Long("invocations") => options.invocations = parser.value()?.parse()?,
            Long("executor") => options.executor = parser.value()?.parse()?,
            Long("seed") => options.seed = parser.value()?.parse()?,
            Long("pipelining") => options.pipelining = true,
            Short('h') | Long("help") => {
                print!("{HELP}");
                return Ok(None);
            }
            _ => return Err(arg.unexpected()),
        }
    }
    Ok(Some(options))
}

impl FromStr for Executor {
    type Err = &'static str;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "tokio" => Ok(Executor::Tokio),
            "smol" => Ok(Executor::Smol),
            "blocking" => Ok(Executor::Blocking),
            _ => Err("expected tokio, smol or blocking"),
        }
    }
}

impl fmt::Display for Executor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Executor::Tokio => "tokio",
            Executor::Smol => "smol",
            Executor::Blocking => "blocking",
        })
    }
}
