//! A limit on the bytes that connections buffer together.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The number of bytes that may be buffered at the same time.
#[derive(Debug)]
pub struct Budget {
    limit: usize,
    used: AtomicUsize,
}

/// A part of a [`Budget`], returned when it is dropped.
#[derive(Debug)]
pub struct Reservation {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Budget {
    /// A budget of this many bytes.
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, used: AtomicUsize::new(0) })
    }

    /// An empty reservation.
    pub fn reservation(self: &Arc<Self>) -> Reservation {
        Reservation { budget: Arc::clone(self), bytes: 0 }
    }
}

impl Reservation {
    /// Reserves more bytes; `false` if fewer are left.
    #[must_use = "without a reservation nothing may be buffered"]
    pub fn grow(&mut self, bytes: usize) -> bool {
        let Budget { limit, used } = &*self.budget;
        let grown = |used: usize| used.checked_add(bytes).filter(|used| used <= limit);
        let reserved = used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, grown).is_ok();
        if reserved {
            self.bytes += bytes;
        }
        reserved
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reservations_share_the_limit_and_return_what_they_reserved() {
        let budget = Budget::new(10);
        let (mut first, mut second) = (budget.reservation(), budget.reservation());
        assert!(first.grow(4) && second.grow(6));
        assert!(!first.grow(1) && !second.grow(usize::MAX));
        drop(second);
        assert!(first.grow(6) && !first.grow(1));
    }
}
