//! The reactor of a thread: waits for file descriptors, instants, and wake-ups by other threads.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io::{self, PipeReader, PipeWriter, Read as _, Write as _};
use std::mem;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering, fence};
use std::sync::{Arc, OnceLock, Weak};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, retry_on_intr};
use rustix::net::{RecvFlags, recv};

/// The longest wait if wake-ups by other threads cannot end it, because the process is out of file descriptors or memory.
const DEGRADED_WAIT: Duration = Duration::from_millis(10);

thread_local! {
    /// The reactor of the innermost `block_on` on this thread.
    static CURRENT: RefCell<Option<Rc<Reactor>>> = const { RefCell::new(None) };
}

/// The reactor of one `block_on`. It refers to descriptors and instants weakly, so dropping a future ends its waits.
pub(crate) struct Reactor {
    wakeup: Arc<Wakeup>,
    waker: Waker,
    interests: RefCell<Vec<Interest>>,
    sleeps: RefCell<Vec<(Weak<Instant>, Waker)>>,
    /// The runtime holds a clone of the waker that it does not wake before the next reply.
    holds_waker: Cell<bool>,
    /// The next read may block in the system call.
    may_block: Cell<bool>,
}

struct Interest {
    source: Weak<Source>,
    direction: PollFlags,
    waker: Waker,
}

/// A file descriptor that futures wait for.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) fd: OwnedFd,
    /// A read would probably not block.
    readable: AtomicBool,
    /// It was writable at some time.
    writable: AtomicBool,
}

impl Source {
    /// A read that found no data.
    pub(crate) fn new(fd: OwnedFd) -> Arc<Self> {
        Arc::new(Self { fd, readable: AtomicBool::new(false), writable: AtomicBool::new(false) })
    }

    /// Reads from a socket in blocking mode. Fails outside of `block_on`.
    pub(crate) fn poll_recv(self: &Arc<Self>, cx: &Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let reactor = Reactor::current().ok_or_else(outside)?;
        loop {
            let flags = if self.readable.load(Ordering::Relaxed) {
                RecvFlags::DONTWAIT
            } else if reactor.may_block.take() && reactor.waits_only_for(self) {
                // No other event on this thread can wake the task.
                RecvFlags::empty()
            } else {
                reactor.add_interest(self, PollFlags::IN, cx.waker());
                return Poll::Pending;
            };
            match retry_on_intr(|| recv(&self.fd, &mut *buf, flags)) {
                Ok((n, _)) => {
                    // Any remaining data needs another read.
                    self.readable.store(n == buf.len(), Ordering::Relaxed);
                    return Poll::Ready(Ok(n));
                }
                Err(Errno::AGAIN) => self.readable.store(false, Ordering::Relaxed),
                Err(error) => return Poll::Ready(Err(error.into())),
            }
        }
    }

    /// Registers `waker` to be woken when the descriptor is writable.
    pub(crate) fn register_write(self: &Arc<Self>, waker: &Waker) -> io::Result<()> {
        Reactor::current().ok_or_else(outside)?.add_interest(self, PollFlags::OUT, waker);
        Ok(())
    }

    /// Waits until the descriptor is writable for the first time.
    pub(crate) async fn writable(self: &Arc<Self>) -> io::Result<()> {
        poll_fn(|cx| {
            if self.writable.load(Ordering::Relaxed) {
                return Poll::Ready(Ok(()));
            }
            match self.register_write(cx.waker()) {
                Ok(()) => Poll::Pending,
                Err(error) => Poll::Ready(Err(error)),
            }
        })
        .await
    }
}

fn outside() -> io::Error {
    io::Error::other("polled outside of lambda_runtime_blocking::block_on, which must wait for it")
}

impl Reactor {
    pub(crate) fn new() -> Rc<Self> {
        let wakeup = Arc::new(Wakeup::default());
        Rc::new(Self {
            waker: Waker::from(Arc::clone(&wakeup)),
            wakeup,
            interests: RefCell::default(),
            sleeps: RefCell::default(),
            holds_waker: Cell::new(false),
            may_block: Cell::new(false),
        })
    }

