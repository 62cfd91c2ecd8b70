//! A stream that buffers writes until it is flushed.

use std::io;
use std::time::Duration;

use async_io::Timer;
use async_net::TcpStream;
use executor_futures_io::FuturesIo;
use futures_util::io::BufWriter;
use lambda_runtime_base::{Error, LambdaEvent, Runtime, service_fn};
use lambda_runtime_emulator::Emulator;

#[test]
fn buffered_writes_are_flushed() {
    let executor = FuturesIo::new(
        |host: String, port| async move { io::Result::Ok(BufWriter::new(TcpStream::connect((host, port)).await?)) },
        |duration: Duration| async move {
            Timer::after(duration).await;
        },
    );
    let emulator = Emulator::builder().reserve_port().start().unwrap();
    let echo = service_fn(async |event: LambdaEvent<String>| Ok::<_, Error>(event.payload));
    let runtime = Runtime::with_executor(echo, executor).address(emulator.endpoint().parse().unwrap());
    std::thread::spawn(|| async_io::block_on(runtime.run()));

    for event in [r#""hello""#, r#""again""#] {
        assert_eq!(emulator.invoke(event).unwrap().text(), event);
    }
}
