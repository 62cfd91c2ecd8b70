//! Tasks, each on its own thread.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::thread;

use futures_channel::oneshot;
use lambda_runtime_base::{Spawn, catch_panic};

use crate::{Blocking, block_on};

impl Spawn for Blocking {
    type Task<T: Send + 'static> = Task<T>;

    fn spawn<T: Send + 'static>(&self, task: impl Future<Output = T> + Send + 'static) -> Task<T> {
        let (mut sender, result) = oneshot::channel();
        let thread = thread::Builder::new().spawn(move || {
            let mut task = pin!(catch_panic(task));
            let ended = block_on(poll_fn(|cx| match sender.poll_canceled(cx) {
                Poll::Ready(()) => Poll::Ready(None),
                Poll::Pending => task.as_mut().poll(cx).map(Some),
            }));
            if let Some(result) = ended {
                // The receiver may have been dropped meanwhile.
                let _ = sender.send(result);
            }
        });
        Task(thread.map(|_| result).map_err(|error| format!("its thread cannot be started: {error}")))
    }
}

/// A task on its own thread, as a [`Spawn::Task`]. Dropping it cancels the task the next time that it waits.
#[derive(Debug)]
pub struct Task<T>(Result<oneshot::Receiver<Result<T, String>>, String>);

impl<T> Future for Task<T> {
    type Output = Result<T, String>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Ok(result) => Pin::new(result).poll(cx).map(|result| result.unwrap_or_else(|error| Err(error.to_string()))),
            Err(error) => Poll::Ready(Err(std::mem::take(error))),
        }
    }
}