    pub(crate) fn current() -> Option<Rc<Self>> {
        CURRENT.with_borrow(Clone::clone)
    }

    pub(crate) fn is_current() -> bool {
        CURRENT.with_borrow(Option::is_some)
    }

    /// Makes this the current reactor until the guard is dropped.
    pub(crate) fn enter(self: &Rc<Self>) -> impl Drop + use<> {
        struct Entered(Option<Rc<Reactor>>);

        impl Drop for Entered {
            fn drop(&mut self) {
                let ended = CURRENT.replace(self.0.take());
                // Drops wakers, which may run foreign code.
                drop(ended);
            }
        }

        Entered(CURRENT.replace(Some(Rc::clone(self))))
    }

    /// Polls `poll` as the task of this reactor. A wake-up from now on causes another poll.
    pub(crate) fn turn<T>(&self, poll: impl FnOnce(&mut Context<'_>) -> T) -> T {
        self.wakeup.state.swap(IDLE, Ordering::AcqRel);
        self.holds_waker.set(false);
        poll(&mut Context::from_waker(&self.waker))
    }

    /// See [`Executor::holds_waker`](lambda_runtime_base::Executor::holds_waker).
    pub(crate) fn set_holds_waker(&self, waker: &Waker, is_held: impl FnOnce() -> bool) {
        if waker.will_wake(&self.waker) {
            self.holds_waker.set(is_held());
        }
    }

    fn add_interest(&self, source: &Arc<Source>, direction: PollFlags, waker: &Waker) {
        let waker = waker.clone();
        let mut interests = self.interests.borrow_mut();
        let known = interests
            .iter_mut()
            .find(|known| known.direction == direction && Weak::as_ptr(&known.source) == Arc::as_ptr(source));
        let before = match known {
            Some(known) => Some(mem::replace(&mut known.waker, waker)),
            None => {
                interests.push(Interest { source: Arc::downgrade(source), direction, waker });
                None
            }
        };
        // Wakers are foreign code, which may use the reactor.
        drop(interests);
        drop(before);
    }

    /// Registers `waker` to be woken at this instant, and replaces the previous waker.
    pub(crate) fn add_sleep(&self, until: &Arc<Instant>, waker: &Waker) {
        let waker = waker.clone();
        let mut sleeps = self.sleeps.borrow_mut();
        let before = match sleeps.iter_mut().find(|(known, _)| Weak::as_ptr(known) == Arc::as_ptr(until)) {
            Some((_, known)) => Some(mem::replace(known, waker)),
            None => {
                sleeps.push((Arc::downgrade(until), waker));
                None
            }
        };
        drop(sleeps);
        drop(before);
    }

    /// Whether a read from `source` is the only event that can wake the task: nothing else is registered, and the waker has
    /// no other clones.
    fn waits_only_for(&self, source: &Arc<Source>) -> bool {
        match &self.interests.borrow()[..] {
            [only] => Weak::as_ptr(&only.source) == Arc::as_ptr(source) && self.is_only(only),
            _ => false,
        }
    }

    fn is_only(&self, interest: &Interest) -> bool {
        let registered = usize::from(interest.waker.will_wake(&self.waker));
        // Two are the reactor's own.
        let accounted = 2 + registered + usize::from(self.holds_waker.get());
        if interest.direction != PollFlags::IN
            || !self.sleeps.borrow().is_empty()
            || Arc::strong_count(&self.wakeup) > accounted
        {
            return false;
        }
        // A waker that is gone may have been woken before.
        fence(Ordering::Acquire);
        self.wakeup.state.load(Ordering::Relaxed) == IDLE
    }

    /// Waits until the task should be polled again.
    pub(crate) fn wait(&self) {
        // If the permission was not used, the future that reads was not polled.
        if !self.may_block.take()
            && let [only] = &self.interests.borrow()[..]
            && only.source.strong_count() > 0
            && self.is_only(only)
        {
            self.may_block.set(true);
            return;
        }
        self.poll();
    }

    /// Blocks in `poll` until an event occurs, and wakes the futures that wait for it.
    fn poll(&self) {
        let interests: Vec<_> = self
            .interests
            .take()
            .into_iter()
            .filter_map(|interest| Some((interest.source.upgrade()?, interest)))
            .collect();
        let sleeps: Vec<_> =
            self.sleeps.take().into_iter().filter_map(|(until, waker)| Some((until.upgrade()?, waker))).collect();

        let armed = self.wakeup.arm();
        let first = sleeps.iter().map(|(until, _)| until.saturating_duration_since(Instant::now())).min();
        let timeout = match armed {
            Armed::Woken => Some(Duration::ZERO),
            Armed::By(_) => first,
            Armed::Nothing => Some(first.map_or(DEGRADED_WAIT, |first| first.min(DEGRADED_WAIT))),
        };
        let mut fds: Vec<_> =
            interests.iter().map(|(source, interest)| PollFd::new(&source.fd, interest.direction)).collect();
        if let Armed::By(pipe) = armed {
            fds.push(PollFd::new(pipe, PollFlags::IN));
        }
        // A time that the system cannot represent never comes.
        match poll(&mut fds, timeout.and_then(|timeout| Timespec::try_from(timeout).ok()).as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(_) => thread::sleep(DEGRADED_WAIT),
        }
        if let Armed::By(mut pipe) = armed
            && fds.last().is_some_and(|fd| !fd.revents().is_empty())
        {
            // It is readable.
            let _ = pipe.read(&mut [0; 16]);
        }

        let ready: Vec<_> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
        for ((source, interest), ready) in interests.into_iter().zip(ready) {
            if !ready {
                self.interests.borrow_mut().push(interest);
                continue;
            }
            let became_ready = if interest.direction == PollFlags::IN { &source.readable } else { &source.writable };
            became_ready.store(true, Ordering::Relaxed);
            interest.waker.wake();
        }
        for (until, waker) in sleeps {
            if *until <= Instant::now() {
                waker.wake();
            } else {
                self.sleeps.borrow_mut().push((Arc::downgrade(&until), waker));
            }
        }
    }
}

/// Wakes the task, from any thread.
#[derive(Debug, Default)]
struct Wakeup {
    state: AtomicU8,
    /// Created on first use, because a plain function never uses it.
    pipe: OnceLock<(PipeReader, PipeWriter)>,
}

/// The task has not been woken since its last poll began.
const IDLE: u8 = 0;
/// As `IDLE`, and the thread waits or is about to; a byte in the pipe ends the wait.
const WAITING: u8 = 1;
const WOKEN: u8 = 2;

/// How a wake-up ends a wait.
enum Armed<'a> {
    /// The task has been woken already.
    Woken,
    By(&'a PipeReader),
    Nothing,
}

impl Wakeup {
    /// Prepares for a wait.
    fn arm(&self) -> Armed<'_> {
        if self.state.load(Ordering::Acquire) == WOKEN {
            return Armed::Woken;
        }
        let pipe = match self.pipe.get() {
            Some(pipe) => Some(pipe),
            None => io::pipe().ok().map(|pipe| self.pipe.get_or_init(|| pipe)),
        };
        let Some((reader, _)) = pipe else { return Armed::Nothing };
        match self.state.compare_exchange(IDLE, WAITING, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => Armed::By(reader),
            Err(_) => Armed::Woken,
        }
    }
}

impl Wake for Wakeup {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.state.swap(WOKEN, Ordering::AcqRel) == WAITING
            && let Some((_, pipe)) = self.pipe.get()
        {
            // One byte for each wait, so the pipe is never full.
            let mut pipe = pipe;
            let _ = pipe.write(&[0]);
        }
    }
}
