//! A runtime with an API in memory, which always replies at once.

use std::future::{Ready, ready};
use std::io::{self, IoSlice};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use lambda_runtime_base::tower::Service;
use lambda_runtime_base::{Address, Error, Executor, LambdaInvocation, Runtime, Transport};

/// An executor whose API delivers an event this many times, and then refuses.
#[derive(Clone)]
pub(crate) struct InMemory {
    /// The reply to /next.
    pub(crate) event: &'static [u8],
    pub(crate) invocations: usize,
}

pub(crate) struct Api {
    script: InMemory,
    /// The part of the current reply that the function has not read.
    reply: &'static [u8],
}

impl Executor for InMemory {
    type Transport = Api;
    type Connect = Ready<io::Result<Api>>;
    type Sleep = Ready<()>;

    fn connect(&self, _host: &str, _port: u16) -> Self::Connect {
        ready(Ok(Api { script: self.clone(), reply: &[] }))
    }

    fn sleep(&self, _duration: Duration) -> Self::Sleep {
        ready(())
    }
}

impl Transport for Api {
    fn poll_read(&mut self, _cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        if self.reply.is_empty() { Poll::Pending } else { Poll::Ready(io::Read::read(&mut self.reply, buf)) }
    }

    fn poll_write_vectored(&mut self, _cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        self.reply = match (bufs[0].starts_with(b"GET"), self.script.invocations) {
            (true, 0) => b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
            (true, _) => {
                self.script.invocations -= 1;
                self.script.event
            }
            (false, _) => b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n",
        };
        Poll::Ready(Ok(bufs.iter().map(|buf| buf.len()).sum()))
    }
}

/// Serves all invocations.
pub(crate) fn serve<S>(runtime: Runtime<S, InMemory>)
where
    S: Service<LambdaInvocation, Response = (), Error = Error>,
{
    let runtime = runtime.address("127.0.0.1:9001".parse::<Address>().unwrap());
    let mut run = pin!(runtime.run());
    let end = loop {
        // The API always replies at once, so the runtime never waits.
        if let Poll::Ready(end) = run.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            break end;
        }
    };
    assert!(end.unwrap_err().to_string().contains("403"));
}
