//! The Invoke API and the function URL, until Ctrl-C.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc;

use crate::cli::Options;
use crate::front::{Front, Settings};
use crate::function::Function;
use crate::history::History;
use crate::log;
use crate::output::Output;
use crate::report::{Report, Style};
use crate::session::{builder, observe, on_interrupt, report_unused_faults};

pub(crate) fn run(endpoint: Settings, options: Options) -> Result<ExitCode, String> {
    let options = Arc::new(options);
    let (function, supervisor) = Function::new();
    let history = Arc::<History>::default();
    let output = Output::new(Arc::clone(&history));
    let report = Report {
        function: function.clone(),
        history: Arc::clone(&history),
        output: Arc::clone(&output),
        memory: options.memory,
        style: Style::of_stderr(),
    };
    let is_classic = options.concurrency == 1;
    let emulator = builder(&options)?
        .observer(move |notice| {
            report.write(notice);
            observe(&report.function, is_classic, notice);
        })
        .start()
        .map_err(|error| error.to_string())?;
    let emulator = Arc::new(emulator);
    let front = Front::start(Arc::clone(&emulator), history, endpoint).map_err(|error| error.to_string())?;
    let (over, wait) = mpsc::channel();
    let interrupted = over.clone();
    on_interrupt(move || {
        let _ = interrupted.send(ExitCode::SUCCESS);
    })?;
    let never_ready = move || {
        let _ = over.send(ExitCode::FAILURE);
    };
    supervisor.start(Arc::clone(&options), Arc::clone(&emulator), Arc::clone(&output), never_ready)?;
    let address = front.address();
    log::message("invoke the function by its URL, or with an event");
    log::line(format_args!("  curl http://{address}/"));
    log::line(format_args!("  curl -d '{{}}' http://{address}/2015-03-31/functions/function/invocations"));
    log::line(format_args!("  status page: http://{address}/_emulator/"));
    let code = wait.recv().unwrap_or(ExitCode::FAILURE);
    function.shut_down();
    output.drain();
    report_unused_faults(&options.faults, &emulator);
    Ok(code)
}
