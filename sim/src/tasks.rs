//! Tasks, and the order in which they are polled.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Wake, Waker};

use fastrand::Rng;

/// A task that was spawned and not polled yet.
pub struct NewTask {
    pub id: usize,
    pub future: Pin<Box<dyn Future<Output = ()> + Send>>,
}

/// The tasks of a sandbox.
pub struct Tasks {
    slots: Vec<Option<Slot>>,
    ready: Arc<Ready>,
}

struct Slot {
    future: Pin<Box<dyn Future<Output = ()>>>,
    waker: Waker,
}

/// Tasks that were woken. Its lock is the only one that a waker takes.
#[derive(Debug, Default)]
struct Ready {
    tasks: Mutex<Vec<usize>>,
    /// Every wake-up since the last call of [`Tasks::take_wakeups`], if they are recorded.
    wakeups: Option<Mutex<Vec<usize>>>,
}

struct TaskWaker {
    id: usize,
    ready: Arc<Ready>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ready.wake(self.id);
    }
}

impl Ready {
    fn wake(&self, id: usize) {
        let mut ready = lock(&self.tasks);
        if !ready.contains(&id) {
            ready.push(id);
        }
        if let Some(wakeups) = &self.wakeups {
            lock(wakeups).push(id);
        }
    }
}

fn lock(tasks: &Mutex<Vec<usize>>) -> MutexGuard<'_, Vec<usize>> {
    tasks.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Tasks {
    pub fn new(records_wakeups: bool) -> Self {
        let wakeups = records_wakeups.then(Mutex::default);
        Self { slots: Vec::new(), ready: Arc::new(Ready { tasks: Mutex::default(), wakeups }) }
    }

    /// Takes the recorded wake-ups.
    pub fn take_wakeups(&self) -> Vec<usize> {
        self.ready.wakeups.as_ref().map(|wakeups| std::mem::take(&mut *lock(wakeups))).unwrap_or_default()
    }

    /// Adds a task, which is ready.
    pub fn add(&mut self, id: usize, future: Pin<Box<dyn Future<Output = ()>>>) {
        let waker = Waker::from(Arc::new(TaskWaker { id, ready: Arc::clone(&self.ready) }));
        self.slots.resize_with(self.slots.len().max(id + 1), || None);
        self.slots[id] = Some(Slot { future, waker });
        self.ready.wake(id);
    }

    pub fn cancel(&mut self, id: usize) {
        if let Some(slot) = self.slots.get_mut(id) {
            let slot = slot.take();
            drop(slot);
        }
    }

    pub fn has_ready(&self) -> bool {
        !lock(&self.ready.tasks).is_empty()
    }

    /// Takes one of the tasks that were woken.
    pub fn next(&mut self, rng: &mut Rng) -> Option<usize> {
        let mut ready = lock(&self.ready.tasks);
        match ready.len() {
            0 => None,
            1 => ready.pop(),
            n => Some(ready.swap_remove(rng.usize(..n))),
        }
    }

    /// Wakes a task for no reason.
    pub fn wake_any(&mut self, rng: &mut Rng) {
        if !self.slots.is_empty() {
            self.ready.wake(rng.usize(..self.slots.len()));
        }
    }

    /// Polls a task. Returns whether it is complete; then it is dropped.
    pub fn poll(&mut self, id: usize) -> bool {
        let Some(slot) = self.slots.get_mut(id).and_then(Option::as_mut) else { return false };
        let complete = slot.future.as_mut().poll(&mut Context::from_waker(&slot.waker)).is_ready();
        if complete {
            self.cancel(id);
        }
        complete
    }
}
