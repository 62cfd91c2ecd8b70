//! The suite as a test binary.

use std::env;
use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};

use crate::function::{CHILD, run_as_child};
use crate::{Dimension, Scenario, Start, runner, scenarios};

/// `full` selects every scenario in every dimension.
const SELECTION: &str = "CONFORMANCE";

/// By default, one in this many of the scenarios that a dimension can run is selected. The first dimension runs all.
const SHARE: usize = 4;

/// Runs the suite: `start` runs the function in each of these dimensions. The first one must be able to run every
/// scenario that does not need a process.
///
/// The binary takes the arguments of a Rust test, such as a part of a name, `--exact` and `--list`. A test is called
/// `DIMENSION::SCENARIO`. By default each scenario runs in the first dimension, and a fixed share of them in each other
/// one; `CONFORMANCE=full` in the environment selects the whole product.
///
/// With `AWS_LAMBDA_LOG_LEVEL` set, everything of that level is formatted and discarded: logging must not change the
/// outcome.
///
/// # Panics
///
/// `CONFORMANCE` has another value.
pub fn main(dimensions: &[Dimension], start: Start) -> ExitCode {
    hide_planned_panics();
    if env::var_os("AWS_LAMBDA_LOG_LEVEL").is_some() {
        lambda_runtime_base::tracing::init_default_subscriber_with_writer(std::io::sink);
    }
    if let Ok(dimension) = env::var(CHILD) {
        return run_as_child(start, &dimension);
    }
    let trials = trials(dimensions, start);
    let mut arguments = Arguments::from_args();
    // Scenarios mostly wait, so many can run at once on few cores.
    arguments.test_threads.get_or_insert(32);
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trials(dimensions: &[Dimension], start: Start) -> Vec<Trial> {
    let share = match env::var(SELECTION).as_deref() {
        Err(_) => SHARE,
        Ok("full") => 1,
        Ok(other) => panic!("{SELECTION}={other}: expected full, or nothing"),
    };
    let scenarios: Vec<Arc<Scenario>> = scenarios::all().into_iter().map(Arc::new).collect();
    let mut trials = Vec::new();
    for (offset, &dimension) in dimensions.iter().enumerate() {
        let possible = scenarios.iter().filter(|it| it.requires.iter().all(|feature| dimension.has(*feature)));
        for (at, scenario) in possible.enumerate() {
            // Measuring the memory of a process takes long.
            let shared = (at + offset) % share == 0 && !scenario.needs_process();
            if offset == 0 || share == 1 || shared {
                let scenario = Arc::clone(scenario);
                let name = format!("{dimension}::{}", scenario.id);
                let run = move || runner::play_in_process(&scenario, dimension, start).map_err(Failed::from);
                trials.push(Trial::test(name, run));
            }
        }
    }
    trials
}

/// Panics that a scenario asks for are not printed.
fn hide_planned_panics() {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let planned = info.payload().downcast_ref::<&str>().is_some_and(|message| message.contains("asked to panic"));
        if !planned {
            hook(info);
        }
    }));
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_are_distinct_and_in_kebab_case() {
        let mut ids = HashSet::new();
        for Scenario { id, .. } in scenarios::all() {
            let is_slug = id.split('-').all(|word| {
                !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
            });
            assert!(is_slug, "{id}");
            assert!(ids.insert(id.clone()), "{id} is there twice");
        }
    }

    #[test]
    fn every_scenario_runs_in_the_first_dimension_or_in_a_process() {
        for scenario in scenarios::all() {
            let runs = scenario.requires.iter().all(|feature| Dimension::Runtime.has(*feature));
            assert!(runs || scenario.is_for_processes(), "{}", scenario.id);
        }
    }
}
