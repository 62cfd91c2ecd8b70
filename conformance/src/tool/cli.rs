//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use conformance::Feature;
use lexopt::Arg::{Long, Short};

/// The task of the command.
pub(crate) enum Task {
    /// Play the scenarios.
    Run(Options),
    /// List the scenarios that have this in their id.
    List(Option<String>),
    /// Print this text.
    Print(String),
}

/// The scenarios, the command, and the files for the results.
pub(crate) struct Options {
    pub(crate) only: Option<String>,
    pub(crate) json: Option<PathBuf>,
    pub(crate) markdown: Option<PathBuf>,
    pub(crate) without: Vec<Feature>,
    pub(crate) jobs: usize,
    /// The program and its arguments.
    pub(crate) command: Vec<OsString>,
}

const HELP: &str = "\
Tests an AWS Lambda runtime, written in any language, against the Lambda Runtime API.

Usage: lambda-conformance [OPTIONS] -- COMMAND [ARGS]...

COMMAND is a function on the runtime: a program that uses the Runtime API at AWS_LAMBDA_RUNTIME_API, with the handler
that CONTRACT.md specifies. It is started once for each scenario, with Lambda's environment. The tool plays the API,
faults included, and prints a line for each scenario: passed, failed (with the expectation, what was found, and the
bytes), or not applicable. It exits with 0 if everything applicable has passed, and with 1 if not.

A scenario has a level: Lambda itself behaves as in a `must`, emulators and broken networks as in a `should`; the
expectation of a `may` is a matter of taste. Compare runtimes by `must` first.

Options:
  --only WORD            play the scenarios with WORD in their id, or of the level WORD
  --without FEATURE,...  what the runtime lacks: streaming, concurrency, snapstart, init
  --json FILE            write the results as JSON
  --markdown FILE        write the results as Markdown
  --jobs N               scenarios at the same time [default: 16]
  --contract             print CONTRACT.md
  --list                 list the scenarios with their sources, without playing them
  -h, --help             print this help
  -V, --version          print the version

Example: lambda-conformance --without streaming -- python3 -m awslambdaric handler.handler
";

/// Parses the arguments; the first is the program's name.
pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Task, String> {
    let args: Vec<OsString> = args.into_iter().collect();
    let mut parts = args.splitn(2, |arg| arg == "--");
    let own = parts.next().unwrap_or_default().to_vec();
    let command = parts.next().unwrap_or_default().to_vec();
    read(lexopt::Parser::from_iter(own), command).map_err(|error| error.to_string())
}

fn read(mut parser: lexopt::Parser, command: Vec<OsString>) -> Result<Task, lexopt::Error> {
    let mut options = Options { only: None, json: None, markdown: None, without: Vec::new(), jobs: 16, command };
    let mut list = false;
    while let Some(arg) = parser.next()? {
        match arg {
            Short('h') | Long("help") => return Ok(Task::Print(HELP.to_owned())),
            Short('V') | Long("version") => {
                return Ok(Task::Print(format!("lambda-conformance {}\n", env!("CARGO_PKG_VERSION"))));
            }
            Long("contract") => return Ok(Task::Print(include_str!("../../CONTRACT.md").to_owned())),
            Long("list") => list = true,
            Long("only") => options.only = Some(string(&mut parser)?),
            Long("json") => options.json = Some(parser.value()?.into()),
            Long("markdown") => options.markdown = Some(parser.value()?.into()),
            Long("jobs") => {
                let value = string(&mut parser)?;
                let jobs = value.parse().ok().filter(|jobs| (1..=256).contains(jobs));
                options.jobs = jobs.ok_or_else(|| format!("--jobs {value}: expected a number from 1 to 256"))?;
            }
            Long("without") => {
                for name in string(&mut parser)?.split(',') {
                    let feature = Feature::OPTIONAL.into_iter().find(|(it, _)| *it == name);
                    let (_, feature) = feature.ok_or_else(|| {
                        let names = Feature::OPTIONAL.map(|(name, _)| name).join(", ");
                        format!("--without {name:?}: expected some of {names}")
                    })?;
                    options.without.push(feature);
                }
            }
            other => return Err(other.unexpected()),
        }
    }
    match (list, options.command.is_empty()) {
        (true, _) => Ok(Task::List(options.only)),
        (false, true) => Err("expected -- and the command of a runtime".into()),
        (false, false) => Ok(Task::Run(options)),
    }
}

fn string(parser: &mut lexopt::Parser) -> Result<String, lexopt::Error> {
    parser.value()?.into_string().map_err(lexopt::Error::NonUnicodeValue)
}
