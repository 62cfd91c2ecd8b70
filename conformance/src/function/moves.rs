//! Places to which a layer can move the future of its inner service.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use futures_channel::{mpsc, oneshot};
use futures_util::StreamExt as _;

/// A future that was moved out of the task of `run`.
pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Splits a future into a task that polls it and a receiver of its output.
pub(super) fn split<F>(future: F) -> (Task, oneshot::Receiver<F::Output>)
where
    F: Future<Output: Send> + Send + 'static,
{
    let (sender, receiver) = oneshot::channel();
    let task = Box::pin(async {
        let _ = sender.send(future.await);
    });
    (task, receiver)
}

/// A queue of tasks and the future that polls them, one after the other.
pub(super) fn driver() -> (mpsc::UnboundedSender<Task>, Driver) {
    let (sender, queue) = mpsc::unbounded();
    (sender, Driver { queue, current: None })
}

/// Polls tasks in the task of `run`.
pub(super) struct Driver {
    queue: mpsc::UnboundedReceiver<Task>,
    current: Option<Task>,
}

impl Driver {
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) {
        loop {
            if let Some(task) = &mut self.current {
                if task.as_mut().poll(cx).is_pending() {
                    return;
                }
                self.current = None;
            }
            let Poll::Ready(Some(task)) = self.queue.poll_next_unpin(cx) else { return };
            self.current = Some(task);
        }
    }
}

/// Polls a task on its own thread.
pub(super) fn on_thread(mut task: Task) {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    thread::spawn(move || {
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        while task.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
            thread::park();
        }
    });
}

/// Polls a task each time on a new thread.
pub(super) fn on_threads(task: Task) {
    struct Hop(Mutex<Option<Task>>);
    impl Wake for Hop {
        fn wake(self: Arc<Self>) {
            thread::spawn(move || {
                let waker = Waker::from(Arc::clone(&self));
                let mut task = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(future) = &mut *task
                    && future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready()
                {
                    *task = None;
                }
            });
        }
    }
    Arc::new(Hop(Mutex::new(Some(task)))).wake();
}
