//! The Invoke API, until Ctrl-C.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc;

use crate::cli::{Endpoint, Options};
use crate::function::Function;
use crate::log;
use crate::report::Report;
use crate::session::{builder, observe, on_interrupt, report_unused_faults};

pub(crate) fn run(endpoint: Endpoint, options: Options) -> Result<ExitCode, String> {
    let (function, supervisor) = Function::new();
    let report = Report { function: function.clone(), memory: options.memory };
    let is_classic = options.concurrency == 1;
    let builder = builder(&options).invoke_address(endpoint.address);
    let builder = endpoint.allowed_origins.into_iter().fold(builder, |builder, origin| builder.allow_origin(origin));
    let builder = endpoint.allowed_hosts.into_iter().fold(builder, |builder, host| builder.allow_host(host));
    let emulator = builder
        .observer(move |notice| {
            report.write(notice);
            observe(&report.function, is_classic, notice);
        })
        .start()
        .map_err(|error| error.to_string())?;
    let emulator = Arc::new(emulator);
    let (over, wait) = mpsc::channel();
    let interrupted = over.clone();
    on_interrupt(move || {
        let _ = interrupted.send(ExitCode::SUCCESS);
    })?;
    let never_ready = move || {
        let _ = over.send(ExitCode::FAILURE);
    };
    supervisor.start(options.command, options.timeout, Arc::clone(&emulator), never_ready)?;
    if let Some(address) = emulator.invoke_address() {
        log::message("invoke the function with");
        log::line(format_args!("  curl -N -d '{{}}' http://{address}/2015-03-31/functions/function/invocations"));
    }
    let code = wait.recv().unwrap_or(ExitCode::FAILURE);
    function.shut_down();
    report_unused_faults(&options.faults, &emulator);
    Ok(code)
}
