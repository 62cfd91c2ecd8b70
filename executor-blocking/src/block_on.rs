//! Running a future on the calling thread.

use std::future::Future;
use std::pin::pin;
use std::task::Poll;

use crate::reactor::Reactor;

/// Runs a future to completion on the calling thread.
///
/// While the future waits for nothing but a reply of the Runtime API, the thread blocks in `recv`. Otherwise it blocks in
/// `poll` until a socket is ready, a [sleep](crate::Blocking) is over, or the future's waker is woken, by this or any other
/// thread.
///
/// ```
/// let (sender, receiver) = futures_channel::oneshot::channel();
/// std::thread::spawn(move || sender.send("from another thread"));
/// assert_eq!(lambda_runtime_blocking::block_on(receiver), Ok("from another thread"));
/// ```
pub fn block_on<F: Future>(future: F) -> F::Output {
    let reactor = Reactor::new();
    let _entered = reactor.enter();
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = reactor.turn(|cx| future.as_mut().poll(cx)) {
            return output;
        }
        reactor.wait();
    }
}
