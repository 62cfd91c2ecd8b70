//! An executor for tests, whose connections lead to an API in memory.

use std::future::{Pending, Ready, pending, ready};
use std::io::{self, IoSlice, Read as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use lambda_runtime_proto::client::Config;

use crate::connection::Connection;
use crate::env::address::Address;
use crate::executor::{Executor, Transport};

/// A function of the connection's number, from 1, and of the written bytes.
type Api = dyn Fn(usize, &str) -> Written + Send + Sync;

/// The executor.
#[derive(Clone)]
pub(crate) struct InMemory {
    api: Arc<Api>,
    connections: Arc<AtomicUsize>,
}

/// The outcome of a write.
pub(crate) enum Written {
    /// Everything is written. The API sends this.
    All(&'static [u8]),
    /// No byte is accepted, and the API has closed the connection.
    Nothing,
    /// The API has stopped reading.
    Pending,
}

pub(crate) struct Socket {
    executor: InMemory,
    number: usize,
    /// The bytes that the API has sent and the runtime has not read.
    reply: &'static [u8],
    is_closed: bool,
}

impl InMemory {
    pub(crate) fn new(api: impl Fn(usize, &str) -> Written + Send + Sync + 'static) -> Self {
        Self { api: Arc::new(api), connections: Arc::default() }
    }

    /// The number of connections that were made.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    pub(crate) fn address() -> Address {
        "127.0.0.1:9001".parse().unwrap()
    }

    /// A connection that has sent nothing.
    pub(crate) fn connection(&self) -> Connection<Self> {
        let address = Self::address();
        let config = Config::new(address.authority().clone()).pipelining(true);
        Connection::new(self.clone(), address, config)
    }
}

impl Executor for InMemory {
    type Transport = Socket;
    type Connect = Ready<io::Result<Socket>>;
    type Sleep = Pending<()>;

    fn connect(&self, _: &str, _: u16) -> Self::Connect {
        let number = self.connections.fetch_add(1, Ordering::Relaxed) + 1;
        ready(Ok(Socket { executor: self.clone(), number, reply: b"", is_closed: false }))
    }

    fn sleep(&self, _: Duration) -> Self::Sleep {
        pending()
    }
}

impl Transport for Socket {
    fn poll_read(&mut self, _: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        if self.reply.is_empty() && !self.is_closed { Poll::Pending } else { Poll::Ready(self.reply.read(buf)) }
    }

    fn poll_write_vectored(&mut self, _: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let bytes: Vec<u8> = bufs.iter().flat_map(|buf| buf.iter().copied()).collect();
        match (self.executor.api)(self.number, &String::from_utf8_lossy(&bytes)) {
            Written::All(reply) => {
                self.reply = reply;
                Poll::Ready(Ok(bytes.len()))
            }
            Written::Nothing => {
                self.is_closed = true;
                Poll::Ready(Ok(0))
            }
            Written::Pending => Poll::Pending,
        }
    }
}
