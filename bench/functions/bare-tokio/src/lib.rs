//! The floor on tokio.

use std::io::{self, IoSlice};

use bare::Socket;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

pub struct Tcp(TcpStream);

impl Tcp {
    pub async fn connect() -> io::Result<Self> {
        let stream = TcpStream::connect(bare::address()).await?;
        stream.set_nodelay(true)?;
        Ok(Self(stream))
    }
}

impl Socket for Tcp {
    async fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf).await
    }

    async fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.write_vectored(slices).await
    }
}
