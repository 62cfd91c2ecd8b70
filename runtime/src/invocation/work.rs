//! Work after the response: `Context::wait_until`.

use std::fmt;
use std::future::{Future, poll_fn};
use std::mem;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tracing::Instrument as _;

use crate::error::failure::Failure;
use crate::executor::{BoxFuture, Executor};
use crate::logging::messages;
use crate::panics;

/// A future of [`Context::wait_until`](crate::Context::wait_until). A panic in it is a failure.
type Task = BoxFuture<'static, Result<(), Failure>>;

/// The work of one invocation that has not started.
#[derive(Default)]
pub(crate) struct Queue(Mutex<State>);

#[derive(Default)]
struct State {
    tasks: Vec<Task>,
    /// Set with the first task. A function that adds none does not contain the code that runs them.
    start: Option<fn() -> Box<dyn Run>>,
    /// The worker, while it runs the tasks.
    worker: Option<Waker>,
    /// The next invocation has been requested, or is about to be.
    closed: bool,
}

impl Queue {
    /// Accepts work for the next invocation.
    pub(super) fn open(&mut self) {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner).closed = false;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, task: Task) -> Result<(), WaitUntilError> {
        let mut state = self.lock();
        if state.closed {
            // The task, which is foreign code, is dropped after the lock.
            drop(state);
            return Err(WaitUntilError(()));
        }
        state.tasks.push(task);
        state.start = Some(|| Box::<FuturesUnordered<Task>>::default());
        let worker = state.worker.take();
        drop(state);
        if let Some(worker) = worker {
            worker.wake();
        }
        Ok(())
    }

    /// Refuses further work, unless some is pending. Returns whether it does.
    pub(super) fn close_if_empty(&self) -> bool {
        let mut state = self.lock();
        state.closed = state.tasks.is_empty();
        state.closed
    }

    /// Takes all tasks, and registers the worker to be woken when there are more.
    fn take(&self, cx: &Context<'_>) -> Vec<Task> {
        let waker = cx.waker().clone();
        let mut state = self.lock();
        let tasks = mem::take(&mut state.tasks);
        let before = state.worker.replace(waker);
        drop(state);
        drop(before);
        tasks
    }

    /// Refuses further work, and returns the tasks that have not started.
    fn close(&self) -> Vec<Task> {
        let mut state = self.lock();
        state.closed = true;
        let (tasks, worker) = (mem::take(&mut state.tasks), state.worker.take());
        drop(state);
        drop(worker);
        tasks
    }

    pub(super) fn add(&self, future: impl Future<Output = ()> + Send + 'static) -> Result<(), WaitUntilError> {
        let pending = pending::Guard::new();
        let work = async move {
            let _pending = pending;
            let mut future = pin!(Some(future));
            poll_fn(|cx| {
                let polled = panics::catch("work after the response", || {
                    ready!(future.as_mut().as_pin_mut().map_or(Poll::Ready(()), |future| future.poll(cx)));
                    // Its destructor may panic too.
                    future.set(None);
                    Poll::Ready(())
                });
                match polled {
                    Ok(polled) => polled.map(Ok),
                    Err(failure) => {
                        let _ = panics::catch("work after the response", || future.set(None));
                        Poll::Ready(Err(failure))
                    }
                }
            })
            .await
        };
        self.push(Box::pin(work.in_current_span()))
    }

    /// Runs the work, including what it adds to itself, for at most `remaining`.
    pub(super) async fn finish<X: Executor>(&self, executor: &X, remaining: Option<Duration>, request_id: &str) {
        let Some(start) = self.lock().start else { return };
        let mut run = start();
        let mut sleep = pin!(remaining.map(|remaining| executor.sleep(remaining)));
        poll_fn(|cx| {
            if run.poll(self, request_id, cx).is_ready() {
                return Poll::Ready(());
            }
            sleep.as_mut().as_pin_mut().map_or(Poll::Pending, |sleep| sleep.poll(cx))
        })
        .await;
        run.end(self, request_id);
    }

    /// Drops the work: its worker has failed.
    pub(super) fn abandon(&self) {
        drop_caught(self.close());
    }
}

/// The work that has started.
trait Run: Send {
    /// Polls the work, and what is added to the queue. Ready when none is left; then the queue is closed.
    fn poll(&mut self, queue: &Queue, request_id: &str, cx: &mut Context<'_>) -> Poll<()>;

    /// Drops the tasks that are unfinished at the deadline, and those that have not started.
    fn end(self: Box<Self>, queue: &Queue, request_id: &str);
}

impl Run for FuturesUnordered<Task> {
    fn poll(&mut self, queue: &Queue, request_id: &str, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            self.extend(queue.take(cx));
            match ready!(self.poll_next_unpin(cx)) {
                Some(Ok(())) => {}
                Some(Err(failure)) => messages::work_failed(request_id, &failure),
                None if queue.close_if_empty() => return Poll::Ready(()),
                None => {}
            }
        }
    }

