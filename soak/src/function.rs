//! The function, on the executor under test.

use std::net::UdpSocket;
use std::sync::atomic::{AtomicU64, Ordering};

use lambda_runtime_blocking::Blocking;
use lambda_runtime_smol::Smol;
use lambda_runtime_tokio::{Address, LambdaEvent, Tokio, service_fn};
use workload::{Job, Observer, PANIC, handle};

use crate::options::{Executor, Options};

/// The number of calls of the handler.
static HANDLED: AtomicU64 = AtomicU64::new(0);

pub fn handled() -> u64 {
    HANDLED.load(Ordering::SeqCst)
}

/// Serves events until `run` returns; returns the message of its error.
pub fn run(options: Options, address: Address) -> Result<(), String> {
    let Options { executor, pipelining, .. } = options;
    let ended = match executor {
        Executor::Tokio => {
            let runtime =
                lambda_runtime_tokio::Runtime::new(service_fn(|event| handle(Tokio, Calls, event))).address(address);
            let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build();
            tokio.map_err(|error| error.to_string())?.block_on(runtime.pipelining(pipelining).run())
        }
        Executor::Smol => {
            let runtime =
                lambda_runtime_smol::Runtime::new(service_fn(|event| handle(Smol, Calls, event))).address(address);
            smol::block_on(runtime.pipelining(pipelining).run())
        }
        Executor::Blocking => {
            let runtime = lambda_runtime_blocking::Runtime::new(service_fn(|event| handle(Blocking, Calls, event)))
                .address(address);
            lambda_runtime_blocking::block_on(runtime.pipelining(pipelining).run())
        }
    };
    ended.map_err(|error| error.to_string())
}

/// Makes the executor open the files that it keeps open until the process exits.
pub fn warm_up(executor: Executor) {
    if executor == Executor::Smol {
        // A timer would not suffice: it may have elapsed when it is first polled.
        smol::Async::<UdpSocket>::bind(([127, 0, 0, 1], 0)).expect("a socket on the loopback interface");
    }
}

/// Suppresses the output of panics that an event requests.
pub fn silence_requested_panics() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let asked = info.payload().downcast_ref::<String>().is_some_and(|message| message.starts_with(PANIC));
        if !asked {
            usual(info);
        }
    }));
}

/// Counts the calls of the handler.
struct Calls;

impl Observer for Calls {
    fn called(&self, _: &LambdaEvent<Job>) {
        HANDLED.fetch_add(1, Ordering::SeqCst);
    }
}
