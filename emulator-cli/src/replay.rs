//! `replay FILE -- COMMAND`: plays a record of the Runtime API to a function, and reports the first difference between its
//! requests and the recorded ones.
//!
//! The API's bytes of each connection are sent as recorded, once the function has sent as many messages as in the record.
//! Times and the boundaries of reads and chunks do not matter.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use lambda_runtime_emulator::Emulator;
use rustix::process::{Pid, Signal, kill_process_group};
use serde::Deserialize;

use crate::record::Messages;
use crate::{launcher, log};

/// Timeout of a message of the function.
const LIMIT: Duration = Duration::from_secs(60);

/// Limit of the bytes that the function sends on a connection.
const MAX: usize = 1024 * 1024 * 1024;

/// A line of a record. The line of the end of a connection, or of an omitted payload, has neither text nor base64.
#[derive(Deserialize)]
struct Line {
    connection: u64,
    from: String,
    text: Option<String>,
    base64: Option<String>,
    payload: Option<u64>,
}

/// Consecutive bytes of one sender.
#[derive(Debug, PartialEq, Eq)]
enum Turn {
    Runtime(Vec<u8>),
    Api(Vec<u8>),
}

type Connections = BTreeMap<u64, Vec<Turn>>;

pub(crate) fn run(file: &Path, command: &[OsString]) -> Result<ExitCode, String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    let connections = parse(&text).map_err(|error| format!("{}: {error}", file.display()))?;
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| format!("cannot listen: {error}"))?;
    let address = listener.local_addr().map_err(|error| error.to_string())?.to_string();
    // Only its environment variables are used.
    let emulator = Emulator::start().map_err(|error| error.to_string())?;
    let Some((program, args)) = command.split_first() else { return Err("no command".to_owned()) };
    let mut child = launcher::spawn(program, args, |command| {
        // Stdout of the command itself is for the result.
        let command = command.envs(emulator.environment()).env("AWS_LAMBDA_RUNTIME_API", &address);
        command.stdout(io::stderr()).process_group(0)
    })
    .map_err(|error| format!("cannot start {program:?}: {error}"))?;
    let played = play(listener, connections, || matches!(child.try_wait(), Ok(Some(_))));
    let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
    let _ = child.wait();
    match played {
        Ok(requests) => {
            log::message(format_args!("the function sent the same {requests} requests"));
            Ok(ExitCode::SUCCESS)
        }
        Err(difference) => {
            log::message(difference);
            Ok(ExitCode::FAILURE)
        }
    }
}

fn parse(text: &str) -> Result<Connections, String> {
    let mut connections = Connections::new();
    for (n, line) in text.lines().enumerate() {
        let invalid = |why: String| format!("line {}: {why}", n + 1);
        let line: Line = serde_json::from_str(line).map_err(|error| invalid(error.to_string()))?;
        if line.payload.is_some() {
            return Err(invalid("its payload is not recorded: record with --record-payloads keep".to_owned()));
        }
        let bytes = match (line.text, line.base64) {
            (Some(text), _) => text.into_bytes(),
            (None, Some(encoded)) => base64::engine::general_purpose::STANDARD
                .decode(encoded)
                .map_err(|error| invalid(format!("base64: {error}")))?,
            (None, None) => continue,
        };
        let turns = connections.entry(line.connection).or_default();
        match (line.from.as_str(), turns.last_mut()) {
            ("runtime", Some(Turn::Runtime(before))) | ("api", Some(Turn::Api(before))) => before.extend(bytes),
            ("runtime", _) => turns.push(Turn::Runtime(bytes)),
            ("api", _) => turns.push(Turn::Api(bytes)),
            (other, _) => return Err(invalid(format!("from {other:?}: expected runtime or api"))),
        }
    }
    match connections.is_empty() {
        true => Err("it has no connections".to_owned()),
        false => Ok(connections),
    }
}

/// Plays every connection. Returns the number of compared requests, or the first difference.
fn play(listener: TcpListener, connections: Connections, mut has_ended: impl FnMut() -> bool) -> Result<usize, String> {
    /// Interval between checks whether the function has ended.
    const CHECK: Duration = Duration::from_secs(1);
    let (sender, results) = mpsc::channel();
    let count = connections.len();
    thread::spawn(move || {
        for (number, turns) in connections {
            let Ok((socket, _)) = listener.accept() else { return };
            let sender = sender.clone();
            thread::spawn(move || {
                let played = play_connection(&socket, turns);
                let _ = sender.send(played.map_err(|difference| format!("connection {number}: {difference}")));
            });
        }
    });
    let (mut requests, mut played) = (0, 0);
    let mut since = Instant::now();
    while played < count {
        match results.recv_timeout(CHECK) {
            Ok(result) => {
                requests += result?;
                played += 1;
                since = Instant::now();
            }
            Err(_) if has_ended() || since.elapsed() > LIMIT.saturating_mul(2) => {
                return match results.try_recv() {
                    Ok(Err(difference)) => Err(difference),
                    _ => Err(format!("the function ended or hung after {played} of {count} connections were played")),
                };
            }
            Err(_) => {}
        }
    }
    Ok(requests)
}

fn play_connection(mut socket: &TcpStream, turns: Vec<Turn>) -> Result<usize, String> {
    socket.set_read_timeout(Some(LIMIT)).map_err(|error| error.to_string())?;
    let (mut expected, mut found) = (Messages::default(), Messages::default());
    let mut compared = 0;
    for turn in turns {
        match turn {
            Turn::Api(bytes) => {
                socket.write_all(&bytes).map_err(|error| format!("the function has closed it: {error}"))?
            }
            Turn::Runtime(bytes) => {
                expected.feed(&bytes);
                let mut buffer = [0; 16 * 1024];
                while found.complete.len() < expected.complete.len() {
                    match socket.read(&mut buffer) {
                        Ok(0) => {
                            return Err(format!("the function closed it instead of sending request {}", compared + 1));
                        }
                        Ok(n) => {
                            found.feed(buffer.get(..n).unwrap_or_default());
                            if found.size > MAX {
                                return Err(format!("request {} is larger than {MAX} bytes", compared + 1));
                            }
                        }
                        Err(error) => return Err(format!("request {}: {error}", compared + 1)),
                    }
                }
                for (expected, found) in expected.complete.iter().zip(&found.complete).skip(compared) {
                    compared += 1;
                    if let Some(difference) = expected.difference(found) {
                        return Err(format!("request {compared}: {difference}"));
                    }
                }
            }
        }
    }
    Ok(compared)
}
