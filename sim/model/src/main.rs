//! Explores everything that the two machines of the protocol can do together, to a certain depth.
//!
//!     cargo run --release -- --depth 8
//!
//! A state is a history of actions, replayed into fresh machines; states are equal if the digests of their worlds are.
//! Every state is checked:
//!
//! - No invariant is violated.
//! - The client accepts the commands that `docs/protocol.md` lists for the state.
//! - Histories with equal digests accept the same commands.
//! - Without further faults, another invocation is acknowledged.

mod world;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use lexopt::Arg::Long;
use lexopt::ValueExt as _;
use stateright::{Checker, Model, Property};

use crate::world::{Action, Command, Style, World};

/// Histories from a cold start.
#[derive(Debug, Clone)]
struct Histories {
    pipelining: bool,
    found: Arc<Mutex<Found>>,
}

/// Observations of the exploration.
#[derive(Debug, Default)]
struct Found {
    /// The commands that are accepted in each state: by all of its histories, and by at least one.
    commands: BTreeMap<&'static str, (BTreeSet<usize>, BTreeSet<usize>)>,
    /// The commands that a digest accepts, and the violation in its world.
    accepted: HashMap<u64, (BTreeSet<usize>, Option<String>)>,
}

/// A history of actions. Two are equal if they lead to equal worlds.
#[derive(Debug, Clone)]
struct State {
    history: Vec<Action>,
    digest: u64,
    violation: Option<String>,
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

impl Hash for State {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.digest.hash(state);
    }
}

fn hash_of(digest: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    digest.hash(&mut hasher);
    hasher.finish()
}

impl Histories {
    /// A world with this history.
    fn replay(&self, history: &[Action]) -> World {
        let mut world = World::new(self.pipelining);
        for action in history {
            world.step(*action);
        }
        world
    }

    fn state(&self, history: Vec<Action>) -> State {
        let world = self.replay(&history);
        let digest = hash_of(&world.digest());
        let documented = world.client.documented_state();
        let accepts = |command: &Command| self.replay(&history).accepts(*command);
        let accepted: BTreeSet<usize> =
            Command::ALL.iter().enumerate().filter(|(_, command)| accepts(command)).map(|(n, _)| n).collect();
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let violation = match found.accepted.get(&digest) {
            None => {
                let (always, ever) =
                    found.commands.entry(documented).or_insert_with(|| (accepted.clone(), BTreeSet::new()));
                always.retain(|command| accepted.contains(command));
                ever.extend(&accepted);
                let violation = world.violation.clone().or_else(|| world.settles().err());
                found.accepted.insert(digest, (accepted, violation.clone()));
                violation
            }
            Some((known, _)) if *known != accepted => Some("equal digests accept different commands".to_owned()),
            Some((_, violation)) => violation.clone(),
        };
        State { history, digest, violation }
    }
}

impl Model for Histories {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![self.state(Vec::new())]
    }

    fn actions(&self, _: &State, actions: &mut Vec<Action>) {
        actions.extend(Command::ALL.map(Action::Command));
        actions.extend([
            Action::Write,
            Action::WritePart,
            Action::ArriveAtServer,
            Action::PartAtServer,
            Action::ArriveAtClient,
            Action::PartAtClient,
            Action::Reply(Style::Usual),
            Action::Reply(Style::Closing),
            Action::Reply(Style::Refused),
            Action::Reply(Style::Nothing),
            Action::Reply(Style::Timeout),
            Action::EarlyAccept,
            Action::EarlyRefuse,
            Action::Lose,
            Action::EndOfInput,
            Action::EndOfOutput,
        ]);
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        if !self.replay(&state.history).step(action) {
            return None;
        }
        let mut history = state.history.clone();
        history.push(action);
        Some(self.state(history))
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![Property::always("nothing is violated", |_, state: &State| state.violation.is_none())]
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("model: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let (mut depth, mut check) = (6, None);
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("depth") => depth = arguments.value()?.parse()?,
            Long("check") => check = Some(arguments.value()?.string()?),
            _ => return Err(argument.unexpected().into()),
        }
    }
    let mut tables = String::new();
    for pipelining in [false, true] {
        let found = Arc::default();
        let histories = Histories { pipelining, found: Arc::clone(&found) };
        let begun = Instant::now();
        // The checker counts the first state as well.
        let checker = histories.checker().target_max_depth(depth + 1).spawn_bfs().join();
        println!(
            "pipelining {pipelining}: {} states and {} steps to depth {depth} in {:.1} s",
            checker.unique_state_count(),
            checker.state_count(),
            begun.elapsed().as_secs_f64()
        );
        if let Some(path) = checker.discovery("nothing is violated") {
            let last = path.last_state();
            return Err(format!("{:?} after {:?}", last.violation, last.history).into());
        }
        let found = found.lock().unwrap_or_else(PoisonError::into_inner);
        tables.push_str(&table(pipelining, &found));
    }
    match check {
        None => print!("{tables}"),
        Some(path) => {
            let document = std::fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
            if !document.contains(&tables) {
                return Err(format!("{path} does not contain this table:\n\n{tables}").into());
            }
        }
    }
    Ok(())
}

/// The commands that are accepted in each state, as Markdown.
fn table(pipelining: bool, found: &Found) -> String {
    let names = |commands: &BTreeSet<usize>| {
        let names: Vec<_> = commands.iter().map(|n| format!("`{}`", Command::ALL[*n].method())).collect();
        if names.is_empty() { "none".to_owned() } else { names.join(", ") }
    };
    let mut table = String::new();
    if !pipelining {
        table.push_str("| pipelining | state | accepted commands |\n|---|---|---|\n");
    }
    for (state, (always, ever)) in &found.commands {
        let sometimes: BTreeSet<usize> = ever.difference(always).copied().collect();
        let sometimes = if sometimes.is_empty() {
            String::new()
        } else {
            format!("; in some of these states {}", names(&sometimes))
        };
        let _ =
            writeln!(table, "| {} | {state} | {}{sometimes} |", if pipelining { "on" } else { "off" }, names(always));
    }
    table
}
