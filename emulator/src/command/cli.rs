//! The command line.

use std::ffi::OsString;
use std::io::Read as _;
use std::net::SocketAddr;
use std::time::Duration;

use lambda_runtime_emulator::Fault;
use lexopt::Arg::{Long, Short, Value};
use lexopt::ValueExt as _;

/// What is to be done.
pub(crate) enum Task {
    /// Invoke the function with this event and stop.
    Once(Vec<u8>, Options),
    /// Let the function be invoked at this address.
    Serve(SocketAddr, Options),
    /// Say this and stop.
    Print(String),
}

/// How the function runs.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) timeout: Duration,
    pub(crate) memory: u32,
    pub(crate) concurrency: usize,
    pub(crate) snapstart: bool,
    pub(crate) faults: Vec<Fault>,
    /// The program and its arguments; never empty.
    pub(crate) command: Vec<OsString>,
}

const HELP: &str = "\
Runs a function on this machine as AWS Lambda would.

Usage: lambda-emulator [OPTIONS] -- COMMAND [ARGS]...

COMMAND is the function: a program that speaks the Lambda Runtime API, or `cargo run ...`. It runs with Lambda's
environment variables, and its output goes to stderr.

With --event it is invoked once: its answer is printed on stdout, and the exit code is 0; or its error on stderr, and
the exit code is 1. Of a streamed HTTP response the metadata goes to stderr and the payload to stdout, as it comes.
Without --event it serves POST /2015-03-31/functions/function/invocations until Ctrl-C.

Options:
  --event JSON|@FILE|-  invoke once with this event, or with a file's contents, or with stdin's
  --timeout SECONDS     how long an invocation may take [default: 900, the most that Lambda allows]
  --memory MB           the memory that the function is told it has; it is not enforced [default: 128]
  --concurrency N       events handled at once, as on Lambda Managed Instances [default: 1]
  --snapstart           start as with SnapStart: the first event restores the function
  --fault FAULT         something that the Runtime API does wrong, see below; may be given more than once
  --port PORT           the port to serve at, on 127.0.0.1 [default: 9000]
  --address IP:PORT     the address to serve at
  -h, --help            print this
  -V, --version         print the version

A FAULT is TARGET [N]: EFFECT, for the Nth request of a kind, or the Nth connection; without N, for each:
  TARGET   next, response, error, init-error, restore-next, restore-error, register, extension-next, connection
  EFFECT   close, reset, half-close, stall [TIME], dribble [BYTES] [every TIME] or garble [BYTES], and then
             [at BYTE] [of request|reply]: at a byte of a request's body, or of the reply with its head. Without
             `of` it is the request for what is POSTed, so that `dribble` reads slowly; otherwise it is the reply
           delay TIME: before the reply
           reply STATUS [at BYTE] [(NAME: VALUE; ...)] [BODY]: instead of the API's own reply; with `at` it comes
             when so much of the request's body has been read, and the rest is not read
  TIME     20ms, 1.5s
Such as: --fault 'response 1: reset at 100' --fault 'next 2: reply 500 {\"errorMessage\":\"no\"}'
";

/// Understands the arguments; the first is the program's own name.
pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Task, String> {
    let args: Vec<OsString> = args.into_iter().collect();
    let mut parts = args.splitn(2, |arg| arg == "--");
    let own = parts.next().unwrap_or_default();
    let command = parts.next().map(<[_]>::to_vec);
    read(lexopt::Parser::from_iter(own), command)
}

fn read(mut parser: lexopt::Parser, command: Option<Vec<OsString>>) -> Result<Task, String> {
    let mut event = None;
    let mut address = None;
    let mut options = Options {
        timeout: Duration::from_secs(900),
        memory: 128,
        concurrency: 1,
        snapstart: false,
        faults: Vec::new(),
        command: command.unwrap_or_default(),
    };
    while let Some(arg) = parser.next().map_err(text)? {
        match arg {
            Short('h') | Long("help") => return Ok(Task::Print(HELP.to_owned())),
            Short('V') | Long("version") => {
                return Ok(Task::Print(format!("lambda-emulator {}\n", env!("CARGO_PKG_VERSION"))));
            }
            Long("event") => event = Some(parser.value().and_then(|value| value.string()).map_err(text)?),
            Long("timeout") => options.timeout = seconds(&mut parser)?,
            Long("memory") => options.memory = number(&mut parser, "--memory", "a number of MB")?,
            Long("concurrency") => match number(&mut parser, "--concurrency", "a number")? {
                0 => return Err("--concurrency is at least 1".to_owned()),
                n => options.concurrency = n,
            },
            Long("snapstart") => options.snapstart = true,
            Long("fault") => {
                let fault = parser.value().and_then(|value| value.string()).map_err(text)?;
                options.faults.push(fault.parse().map_err(|error| format!("--fault: {error}"))?);
            }
            Long("port") => {
                let port = number(&mut parser, "--port", "a port")?;
                address = Some(SocketAddr::from(([127, 0, 0, 1], port)));
            }
            Long("address") => address = Some(number(&mut parser, "--address", "an address such as 127.0.0.1:9000")?),
            Value(value) => {
                return Err(format!("unexpected argument {value:?}: the function's command goes behind --"));
            }
            other => return Err(text(other.unexpected())),
        }
    }
    if options.command.is_empty() {
        return Err("there is no function to run: its command goes behind --".to_owned());
    }
    match event {
        Some(_) if address.is_some() => Err("--port and --address are for serving, without --event".to_owned()),
        Some(event) => Ok(Task::Once(payload(&event)?, options)),
        None => Ok(Task::Serve(address.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 9000))), options)),
    }
}

fn text(error: lexopt::Error) -> String {
    error.to_string()
}

fn number<T: std::str::FromStr>(parser: &mut lexopt::Parser, option: &str, what: &str) -> Result<T, String> {
    let value = parser.value().and_then(|value| value.string()).map_err(text)?;
    value.parse().map_err(|_| format!("{option} {value}: not {what}"))
}

fn seconds(parser: &mut lexopt::Parser) -> Result<Duration, String> {
    let seconds: f64 = number(parser, "--timeout", "a number of seconds")?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(timeout) if !timeout.is_zero() => Ok(timeout),
        _ => Err(format!("--timeout {seconds}: not a number of seconds")),
    }
}

/// The event's bytes, which must be JSON: Lambda would not take anything else.
fn payload(event: &str) -> Result<Vec<u8>, String> {
    let payload = if event == "-" {
        let mut payload = Vec::new();
        std::io::stdin().read_to_end(&mut payload).map_err(|error| format!("--event -: cannot read stdin: {error}"))?;
        payload
    } else if let Some(path) = event.strip_prefix('@') {
        std::fs::read(path).map_err(|error| format!("--event: cannot read {path}: {error}"))?
    } else {
        event.as_bytes().to_vec()
    };
    match serde_json::from_slice::<serde_json::Value>(&payload) {
        Ok(_) => Ok(payload),
        Err(error) => Err(format!("--event is not JSON: {error}")),
    }
}
