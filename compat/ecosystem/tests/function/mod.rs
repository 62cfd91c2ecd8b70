//! A function in a process of its own, and the emulator behind it.

use std::io::Read as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use lambda_runtime_emulator::{Emulator, Event, Outcome};

pub(crate) struct Function {
    pub(crate) way: &'static str,
    emulator: Emulator,
    process: Child,
}

impl Function {
    /// Serves the application in this way, so many requests at once. Returns when it is ready for them.
    pub(crate) fn start(way: &'static str, concurrency: usize) -> Self {
        let emulator = Emulator::builder().concurrency(concurrency).start().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_serve"));
        let process = command.arg(way).envs(emulator.environment()).stderr(Stdio::piped()).spawn().unwrap();
        let function = Self { way, emulator, process };
        let ready = function.emulator.wait_until(Duration::from_secs(30), |observed| observed.waiting == concurrency);
        assert!(ready, "{way} does not ask for {concurrency} events at once: {:?}", function.emulator.observed());
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
            let mut words = String::new();
            let _ = self.process.stderr.take().map(|mut stderr| stderr.read_to_string(&mut words));
            eprintln!("{} said: {words}", self.way);
        }
    }
}
