//! A sleep, on the timer of the executor that polls it.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use async_io::Timer;

/// Completes at an instant. See [`Smol`](crate::Smol).
#[derive(Debug)]
pub struct Sleep {
    /// `None` if the instant is further away than the clock can represent.
    until: Option<Instant>,
    /// Polled within the crate's own `block_on`.
    #[cfg(unix)]
    own: Option<lambda_runtime_blocking::Sleep>,
    /// Polled elsewhere.
    timer: Option<Timer>,
}

impl Sleep {
    pub(crate) fn new(duration: Duration) -> Self {
        Self {
            until: Instant::now().checked_add(duration),
            #[cfg(unix)]
            own: None,
            timer: None,
        }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(until) = self.until else { return Poll::Pending };
        #[cfg(unix)]
        if lambda_runtime_blocking::is_blocking_on() {
            let own = self.own.get_or_insert_with(|| lambda_runtime_blocking::Sleep::until(until));
            return Pin::new(own).poll(cx);
        }
        let timer = self.timer.get_or_insert_with(|| Timer::at(until));
        Pin::new(timer).poll(cx).map(drop)
    }
}
