//! A timer that works on any executor.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::thread;
use std::time::Duration;

use futures_channel::oneshot;

/// Completes after a delay.
#[derive(Debug)]
pub(super) struct Timer(oneshot::Receiver<()>);

impl Timer {
    pub(super) fn after(delay: Duration) -> Self {
        let (sender, receiver) = oneshot::channel();
        thread::spawn(move || {
            thread::sleep(delay);
            let _ = sender.send(());
        });
        Self(receiver)
    }
}

impl Future for Timer {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let _ = ready!(Pin::new(&mut self.0).poll(cx));
        Poll::Ready(())
    }
}
