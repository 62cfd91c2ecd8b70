//! Plays the conformance suite to a Lambda runtime that is a command, written in any language.

mod cli;
mod report;

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{fs, io, thread};

use cli::{Options, Task};
use conformance::{Program, Scenario, play_to_program, scenarios};
use report::{Outcome, Report, Verdict};

fn main() -> ExitCode {
    match cli::parse(std::env::args_os()).and_then(perform) {
        Ok(code) => code,
        Err(message) => {
            eprintln!("lambda-conformance: {message}\nTry lambda-conformance --help");
            ExitCode::from(2)
        }
    }
}

fn perform(task: Task) -> Result<ExitCode, String> {
    match task {
        Task::Print(text) => print(&text),
        Task::List(only) => {
            print(&report::list(&selected(only.as_deref())?, scenarios::all().len() - for_processes().count()))
        }
        Task::Run(options) => run(&options),
    }
}

fn print(text: &str) -> Result<ExitCode, String> {
    use io::Write as _;

    // A closed pipe is not an error.
    let _ = io::stdout().write_all(text.as_bytes());
    Ok(ExitCode::SUCCESS)
}

fn for_processes() -> impl Iterator<Item = Scenario> {
    scenarios::all().into_iter().filter(Scenario::is_for_processes)
}

fn selected(only: Option<&str>) -> Result<Vec<Scenario>, String> {
    let selected: Vec<_> = match only {
        None => for_processes().collect(),
        Some(word) => for_processes().filter(|it| it.id.contains(word) || it.level.to_string() == word).collect(),
    };
    match (selected.is_empty(), only) {
        (true, Some(word)) => Err(format!("--only {word}: no scenario has this in its id, see --list")),
        _ => Ok(selected),
    }
}

fn run(options: &Options) -> Result<ExitCode, String> {
    let scenarios = selected(options.only.as_deref())?;
    conformance::kill_all_when_interrupted().map_err(|error| format!("signals: {error}"))?;
    let mut arguments = options.command.iter().cloned();
    let command = arguments.next().ok_or("expected -- and the command of a runtime")?;
    let program = Program::new(command, arguments);
    program.check()?;
    let report = Report { command: options.command.clone(), outcomes: play_all(scenarios, &program, options) };
    print(&report.summary())?;
    for (file, text) in [(&options.json, report.json()), (&options.markdown, report.markdown())] {
        if let Some(file) = file {
            fs::write(file, text).map_err(|error| format!("{}: {error}", file.display()))?;
        }
    }
    Ok(if report.all_passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Plays all scenarios, several at once, and prints the line of each as soon as those before it are printed.
fn play_all(scenarios: Vec<Scenario>, program: &Program, options: &Options) -> Vec<Outcome> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::new());
    results.lock().unwrap().resize_with(scenarios.len(), || None);
    let printed = Mutex::new(0);
    let work = || {
        while let Some(scenario) = scenarios.get(next.fetch_add(1, Ordering::Relaxed)) {
            let verdict = match scenario.missing(&options.without) {
                Some(feature) => Verdict::NotApplicable(feature),
                None => match play_to_program(scenario, program) {
                    Ok(()) => Verdict::Passed,
                    Err(failure) => Verdict::Failed(failure),
                },
            };
            let at = scenarios.iter().position(|it| it.id == scenario.id).unwrap_or_default();
            let mut printed = printed.lock().unwrap();
            let mut results = results.lock().unwrap();
            results[at] = Some(Outcome { scenario: scenario.clone(), verdict });
            while let Some(Some(outcome)) = results.get(*printed) {
                let _ = print(&outcome.to_string());
                *printed += 1;
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..options.jobs {
            scope.spawn(work);
        }
    });
    results.into_inner().unwrap().into_iter().flatten().collect()
}
