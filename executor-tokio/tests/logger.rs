//! The runtime's messages in a function that logs through `log`.

#![cfg(feature = "tracing")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Mutex;

use lambda_runtime_emulator::{Emulator, Event};
use lambda_runtime_tokio::{Error, LambdaEvent, Runtime, service_fn};
use log::{LevelFilter, Log, Metadata, Record};

struct Logger(Mutex<Vec<String>>);

impl Log for Logger {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        self.0.lock().unwrap().push(format!("{} {}", record.level(), record.args()));
    }

    fn flush(&self) {}
}

async fn fails(_: LambdaEvent<u8>) -> Result<(), Error> {
    Err("message".into())
}

#[test]
fn a_failure_is_logged_by_the_logger_of_log() {
    static LOGGER: Logger = Logger(Mutex::new(Vec::new()));
    log::set_logger(&LOGGER).unwrap();
    log::set_max_level(LevelFilter::Warn);
    let emulator = Emulator::builder().reserve_port().start().unwrap();
    let address = emulator.endpoint().parse().unwrap();
    std::thread::spawn(move || {
        let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        tokio.block_on(Runtime::new(service_fn(fails)).address(address).run())
    });
    emulator.invoke(Event::new("1").request_id("id")).unwrap();
    let records = LOGGER.0.lock().unwrap();
    assert!(
        records.iter().any(|record| record.starts_with("ERROR invocation failed request_id=id error_type=")
            && record.contains("error_message=message")),
        "{records:?}"
    );
}
