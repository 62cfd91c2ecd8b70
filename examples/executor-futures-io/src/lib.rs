//! An executor for any stream that implements the traits of [`futures_io`]: those of async-net, smol and glommio, and
//! those of tokio in a wrapper.
//!
//! Two functions adapt it to a library: one connects, the other sleeps. [`async_net`] is an example.

pub mod async_net;

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_io::{AsyncRead, AsyncWrite};
use lambda_runtime_base::{Executor, Transport};

/// An executor that consists of a function that connects and a function that sleeps.
#[derive(Debug, Clone, Copy)]
pub struct FuturesIo<C, S> {
    connect: C,
    sleep: S,
}

impl<C, S> FuturesIo<C, S> {
    /// `connect` takes a host and a port and returns a future of a stream that has `TCP_NODELAY` set; `sleep` takes a
    /// [`Duration`].
    pub fn new(connect: C, sleep: S) -> Self {
        Self { connect, sleep }
    }
}

impl<C, Connecting, Io, S, Sleeping> Executor for FuturesIo<C, S>
where
    C: Fn(String, u16) -> Connecting + Clone,
    Connecting: Future<Output = io::Result<Io>>,
    Io: AsyncRead + AsyncWrite + Unpin,
    S: Fn(Duration) -> Sleeping + Clone,
    Sleeping: Future<Output = ()>,
{
    type Transport = Stream<Io>;
    type Connect = Connect<Connecting>;
    type Sleep = Sleeping;

    fn connect(&self, host: &str, port: u16) -> Self::Connect {
        Connect(Box::pin((self.connect)(host.to_owned(), port)))
    }

    fn sleep(&self, duration: Duration) -> Sleeping {
        (self.sleep)(duration)
    }
}

/// The future returned by `connect`.
#[derive(Debug)]
pub struct Connect<F>(Pin<Box<F>>);

impl<F: Future<Output = io::Result<Io>>, Io> Future for Connect<F> {
    type Output = io::Result<Stream<Io>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx).map_ok(|io| Stream { io, flushed: true })
    }
}

/// A stream of `futures_io` as a [`Transport`].
#[derive(Debug)]
pub struct Stream<Io> {
    io: Io,
    /// The stream's own buffer is empty. `Transport` has no flush, because sockets need none.
    flushed: bool,
}

impl<Io: AsyncWrite + Unpin> Stream<Io> {
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.flushed {
            ready!(Pin::new(&mut self.io).poll_flush(cx))?;
            self.flushed = true;
        }
        Poll::Ready(Ok(()))
    }
}

impl<Io: AsyncRead + AsyncWrite + Unpin> Transport for Stream<Io> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        // The runtime reads whenever it has nothing to write: resume a flush that was pending after the last write.
        if let Poll::Ready(Err(error)) = self.poll_flush(cx) {
            return Poll::Ready(Err(error));
        }
        Pin::new(&mut self.io).poll_read(cx, buf)
    }

    fn poll_write_vectored(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.io).poll_write_vectored(cx, bufs))?;
        self.flushed = false;
        match self.poll_flush(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            _ => Poll::Ready(Ok(written)),
        }
    }
}
