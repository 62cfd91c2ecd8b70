//! What a session of one invocation and one of many by HTTP have in common.

use lambda_runtime_emulator::{Builder, Emulator, End, Fault, Notice};

use crate::cli::Options;
use crate::function::Function;
use crate::log;

/// The emulator that the options ask for.
pub(crate) fn builder(options: &Options) -> Builder {
    let name = std::env::var("AWS_LAMBDA_FUNCTION_NAME").ok().filter(|name| !name.is_empty());
    Emulator::builder()
        .timeout(options.timeout)
        // It may have to be compiled first.
        .claim_timeout(None)
        .concurrency(options.concurrency)
        .memory(options.memory)
        .snapstart(options.snapstart)
        .faults(options.faults.iter().cloned())
        .function_name(name.unwrap_or_else(|| "function".to_owned()))
}

/// What keeps the process in step with the emulator, and what somebody who reads the log should know.
pub(crate) fn observe(function: &Function, is_classic: bool, notice: &Notice<'_>) {
    match notice {
        Notice::Queued { .. } => function.wanted(),
        Notice::Ready => function.ready(),
        // As Lambda does. Managed Instances let the process go on, for it has other invocations in hand.
        Notice::Finished { end: End::TimedOut(_), .. } if is_classic => function.stop(),
        Notice::Fault { fault } => log::message(format_args!("fault: {fault}")),
        _ => {}
    }
}

pub(crate) fn on_interrupt(handler: impl FnMut() + Send + 'static) -> Result<(), String> {
    ctrlc::set_handler(handler).map_err(|error| format!("cannot handle Ctrl-C: {error}"))
}

/// Who has asked for a fault that did not happen has tested nothing.
pub(crate) fn report_unused_faults(faults: &[Fault], emulator: &Emulator) {
    let happened = emulator.observed().faults;
    for fault in faults.iter().filter(|fault| !happened.contains(fault)) {
        log::message(format_args!("the fault did not happen: {fault}"));
    }
}
