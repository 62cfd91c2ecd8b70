//! The command line.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::PathBuf;
use std::time::Duration;

use lambda_runtime_emulator::{Event, Fault, MAX_EVENT};
use lexopt::Arg::{Long, Short, Value};
use lexopt::ValueExt as _;

use crate::front::Settings;
use crate::record::Payloads;
use crate::templates;

/// The task of the command.
pub(crate) enum Task {
    /// Invoke the function once with this event.
    Once(Event, Options),
    /// Serve the Invoke API.
    Serve(Settings, Options),
    /// Play this record to the command.
    Replay(PathBuf, Vec<OsString>),
    /// Print this text.
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
    /// Further environment variables of the function.
    pub(crate) variables: Vec<(String, String)>,
    /// External extensions.
    pub(crate) extensions: Vec<PathBuf>,
    /// How long the function may take until it requests its first event.
    pub(crate) init_timeout: Option<Duration>,
    /// The file that records the bytes of connections.
    pub(crate) record: Option<PathBuf>,
    pub(crate) payloads: Payloads,
    /// Files whose changes restart the function.
    pub(crate) restart_on: Vec<PathBuf>,
    /// The function's name.
    pub(crate) name: Option<String>,
    /// The program and its arguments; never empty.
    pub(crate) command: Vec<OsString>,
}

const HELP: &str = include_str!("help.txt");
const HELP_FAULTS: &str = include_str!("help-faults.txt");

/// Parses the arguments; the first is the program's name.
pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Task, String> {
    let args: Vec<OsString> = args.into_iter().collect();
    let mut parts = args.splitn(2, |arg| arg == "--");
    let own = parts.next().unwrap_or_default();
    let command = parts.next().map(<[_]>::to_vec);
    read(lexopt::Parser::from_iter(own), command)
}

fn read(mut parser: lexopt::Parser, command: Option<Vec<OsString>>) -> Result<Task, String> {
    let mut event = None;
    let mut trace_id = None;
    // The first option that is for serving only.
    let mut for_serving = None;
    let mut endpoint = Settings { address: SocketAddr::from(([127, 0, 0, 1], 9000)), ..Settings::default() };
    let mut options = Options {
        timeout: Duration::from_secs(900),
        memory: 128,
        concurrency: 1,
        snapstart: false,
        faults: Vec::new(),
        variables: Vec::new(),
        extensions: Vec::new(),
        init_timeout: None,
        record: None,
        payloads: Payloads::Keep,
        restart_on: Vec::new(),
        name: None,
        command: command.unwrap_or_default(),
    };
    while let Some(arg) = parser.next().map_err(text)? {
        match arg {
            Short('h') | Long("help") => return Ok(Task::Print(HELP.to_owned())),
            Long("help-faults") => return Ok(Task::Print(HELP_FAULTS.to_owned())),
            Long("event-template") => {
                return templates::find(&string(&mut parser)?).map(str::to_owned).map(Task::Print);
            }
            Short('V') | Long("version") => {
                return Ok(Task::Print(format!("lambda-emulator {}\n", env!("CARGO_PKG_VERSION"))));
            }
            Long("event") => event = Some(string(&mut parser)?),
            Long("trace-id") => trace_id = Some(string(&mut parser)?),
            Long("timeout") => options.timeout = seconds(&mut parser, "--timeout")?,
            Long("init-timeout") => options.init_timeout = Some(seconds(&mut parser, "--init-timeout")?),
            Long("extension") => options.extensions.push(parser.value().map_err(text)?.into()),
            Long("memory") => options.memory = number(&mut parser, "--memory", "a number of MB")?,
            Long("concurrency") => match number(&mut parser, "--concurrency", "a number")? {
                0 => return Err("--concurrency 0: expected at least 1".to_owned()),
                n => options.concurrency = n,
            },
            Long("snapstart") => options.snapstart = true,
            Long("fault") => {
                let fault = string(&mut parser)?.parse().map_err(|error| format!("--fault: {error}"))?;
                options.faults.push(fault);
            }
            Long("env-file") => options.variables.extend(env_file(&string(&mut parser)?)?),
            Long("restart-on") => options.restart_on.push(parser.value().map_err(text)?.into()),
            Long("record") => options.record = Some(parser.value().map_err(text)?.into()),
            Long("record-payloads") => options.payloads = payloads(&string(&mut parser)?)?,
            Long("name") => options.name = Some(name(string(&mut parser)?)?),
            Long("retries") => {
                for_serving.get_or_insert("--retries");
                endpoint.retries = number(&mut parser, "--retries", "a number")?;
            }
            Long("on-failure") => {
                for_serving.get_or_insert("--on-failure");
                endpoint.on_failure = Some(parser.value().map_err(text)?.into());
            }
            Long("port") => {
                for_serving.get_or_insert("--port");
                endpoint.address = SocketAddr::from(([127, 0, 0, 1], number(&mut parser, "--port", "a port")?));
            }
            Long("address") => {
                for_serving.get_or_insert("--address");
                let value = string(&mut parser)?;
                endpoint.address = address(&value)?;
                let name = value.rsplit_once(':').map(|(name, _)| name.to_owned());
                endpoint.access.hosts.extend(name);
            }
            Long("allow-origin") => {
                for_serving.get_or_insert("--allow-origin");
                endpoint.access.origins.push(origin(string(&mut parser)?)?);
            }
            Long("allow-host") => {
                for_serving.get_or_insert("--allow-host");
                endpoint.access.hosts.push(host(string(&mut parser)?)?);
            }
            Value(value) if value == "replay" => return replay(&mut parser, options.command),
            Value(value) => {
                return Err(format!("unexpected argument {value:?}: put the function's command after --"));
            }
            other => return Err(text(other.unexpected())),
        }
    }
    if options.command.is_empty() {
        return Err("no function to run: put its command after --".to_owned());
    }
    match (event, for_serving) {
        (Some(_), Some(option)) => Err(format!("{option} cannot be combined with --event")),
        (Some(_), None) if !options.restart_on.is_empty() => {
            Err("--restart-on cannot be combined with --event".to_owned())
        }
        (Some(event), None) => Ok(Task::Once(self::event(&event, trace_id)?, options)),
        (None, _) if trace_id.is_some() => Err("--trace-id requires --event".to_owned()),
        (None, _) => {
            endpoint.function_name = options.name.clone();
            endpoint.max_buffered = endpoint.max_buffered.saturating_add(options.concurrency.saturating_mul(MAX_EVENT));
            Ok(Task::Serve(endpoint, options))
        }
    }
}

