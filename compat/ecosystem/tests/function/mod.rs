//! A function in a separate process, and its emulator.

use std::io::Read as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use lambda_runtime_emulator::{Emulator, Event, Outcome};

pub(crate) struct Function {
    pub(crate) variant: &'static str,
    emulator: Emulator,
    process: Child,
}

impl Function {
    /// Starts `serve` with this argument and waits until it has requested this many events.
    pub(crate) fn start(variant: &'static str, concurrency: usize) -> Self {
        let emulator = Emulator::builder().concurrency(concurrency).start().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_serve"));
        let process = command.arg(variant).envs(emulator.environment()).stderr(Stdio::piped()).spawn().unwrap();
        let function = Self { variant, emulator, process };
        let ready = function.emulator.wait_until(Duration::from_secs(30), |observed| observed.waiting == concurrency);
        assert!(ready, "{variant} did not request {concurrency} events: {:?}", function.emulator.observed());
        function
    }

    pub(crate) fn invoke(&self, event: Event) -> Outcome {
        self.emulator.invoke(event).unwrap()
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            let mut log = String::new();
            let _ = self.process.stderr.take().map(|mut stderr| stderr.read_to_string(&mut log));
            eprintln!("log of {}: {log}", self.variant);
        }
    }
}
