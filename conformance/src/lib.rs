//! One suite of scripted dialogues that every executor must pass.
//!
//! Each [scenario](scenarios) plays the Runtime API by a script, faults included, against a function that runs
//! [`handle`] on some executor, and then looks at what the function sent and how its `run` ended. The executors' tests
//! call [`run_all`] with nothing of their own but how to start a function.
//!
//! ```no_run
//! use lambda_runtime_smol::{Address, Runtime, service_fn};
//!
//! fn main() {
//!     conformance::run_all("smol", start);
//! }
//!
//! fn start(address: Address) -> Result<(), String> {
//!     let runtime = Runtime::new(service_fn(conformance::handle)).layer(conformance::Meddling).address(address);
//!     smol::block_on(runtime.run()).map_err(|error| error.to_string())
//! }
//! ```
//!
//! Most scripts are played byte by byte by [`Api`]; some are faults of the emulator, whose API knows what an invocation
//! is and says what came of it.

// The code in README.md and docs/ is compiled, and run where it can be.
#[cfg(doctest)]
mod documents {
    #[doc = include_str!("../../README.md")]
    mod readme {}
    #[doc = include_str!("../../docs/migrating.md")]
    mod migrating {}
    #[doc = include_str!("../../docs/testing.md")]
    mod testing {}
}

mod addresses;
mod api;
mod function;
mod layer;
mod memory;
mod messages;
pub mod scenarios;
mod taken;

use std::fmt::Debug;
use std::sync::Mutex;
use std::sync::mpsc;
use std::time::Duration;

use lambda_runtime_base::Address;

pub use addresses::every_form_of_address_is_reached;
pub use api::{Act, Api, Script};
pub use function::{Reply, Turns, handle};
pub use layer::{Meddler, Meddling};
pub use memory::a_gibibyte_is_streamed_in_bounded_memory;
pub use taken::Taken;

/// A scenario may take so long before it counts as hanging.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs a function of [`handle`] at that address until it ends, and returns what `run` did: the words of its error.
pub type Start = fn(Address) -> Result<(), String>;

/// One dialogue and what is expected of it.
pub struct Scenario {
    /// A sentence about behaviour.
    pub name: String,
    /// Plays the API to a function that it starts, and panics unless that did right.
    pub play: Box<dyn FnOnce(Start) + Send>,
}

/// What happened in a scenario of [`Api`].
#[derive(Debug)]
pub struct Played {
    /// The requests that the API read, in order.
    pub requests: Vec<Taken>,
    /// How many connections were opened.
    pub connections: usize,
    /// What `run` returned: the words of its error.
    pub end: Result<(), String>,
}

/// Runs every scenario on one executor and prints a line for each. With `AWS_LAMBDA_LOG_LEVEL` set, everything of that
/// level is logged, to nowhere: the outcome must not depend on it.
///
/// # Panics
///
/// If a scenario fails.
pub fn run_all(executor: &str, start: Start) {
    // Most of the time they wait, so many can run at once.
    const AT_ONCE: usize = 16;
    if std::env::var_os("AWS_LAMBDA_LOG_LEVEL").is_some() {
        lambda_runtime_base::tracing::init_default_subscriber_with_writer(std::io::sink);
    }
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

fn play(scenario: Scenario, start: Start) -> Result<(), String> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| (scenario.play)(start)));
        let _ = sender.send(outcome.map_err(|panic| words(&*panic)));
    });
    receiver.recv_timeout(PATIENCE).unwrap_or_else(|_| Err("it hangs".to_owned()))
}

/// Checks what happened, and shows it if the check panics.
fn judge<T: Debug>(happened: &T, check: impl FnOnce(&T)) {
    if let Err(panic) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| check(happened))) {
        std::panic::resume_unwind(Box::new(format!("{}\n     {happened:?}", words(&*panic))));
    }
}

fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without words".to_owned())
}
