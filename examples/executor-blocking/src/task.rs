//! A thread for each task.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;

use lambda_runtime_base::{Spawn, catch_panic};

use crate::{Blocking, block_on};

impl Spawn for Blocking {
    type Task<T: Send + 'static> = Task<T>;

    fn spawn<T: Send + 'static>(&self, task: impl Future<Output = T> + Send + 'static) -> Task<T> {
        let end = Arc::new(End::default());
        let on_thread = Arc::clone(&end);
        let thread = thread::Builder::new().spawn(move || {
            let result = block_on(catch_panic(task));
            on_thread.come(result.unwrap_or_else(|error| Err(error.to_string())));
        });
        if let Err(error) = thread {
            end.come(Err(format!("there is no thread for it: {error}")));
        }
        Task(end)
    }
}

/// A task on a thread of its own, as a [`Spawn::Task`].
pub struct Task<T>(Arc<End<T>>);

impl<T> Future for Task<T> {
    type Output = Result<T, String>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        match state.result.take() {
            Some(result) => Poll::Ready(result),
            None => {
                state.waiting = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

/// Where a thread leaves its result, and who waits for it.
struct End<T>(Mutex<State<T>>);

struct State<T> {
    result: Option<Result<T, String>>,
    waiting: Option<Waker>,
}

impl<T> Default for End<T> {
    fn default() -> Self {
        Self(Mutex::new(State { result: None, waiting: None }))
    }
}

impl<T> End<T> {
    fn come(&self, result: Result<T, String>) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.result = Some(result);
        if let Some(waker) = state.waiting.take() {
            waker.wake();
        }
    }
}
