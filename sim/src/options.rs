//! The command line.

use lexopt::Arg::{Long, Short};
use lexopt::ValueExt as _;

/// The options of a simulation.
#[derive(Debug, Clone)]
pub struct Options {
    pub seed: u64,
    pub sandboxes: u64,
    pub invocations: u64,
    /// Only the sandbox that serves this invocation.
    pub from: Option<u64>,
    /// Every kind of fault must happen at least this often.
    pub each_fault: u64,
    /// The file to which the events are written.
    pub trace: Option<String>,
}

const HELP: &str = "\
Simulates Lambda and the runtime in one thread.

Usage: sim [OPTIONS]

Options:
  --seed S          the source of everything that happens [default: a random one, which is printed]
  --sandboxes N     sandboxes, one after another [default: 1000]
  --invocations N   invocations, divided among the sandboxes [default: 50000]
  --from N          simulate only the sandbox that serves invocation N
  --each-fault N    fail unless every kind of fault has happened N times [default: 0]
  --trace FILE      write every event, byte and wake-up of the first sandbox to FILE
  -h, --help        print this
";

/// Parses the arguments; `None` after printing the help.
pub fn parse() -> Result<Option<Options>, lexopt::Error> {
    let mut parser = lexopt::Parser::from_env();
    let mut options = Options {
        seed: fastrand::u64(..1 << 32),
        sandboxes: 1000,
        invocations: 50_000,
        from: None,
        each_fault: 0,
        trace: None,
    };
    while let Some(arg) = parser.next()? {
        match arg {
            Long("seed") => options.seed = parser.value()?.parse()?,
            Long("sandboxes") => options.sandboxes = parser.value()?.parse()?,
            Long("invocations") => options.invocations = parser.value()?.parse()?,
            Long("from") => options.from = Some(parser.value()?.parse()?),
            Long("each-fault") => options.each_fault = parser.value()?.parse()?,
            Long("trace") => options.trace = Some(parser.value()?.parse()?),
            Short('h') | Long("help") => {
                print!("{HELP}");
                return Ok(None);
            }
            _ => return Err(arg.unexpected()),
        }
    }
    if options.sandboxes == 0 || options.invocations < options.sandboxes {
        return Err("--invocations must be at least --sandboxes, which must be at least 1".into());
    }
    Ok(Some(options))
}