    fn end(self: Box<Self>, queue: &Queue, request_id: &str) {
        let never_started = queue.close();
        let unfinished = self.len() + never_started.len();
        if unfinished > 0 {
            messages::work_timed_out(request_id, u32::try_from(unfinished).unwrap_or(u32::MAX));
        }
        drop_caught((self, never_started));
    }
}

fn drop_caught<T>(tasks: T) {
    if let Err(failure) = panics::catch("dropping work after the response", || drop(tasks)) {
        messages::drop_failed(&failure);
    }
}

/// The error of [`Context::wait_until`](crate::Context::wait_until): the context does not come from the runtime, or its
/// invocation is over.
#[cfg(feature = "wait-until")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitUntilError(pub(super) ());

impl fmt::Display for WaitUntilError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the work is not run: its context does not come from the runtime, or the invocation is over")
    }
}

impl std::error::Error for WaitUntilError {}

/// The work in this process that has not finished, for which a graceful shutdown waits.
pub(crate) mod pending {
    use std::sync::{Mutex, MutexGuard, PoisonError};
    use std::task::{Context, Poll, Waker};

    #[derive(Default)]
    struct Pending {
        count: usize,
        waiting: Vec<Waker>,
    }

    static PENDING: Mutex<Pending> = Mutex::new(Pending { count: 0, waiting: Vec::new() });

    fn lock() -> MutexGuard<'static, Pending> {
        PENDING.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) struct Guard(());

    impl Guard {
        pub(super) fn new() -> Self {
            lock().count += 1;
            Self(())
        }
    }

    impl Drop for Guard {
        fn drop(&mut self) {
            let mut pending = lock();
            pending.count -= 1;
            let woken = if pending.count == 0 { std::mem::take(&mut pending.waiting) } else { Vec::new() };
            drop(pending);
            woken.into_iter().for_each(Waker::wake);
        }
    }

    /// Completes when no work is unfinished.
    #[cfg_attr(not(feature = "graceful-shutdown"), allow(dead_code, reason = "only a shutdown waits"))]
    pub(crate) fn poll_none(cx: &Context<'_>) -> Poll<()> {
        let waker = cx.waker().clone();
        let mut pending = lock();
        if pending.count == 0 {
            return Poll::Ready(());
        }
        if !pending.waiting.iter().any(|waiting| waiting.will_wake(&waker)) {
            pending.waiting.push(waker);
        }
        Poll::Pending
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::future::ready;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    /// Held by each test of work, because work is counted in the whole process.
    pub(crate) static ALONE: Mutex<()> = Mutex::new(());

    struct Bomb;

    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("work is dropped");
        }
    }

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn abandoned_work_is_dropped_even_if_its_destructor_panics() {
        let _alone = ALONE.lock();
        let queue = Queue::default();
        let bomb = Bomb;
        queue.add(async move { drop(bomb) }).unwrap();
        queue.abandon();
        assert!(pending::poll_none(&Context::from_waker(Waker::noop())).is_ready());
        let error = queue.add(ready(())).unwrap_err();
        assert!(error.to_string().contains("the invocation is over"), "{error}");
    }

    #[cfg(feature = "tracing")]
    #[test]
    fn unfinished_work_is_counted_and_dropped_even_if_its_destructor_panics() {
        use crate::logging::layer::tests::logged;
        use crate::tracing::LogFormat;

        let _alone = ALONE.lock();
        let run = || -> Box<dyn Run> { Box::<FuturesUnordered<Task>>::default() };
        let queue = Queue::default();
        assert!(logged(LogFormat::Json, || run().end(&queue, "id")).is_empty());
        let queue = Queue::default();
        let lines = logged(LogFormat::Json, || {
            let mut run = run();
            queue.add(std::future::pending()).unwrap();
            assert!(run.poll(&queue, "id", &mut Context::from_waker(Waker::noop())).is_pending());
            let bomb = Bomb;
            queue.add(async move { drop(bomb) }).unwrap();
            run.end(&queue, "id");
        });
        assert!(lines[0].contains("\"count\":2"), "{lines:?}");
        assert!(lines[1].contains("destructor panicked"), "{lines:?}");
    }

    #[test]
    fn the_end_of_the_last_work_wakes_who_waits_for_it() {
        let _alone = ALONE.lock();
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        let cx = Context::from_waker(&waker);
        assert!(pending::poll_none(&cx).is_ready());

        let queue = Queue::default();
        queue.add(ready(())).unwrap();
        queue.add(ready(())).unwrap();
        let mut tasks = queue.take(&cx);
        for _ in 0..2 {
            assert!(pending::poll_none(&cx).is_pending());
        }
        drop(tasks.pop());
        assert_eq!(woken.0.load(Ordering::Relaxed), 0);
        drop(tasks);
        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
        assert!(pending::poll_none(&cx).is_ready());
    }
}
