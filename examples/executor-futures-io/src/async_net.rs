//! Sockets of async-net, which smol uses too, and timers of async-io.

use std::io;
use std::time::Duration;

use async_io::Timer;
use async_net::TcpStream;
use lambda_runtime_base::Executor;

use crate::FuturesIo;

/// Returns an executor on async-net.
pub fn executor() -> impl Executor {
    FuturesIo::new(connect, sleep)
}

async fn connect(host: String, port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect((host, port)).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn sleep(duration: Duration) {
    Timer::after(duration).await;
}
