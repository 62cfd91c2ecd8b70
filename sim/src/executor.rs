//! The executor of the simulation: its clock, its timers, its sockets and its tasks.

use std::future::Future;
use std::io::{self, IoSlice};
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant, SystemTime};

use futures_util::FutureExt as _;
use lambda_runtime_base::{Executor, Spawn, Transport};

use crate::connection::Attempt;
use crate::kernel::{Happening, Kernel, Key};
use crate::tasks::NewTask;
use crate::trace::Nanos;

/// When every simulation starts: seconds since the Unix epoch.
const START: u64 = 1_800_000_000;

/// A handle to the simulation of one sandbox.
#[derive(Clone)]
pub struct Sim {
    kernel: Arc<Mutex<Kernel>>,
    epoch: Instant,
}

impl Sim {
    pub fn new(kernel: Kernel) -> Self {
        Self { kernel: Arc::new(Mutex::new(kernel)), epoch: Instant::now() }
    }

    /// Do not wake, clone or drop wakers and futures while this is held.
    pub fn lock(&self) -> MutexGuard<'_, Kernel> {
        self.kernel.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The wall clock at a time of the simulation, since the Unix epoch.
    pub fn since_unix_epoch(now: Nanos) -> Duration {
        Duration::from_secs(START) + Duration::from_nanos(now)
    }
}

impl Executor for Sim {
    type Transport = Socket;
    type Connect = Connect;
    type Sleep = Sleep;

    fn connect(&self, _: &str, _: u16) -> Connect {
        let id = self.lock().connect();
        Connect { socket: Some(Socket { sim: self.clone(), id }) }
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        let duration = Nanos::try_from(duration.as_nanos()).unwrap_or(Nanos::MAX);
        let deadline = self.lock().now.saturating_add(duration);
        Sleep { sim: self.clone(), deadline, key: None }
    }

    fn now(&self) -> Instant {
        self.epoch + Duration::from_nanos(self.lock().now)
    }

    fn system_time(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Sim::since_unix_epoch(self.lock().now)
    }

    fn random(&self) -> u64 {
        self.lock().rng.u64(..)
    }
}

impl Spawn for Sim {
    type Task<T: Send + 'static> = Task<T>;

    fn spawn<T: Send + 'static>(&self, task: impl Future<Output = T> + Send + 'static) -> Task<T> {
        let result = Arc::new(Mutex::new(Returned { value: None, waker: None }));
        let shared = Arc::clone(&result);
        let future = Box::pin(async move {
            let value = AssertUnwindSafe(task).catch_unwind().await.map_err(|panic| {
                let message = panic.downcast_ref::<String>().map(String::as_str);
                message.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message").to_owned()
            });
            let mut returned = shared.lock().unwrap_or_else(PoisonError::into_inner);
            returned.value = Some(value);
            let waker = returned.waker.take();
            drop(returned);
            if let Some(waker) = waker {
                waker.wake();
            }
        });
        let mut kernel = self.lock();
        let id = kernel.tasks;
        kernel.tasks += 1;
        kernel.note("task # is spawned", &[id as u64]);
        kernel.spawned.push(NewTask { id, future });
        Task { sim: self.clone(), id, result }
    }
}

/// A task; dropping it cancels the task.
pub struct Task<T> {
    sim: Sim,
    id: usize,
    result: Arc<Mutex<Returned<T>>>,
}

struct Returned<T> {
    value: Option<Result<T, String>>,
    waker: Option<Waker>,
}

impl<T> Future for Task<T> {
    type Output = Result<T, String>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let waker = cx.waker().clone();
        let mut returned = self.result.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(value) = returned.value.take() {
            return Poll::Ready(value);
        }
        let before = returned.waker.replace(waker);
        drop(returned);
        drop(before);
        Poll::Pending
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.sim.lock().cancelled.push(self.id);
    }
}

/// A timer.
pub struct Sleep {
    sim: Sim,
    deadline: Nanos,
    key: Option<Key>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let waker = cx.waker().clone();
        let mut kernel = self.sim.lock();
        if kernel.now >= self.deadline {
            return Poll::Ready(());
        }
        let before = match self.key.and_then(|key| kernel.agenda.get_mut(&key)) {
            Some(happening) => Some(std::mem::replace(happening, Happening::Timer(waker))),
            None => {
                let after = self.deadline - kernel.now;
                let key = kernel.schedule(after, Happening::Timer(waker));
                drop(kernel);
                self.key = Some(key);
                return Poll::Pending;
            }
        };
        drop(kernel);
        drop(before);
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            let happening = self.sim.lock().agenda.remove(&key);
            drop(happening);
        }
    }
}

/// An attempt to connect.
pub struct Connect {
    socket: Option<Socket>,
}

impl Future for Connect {
    type Output = io::Result<Socket>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(socket) = &self.socket else { return Poll::Pending };
        let waker = cx.waker().clone();
        let mut kernel = socket.sim.lock();
        let before = match &mut kernel.connections[socket.id].attempt {
            Attempt::Connected => None,
            Attempt::Failed(kind) => return Poll::Ready(Err((*kind).into())),
            Attempt::Pending(registered) => Some(registered.replace(waker)),
        };
        drop(kernel);
        match before {
            None => Poll::Ready(self.socket.take().ok_or_else(|| io::ErrorKind::NotConnected.into())),
            Some(before) => {
                drop(before);
                Poll::Pending
            }
        }
    }
}

/// The function's end of a connection.
pub struct Socket {
    sim: Sim,
    id: usize,
}

impl Socket {
    fn not_ready(&self, cx: &Context<'_>) -> bool {
        let not_ready = {
            let mut kernel = self.sim.lock();
            kernel.weather.segment != usize::MAX && kernel.rng.u32(0..64) == 0
        };
        if not_ready {
            // As on executors that limit the work of a task in one poll.
            cx.waker().wake_by_ref();
        }
        not_ready
    }
}

impl Transport for Socket {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        if self.not_ready(cx) {
            return Poll::Pending;
        }
        let (result, before) = self.sim.lock().function_reads(self.id, buf, cx.waker());
        drop(before);
        result.map_or(Poll::Pending, Poll::Ready)
    }

    fn poll_write_vectored(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        if self.not_ready(cx) {
            return Poll::Pending;
        }
        let (result, before) = self.sim.lock().function_writes(self.id, bufs, cx.waker());
        drop(before);
        result.map_or(Poll::Pending, Poll::Ready)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let mut kernel = self.sim.lock();
        kernel.function_closes(self.id);
    }
}
