//! The lowest floor: a blocking socket of the standard library.

use std::future::Future;
use std::io::{self, IoSlice, Read as _, Write as _};
use std::net::TcpStream;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use bare::Socket;

pub struct Blocking(TcpStream);

impl Blocking {
    pub fn connect() -> io::Result<Self> {
        let stream = TcpStream::connect(bare::address())?;
        stream.set_nodelay(true)?;
        Ok(Self(stream))
    }
}

impl Socket for Blocking {
    async fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf)
    }

    async fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.write_vectored(slices)
    }
}

/// Runs a future that never waits.
pub fn run(future: impl Future<Output = io::Result<()>>) -> io::Result<()> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}
