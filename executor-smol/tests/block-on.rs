//! Futures of smol and async-io under the crate's own `block_on`.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use lambda_runtime_emulator::Emulator;
use lambda_runtime_smol::{Error, LambdaEvent, Runtime, block_on, service_fn};
use smol::io::{AsyncReadExt as _, AsyncWriteExt as _};
use smol::{Async, Timer};

/// Sleeps, sends the payload through a pair of sockets, and returns what another task has received.
async fn handler(event: LambdaEvent<String>) -> Result<String, Error> {
    Timer::after(Duration::from_millis(1)).await;
    let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0))?;
    let mut sender = Async::<TcpStream>::connect(listener.get_ref().local_addr()?).await?;
    let (mut receiver, _) = listener.accept().await?;
    let received = smol::spawn(async move {
        let mut received = String::new();
        receiver.read_to_string(&mut received).await?;
        Ok::<_, Error>(received)
    });
    sender.write_all(event.payload.as_bytes()).await?;
    drop(sender);
    received.await
}

#[test]
fn handlers_await_timers_sockets_and_tasks_of_smol() {
    let emulator = Emulator::builder().reserve_port().start().unwrap();
    let address = emulator.endpoint().parse().unwrap();
    std::thread::spawn(|| block_on(Runtime::new(service_fn(handler)).address(address).run()));
    for _ in 0..10 {
        assert_eq!(emulator.invoke(r#""hello""#).unwrap().text(), r#""hello""#);
    }
}
