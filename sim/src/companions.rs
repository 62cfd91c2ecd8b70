//! Futures that are polled in the task of `run`, with its waker, as by `join!` or `select!`.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Waker};

use futures_channel::oneshot;
use lambda_runtime_base::BoxFuture;

/// The futures next to `run`.
#[derive(Clone, Default)]
pub struct Companions(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    added: Vec<BoxFuture<'static, ()>>,
    task: Option<Waker>,
}

/// Whether companions are polled before `run` or after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    BeforeRun,
    AfterRun,
}

impl Companions {
    /// Moves a future next to `run`. The returned receiver gets its output.
    pub fn add<T: Send + 'static>(&self, future: impl Future<Output = T> + Send + 'static) -> oneshot::Receiver<T> {
        let (sender, receiver) = oneshot::channel();
        let companion = Box::pin(async {
            let _ = sender.send(future.await);
        });
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.added.push(companion);
        let task = state.task.take();
        drop(state);
        if let Some(task) = task {
            task.wake();
        }
        receiver
    }

    /// Polls `run` and the companions until `run` ends.
    pub async fn join<T>(self, place: Place, mut run: Pin<Box<dyn Future<Output = T>>>) -> T {
        let mut polled = Vec::new();
        let mut poll_companions = move |cx: &mut Context<'_>| {
            let waker = cx.waker().clone();
            let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            polled.append(&mut state.added);
            let before = state.task.replace(waker);
            drop(state);
            drop(before);
            polled.retain_mut(|companion: &mut BoxFuture<'static, ()>| companion.as_mut().poll(cx).is_pending());
        };
        poll_fn(|cx| {
            if place == Place::BeforeRun {
                poll_companions(cx);
            }
            let ended = run.as_mut().poll(cx);
            if place == Place::AfterRun && ended.is_pending() {
                poll_companions(cx);
            }
            ended
        })
        .await
    }
}
