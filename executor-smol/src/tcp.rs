//! The connection to the Runtime API.

use std::io::{self, IoSlice, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::task::{Context, Poll, ready};

use async_io::Async;
use lambda_runtime_base::Transport;
#[cfg(unix)]
use lambda_runtime_blocking::is_blocking_on;

/// A TCP stream, as a [`Transport`].
#[derive(Debug)]
pub struct Tcp(Stream);

#[derive(Debug)]
enum Stream {
    /// Connected within the crate's own `block_on`.
    #[cfg(unix)]
    Own(lambda_runtime_blocking::Tcp),
    AsyncIo(AsyncTcp),
}

/// A stream that `async-io` polls.
#[derive(Debug)]
struct AsyncTcp {
    stream: Async<TcpStream>,
    /// The last read emptied the socket's buffer: wait for readiness before the next, to save a system call.
    drained: bool,
}

impl Tcp {
    pub(crate) async fn connect(address: SocketAddr) -> io::Result<Self> {
        #[cfg(unix)]
        if is_blocking_on() {
            return Ok(Self(Stream::Own(lambda_runtime_blocking::Tcp::connect(address).await?)));
        }
        let stream = Async::<TcpStream>::connect(address).await?;
        stream.get_ref().set_nodelay(true)?;
        Ok(Self(Stream::AsyncIo(AsyncTcp { stream, drained: true })))
    }

    /// Moves the stream to `async-io` if it is polled outside of the `block_on` in which it was connected.
    #[cfg(unix)]
    fn update(&mut self) -> io::Result<()> {
        if let Stream::Own(tcp) = &self.0
            && !is_blocking_on()
        {
            let stream = Async::new(TcpStream::from(tcp.try_clone()?))?;
            self.0 = Stream::AsyncIo(AsyncTcp { stream, drained: false });
        }
        Ok(())
    }
}

impl Transport for Tcp {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        #[cfg(unix)]
        self.update()?;
        match &mut self.0 {
            #[cfg(unix)]
            Stream::Own(tcp) => tcp.poll_read(cx, buf),
            Stream::AsyncIo(tcp) => tcp.poll_read(cx, buf),
        }
    }

    fn poll_write_vectored(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        #[cfg(unix)]
        self.update()?;
        match &mut self.0 {
            #[cfg(unix)]
            Stream::Own(tcp) => tcp.poll_write_vectored(cx, bufs),
            Stream::AsyncIo(tcp) => tcp.poll_write_vectored(cx, bufs),
        }
    }
}

impl AsyncTcp {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        loop {
            if self.drained {
                ready!(self.stream.poll_readable(cx))?;
                self.drained = false;
            }
            match self.stream.get_ref().read(buf) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.drained = true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => {
                    self.drained = result.as_ref().is_ok_and(|&n| n < buf.len());
                    return Poll::Ready(result);
                }
            }
        }
    }

    fn poll_write_vectored(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        loop {
            match self.stream.get_ref().write_vectored(bufs) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => ready!(self.stream.poll_writable(cx))?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return Poll::Ready(result),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::mem;
    use std::net::TcpListener;

    use super::*;
    use crate::block_on;

    #[test]
    fn connections_have_nodelay_set() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let connected = async_io::block_on(Tcp::connect(listener.local_addr().unwrap())).unwrap();
        let Stream::AsyncIo(AsyncTcp { stream, .. }) = connected.0 else { panic!("{connected:?}") };
        assert!(stream.get_ref().nodelay().unwrap());
    }

    #[test]
    fn a_connection_moves_from_one_executor_to_another() {
        async fn receive(tcp: &mut Tcp, peer: &mut TcpStream) {
            let mut buf = [0; 8];
            let mut polled = false;
            let read = poll_fn(|cx| {
                let read = tcp.poll_read(cx, &mut buf);
                if !mem::replace(&mut polled, true) {
                    assert!(read.is_pending());
                    peer.write_all(b"bytes").unwrap();
                }
                read
            });
            let n = read.await.unwrap();
            assert_eq!(buf.get(..n), Some(&b"bytes"[..]));
        }

        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut tcp = block_on(Tcp::connect(listener.local_addr().unwrap())).unwrap();
        let (mut peer, _) = listener.accept().unwrap();
        block_on(receive(&mut tcp, &mut peer));
        async_io::block_on(receive(&mut tcp, &mut peer));
        block_on(receive(&mut tcp, &mut peer));
    }
}