fn replay(parser: &mut lexopt::Parser, command: Vec<OsString>) -> Result<Task, String> {
    const USAGE: &str = "usage: lambda-emulator replay FILE -- COMMAND";
    let Some(Value(file)) = parser.next().map_err(text)? else { return Err(USAGE.to_owned()) };
    match parser.next().map_err(text)? {
        None if !command.is_empty() => Ok(Task::Replay(file.into(), command)),
        _ => Err(USAGE.to_owned()),
    }
}

fn text(error: lexopt::Error) -> String {
    error.to_string()
}

fn string(parser: &mut lexopt::Parser) -> Result<String, String> {
    parser.value().and_then(|value| value.string()).map_err(text)
}

fn number<T: std::str::FromStr>(parser: &mut lexopt::Parser, option: &str, what: &str) -> Result<T, String> {
    let value = string(parser)?;
    value.parse().map_err(|_| format!("{option} {value}: expected {what}"))
}

fn seconds(parser: &mut lexopt::Parser, option: &str) -> Result<Duration, String> {
    const EXPECTED: &str = "a number of seconds";
    let seconds: f64 = number(parser, option, EXPECTED)?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(timeout) if !timeout.is_zero() => Ok(timeout),
        _ => Err(format!("{option} {seconds}: expected {EXPECTED}")),
    }
}

fn address(value: &str) -> Result<SocketAddr, String> {
    let invalid = |why: &str| format!("--address {value}: {why}; expected a host and a port, such as 127.0.0.1:9000");
    let mut addresses = value.to_socket_addrs().map_err(|error| invalid(&error.to_string()))?;
    addresses.next().ok_or_else(|| invalid("the host has no address"))
}

/// Checks an origin. Requests are compared with it as text, so it must have the form that browsers send.
fn origin(value: String) -> Result<String, String> {
    match value.split_once("://") {
        Some((_, host)) if !host.is_empty() && !host.contains('/') => Ok(value),
        _ => Err(format!("--allow-origin {value}: expected a scheme and a host, such as http://localhost:3000")),
    }
}

fn host(value: String) -> Result<String, String> {
    match value.is_empty() || value.contains([':', '/']) {
        false => Ok(value),
        true => Err(format!("--allow-host {value}: expected a host name without a port, such as host.docker.internal")),
    }
}

fn env_file(path: &str) -> Result<Vec<(String, String)>, String> {
    let failed = |error: dotenvy::Error| format!("--env-file {path}: {error}");
    dotenvy::from_path_iter(path).map_err(failed)?.map(|variable| variable.map_err(failed)).collect()
}

fn payloads(value: &str) -> Result<Payloads, String> {
    match value {
        "keep" => Ok(Payloads::Keep),
        "omit" => Ok(Payloads::Omit),
        "hash" => Ok(Payloads::Hash),
        _ => Err(format!("--record-payloads {value}: expected keep, omit or hash")),
    }
}

fn name(value: String) -> Result<String, String> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    match (1..=64).contains(&value.len()) && value.bytes().all(fits) {
        true => Ok(value),
        false => Err(format!("--name {value:?}: expected at most 64 letters, digits, hyphens and underscores")),
    }
}

fn event(source: &str, trace_id: Option<String>) -> Result<Event, String> {
    let payload = payload(source).map_err(|error| format!("--event: {error}"))?;
    let event = Event::json(payload).map_err(|error| format!("--event: {error}"))?;
    match trace_id {
        None => Ok(event),
        Some(id) if id.bytes().all(|byte| (b' '..=b'~').contains(&byte)) => Ok(event.trace_id(id)),
        Some(id) => Err(format!("--trace-id {id:?}: expected ASCII text")),
    }
}

fn payload(source: &str) -> Result<Vec<u8>, String> {
    if source == "-" {
        return read_limited(io::stdin().lock()).map_err(|error| format!("cannot read stdin: {error}"));
    }
    match source.strip_prefix('@') {
        None => Ok(source.as_bytes().to_vec()),
        Some(path) => File::open(path).and_then(read_limited).map_err(|error| format!("cannot read {path}: {error}")),
    }
}

/// Reads at most as much as shows that the payload is too large.
fn read_limited(from: impl Read) -> io::Result<Vec<u8>> {
    let mut payload = Vec::new();
    let limit = u64::try_from(MAX_EVENT).unwrap_or(u64::MAX).saturating_add(1);
    from.take(limit).read_to_end(&mut payload)?;
    Ok(payload)
}
