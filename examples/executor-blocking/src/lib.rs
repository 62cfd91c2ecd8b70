//! How an executor is written, from nothing: one thread, the standard library, and the system call `poll`.
//!
//! - [`block_on`] polls a future. While that is pending it blocks in `poll` until a socket is ready, a time has come or
//!   another thread has woken it.
//! - [`Tcp`] is a socket, as a [`Transport`]: it tries, and where it would block it leaves its waker with `Waits`.
//! - [`Sleep`] is a clock; it does the same.
//! - [`Blocking`] puts them together, as an [`Executor`] and, with a thread for each task, as a
//!   [`Spawn`](lambda_runtime_base::Spawn).

mod task;
mod waits;

use std::future::{Future, Ready, ready};
use std::io::{self, IoSlice, PipeWriter, Read as _, Write as _};
use std::net::TcpStream;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use lambda_runtime_base::{Executor, Transport};
use rustix::event::PollFlags;

pub use task::Task;
use waits::Waits;

/// Threads that block, as an executor. What it gives is to be awaited within [`block_on`].
#[derive(Debug, Clone, Copy, Default)]
pub struct Blocking;

impl Executor for Blocking {
    type Transport = Tcp;
    type Connect = Ready<io::Result<Tcp>>;
    type Sleep = Sleep;

    /// Connects at once, as the thread has nothing better to do.
    fn connect(&self, host: &str, port: u16) -> Self::Connect {
        ready(Tcp::connect(host, port))
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        Sleep(Instant::now().checked_add(duration).map(Arc::new))
    }
}

/// A socket that does not block.
#[derive(Debug)]
pub struct Tcp(Arc<TcpStream>);

impl Tcp {
    fn connect(host: &str, port: u16) -> io::Result<Self> {
        let socket = TcpStream::connect((host, port))?;
        socket.set_nodelay(true)?;
        socket.set_nonblocking(true)?;
        Ok(Self(Arc::new(socket)))
    }

    /// Tries until it works, fails, or would block.
    fn poll(
        &self,
        cx: &Context<'_>,
        direction: PollFlags,
        mut attempt: impl FnMut(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            match attempt(&self.0) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    Waits::add_socket(&self.0, direction, cx.waker());
                    return Poll::Pending;
                }
                result => return Poll::Ready(result),
            }
        }
    }
}

impl Transport for Tcp {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.poll(cx, PollFlags::IN, |mut socket| socket.read(buf))
    }

    fn poll_write_vectored(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        self.poll(cx, PollFlags::OUT, |mut socket| socket.write_vectored(bufs))
    }
}

/// Is over at an instant; never, if that is further away than the clock can tell.
#[derive(Debug)]
pub struct Sleep(Option<Arc<Instant>>);

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match &self.0 {
            Some(until) if **until <= Instant::now() => return Poll::Ready(()),
            Some(until) => Waits::add_sleep(until, cx.waker()),
            None => {}
        }
        Poll::Pending
    }
}

/// Runs a future to its end on the calling thread.
///
/// # Errors
///
/// The system gives no pipe, or does not let the thread wait.
pub fn block_on<F: Future>(future: F) -> io::Result<F::Output> {
    let (mut pipe, writer) = io::pipe()?;
    let wakeup = Arc::new(Wakeup { woken: AtomicBool::new(false), pipe: writer });
    let waker = Waker::from(Arc::clone(&wakeup));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return Ok(output);
        }
        // Even if it is woken already, so that sockets get their turn beside a future that wakes itself.
        Waits::block(&pipe)?;
        while !wakeup.woken.load(Ordering::Acquire) {
            Waits::block(&pipe)?;
        }
        // Before the future is polled: a wake from now on calls for another turn.
        pipe.read_exact(&mut [0])?;
        wakeup.woken.store(false, Ordering::Release);
    }
}

/// Wakes [`block_on`], from any thread, by a byte in its pipe. There is never more than one.
struct Wakeup {
    woken: AtomicBool,
    pipe: PipeWriter,
}

impl Wake for Wakeup {
    fn wake(self: Arc<Self>) {
        if !self.woken.swap(true, Ordering::AcqRel) {
            // It fails when `block_on` has returned, and nobody is to be woken.
            let _ = (&self.pipe).write_all(&[0]);
        }
    }
}
