//! The floor on smol.

use std::io::{self, IoSlice, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use async_io::Async;
use bare::Socket;

pub struct Tcp(Async<TcpStream>);

impl Tcp {
    pub async fn connect() -> io::Result<Self> {
        let address: SocketAddr = bare::address().parse().map_err(io::Error::other)?;
        let stream = Async::<TcpStream>::connect(address).await?;
        stream.get_ref().set_nodelay(true)?;
        Ok(Self(stream))
    }
}

impl Socket for Tcp {
    async fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read_with(|mut stream| stream.read(buf)).await
    }

    async fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.write_with(|mut stream| stream.write_vectored(slices)).await
    }
}
