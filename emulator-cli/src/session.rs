//! The common part of a single invocation and a server.

use lambda_runtime_emulator::{Builder, Emulator, End, Fault, Notice};

use crate::cli::Options;
use crate::function::{Function, extension_name};
use crate::log;
use crate::record::Recorder;

/// The emulator with these options.
///
/// # Errors
///
/// The file for the record cannot be created.
pub(crate) fn builder(options: &Options) -> Result<Builder, String> {
    let of_environment = || std::env::var("AWS_LAMBDA_FUNCTION_NAME").ok().filter(|name| !name.is_empty());
    let name = options.name.clone().or_else(of_environment);
    let builder = Emulator::builder()
        .timeout(options.timeout)
        // The command may compile the function first.
        .claim_timeout(None)
        .concurrency(options.concurrency)
        .memory(options.memory)
        .snapstart(options.snapstart)
        .faults(options.faults.iter().cloned())
        .function_name(name.unwrap_or_else(|| "function".to_owned()));
    let extensions = options.extensions.iter().map(|program| extension_name(program));
    let builder = extensions.fold(builder, Builder::external_extension);
    let Some(path) = &options.record else { return Ok(builder) };
    let recorder = Recorder::create(path, options.payloads)
        .map_err(|error| format!("--record {}: cannot create it: {error}", path.display()))?;
    Ok(builder.recorder(move |traffic| recorder.record(traffic)))
}

/// Starts and stops the process as the emulator requires, and logs timeouts and faults.
pub(crate) fn observe(function: &Function, is_classic: bool, notice: &Notice<'_>) {
    match notice {
        Notice::Queued { .. } => function.wanted(),
        Notice::Ready => function.ready(),
        Notice::Finished { end, .. } => {
            function.progressed();
            // Managed Instances do not stop the process, because it handles other invocations.
            if is_classic && matches!(end, End::TimedOut(_)) {
                function.stop();
            }
        }
        Notice::Overdue { request_id, timeout, unfinished } => {
            let seconds = timeout.as_secs_f64();
            log::line(format_args!(
                "RequestId: {request_id} Error: Task timed out after {seconds:.2} seconds, after its response: \
                 {unfinished} did not request the next event"
            ));
            function.stop();
        }
        Notice::Fault { fault } => log::message(format_args!("fault: {fault}")),
        _ => {}
    }
}

pub(crate) fn on_interrupt(handler: impl FnMut() + Send + 'static) -> Result<(), String> {
    ctrlc::set_handler(handler).map_err(|error| format!("cannot handle Ctrl-C: {error}"))
}

/// Reports the faults that did not happen, because they have tested nothing.
pub(crate) fn report_unused_faults(faults: &[Fault], emulator: &Emulator) {
    let happened = emulator.observed().faults;
    for fault in faults.iter().filter(|fault| !happened.contains(fault)) {
        log::message(format_args!("this fault did not happen: {fault}"));
    }
}
