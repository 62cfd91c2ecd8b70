//! One suite of scripted dialogues that every executor must pass.
//!
//! Each [scenario](scenarios) plays the Runtime API by a script, faults included, against a function that runs
//! [`handle`] on some executor, and then looks at what the function sent and how its `run` ended. The executors' tests
//! call [`run_all`] with nothing of their own but how to start a function.

// The README's code is compiled, and run where it can be.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
mod readme {}

mod addresses;
mod api;
mod function;
mod layer;
mod memory;
mod messages;
pub mod scenarios;

use std::sync::Mutex;
use std::sync::mpsc;
use std::time::Duration;

use lambda_runtime_core::Address;

pub use addresses::every_form_of_address_is_reached;
pub use api::{Act, Api, Script, Taken};
pub use function::{Reply, handle};
pub use layer::{Meddler, Meddling};
pub use memory::a_gibibyte_is_streamed_in_bounded_memory;

/// A scenario may take so long before it counts as hanging.
const PATIENCE: Duration = Duration::from_secs(60);

/// One dialogue and what is expected of it.
pub struct Scenario {
    /// A sentence about behaviour.
    pub name: String,
    /// What the API does, connection by connection.
    pub script: Script,
    /// Panics unless the function did right.
    pub check: Box<dyn Fn(&Played) + Send>,
}

/// What happened in a scenario.
#[derive(Debug)]
pub struct Played {
    /// The requests that the API read, in order.
    pub requests: Vec<Taken>,
    /// How many connections were opened.
    pub connections: usize,
    /// What `run` returned: the words of its error.
    pub end: Result<(), String>,
}

/// Runs every scenario on one executor and prints a line for each. `start` runs a function of [`handle`] at that address
/// until it ends, and returns what `run` did.
///
/// # Panics
///
/// If a scenario fails.
pub fn run_all(executor: &str, start: fn(Address) -> Result<(), String>) {
    // Most of the time they wait, so many can run at once.
    const AT_ONCE: usize = 16;
    let only = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let mut scenarios = scenarios::all();
    scenarios.retain(|scenario| only.as_ref().is_none_or(|only| scenario.name.contains(only.as_str())));
    let total = scenarios.len();
    let waiting = Mutex::new(scenarios.into_iter());
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(scenario) = { waiting.lock().unwrap().next() } {
                    let name = scenario.name.clone();
                    match play(scenario, start) {
                        Ok(()) => println!("ok   {executor}: {name}"),
                        Err(failure) => {
                            println!("FAIL {executor}: {name}\n     {failure}");
                            failures.lock().unwrap().push(name);
                        }
                    }
                }
            });
        }
    });
    let failed = failures.into_inner().unwrap().len();
    println!("\n{} passed, {failed} failed", total - failed);
    assert!(total > 0, "no scenario has such a name");
    if failed > 0 {
        std::process::exit(1);
    }
}

fn play(scenario: Scenario, start: fn(Address) -> Result<(), String>) -> Result<(), String> {
    let Scenario { script, check, .. } = scenario;
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let api = Api::start(script);
            let end = start(api.address());
            let (requests, connections) = api.stop();
            let played = Played { requests, connections, end };
            if let Err(panic) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| check(&played))) {
                std::panic::resume_unwind(Box::new(format!("{}\n     {played:?}", words(&*panic))));
            }
        }));
        let _ = sender.send(outcome.map_err(|panic| words(&*panic)));
    });
    receiver.recv_timeout(PATIENCE).unwrap_or_else(|_| Err("it hangs".to_owned()))
}

fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without words".to_owned())
}
