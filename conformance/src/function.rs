//! The function that the scenarios invoke, and how it is started and stopped.

mod handler;
mod hooks;
mod instance;
mod layer;
mod moves;
mod signal;
mod timer;

pub use handler::{HandlerResult, Payload, handle};
pub use hooks::{FailingHooks, initialization};
pub(crate) use instance::{CHILD, Instance, Launcher, run_as_child};
pub use layer::{FaultyLayer, FaultyService};
pub use moves::Task;

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use futures_channel::oneshot;
use lambda_runtime_base::{Address, Error};

use crate::Dimension;
use moves::Driver;

/// Runs the suite's function, [`handle`], in one of an executor's configurations until it ends.
pub type Start = fn(Dimension, Function) -> Result<(), Error>;

/// One start of the suite's function: the address of its API, its layer, and its end.
pub struct Function {
    address: Address,
    layer: FaultyLayer,
    before: Driver,
    after: Driver,
    stop: oneshot::Receiver<()>,
}

impl Function {
    pub(crate) fn new(address: Address, stop: oneshot::Receiver<()>) -> Self {
        let (before_queue, before) = moves::driver();
        let (after_queue, after) = moves::driver();
        Self { address, layer: FaultyLayer::new(before_queue, after_queue), before, after, stop }
    }

    /// The address of the API.
    pub fn address(&self) -> Address {
        self.address.clone()
    }

    /// The layer that scenarios control. `spawn` starts a task of the executor's own.
    pub fn layer(&self, spawn: fn(Task)) -> FaultyLayer {
        self.layer.clone().spawn_with(spawn)
    }

    /// Polls `run` until it ends or the suite stops it. The same task polls the futures that the layer moves out of
    /// `run`.
    ///
    /// # Errors
    ///
    /// Those of `run`.
    pub async fn drive(mut self, run: impl Future<Output = Result<(), Error>>) -> Result<(), Error> {
        let mut run = pin!(run);
        poll_fn(|cx| {
            // The sender is dropped only together with the process.
            if let Poll::Ready(Ok(())) = pin!(&mut self.stop).poll(cx) {
                return Poll::Ready(Ok(()));
            }
            self.before.poll(cx);
            let ended = run.as_mut().poll(cx);
            self.after.poll(cx);
            ended
        })
        .await
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Function").field("address", &self.address).finish_non_exhaustive()
    }
}
