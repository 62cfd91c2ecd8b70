//! The handover of an invocation's outcome, from the innermost service to the worker that owns the connection.
//!
//! ```text
//!             respond()              poll_outcome()             acknowledge()
//!   Open ───────────────► Filled ───────────────────► Taken ───────────────────► Closed
//!     └──────────────────────── close(): there will be no outcome ─────────────────▲
//! ```
//!
//! The service and the worker may share a task or run on different threads: both sides register ordinary wakers, and
//! neither compares them to decide which to wake. The lock is held only to move values; wakers are not cloned, woken or dropped
//! under it, and outcomes are not dropped under it, because all of that runs foreign code.

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

#[cfg(loom)]
use loom::sync::{Arc, Mutex, MutexGuard};
#[cfg(not(loom))]
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The worker's side. Dropping it releases a service that still waits for the acknowledgement.
#[derive(Debug)]
pub(crate) struct Handover<T>(Arc<Shared<T>>);

/// The service's side: the right to hand over the outcome of one invocation. It travels in the invocation's context.
#[derive(Debug)]
pub(crate) struct Responder<T>(Arc<Shared<T>>);

/// Completes when the API has acknowledged the outcome, or can no longer do so.
///
/// The service holds it, so dropping it early means that a layer has dropped the service.
#[must_use = "dropping it abandons the response"]
#[derive(Debug)]
pub(crate) struct Acknowledgement<T>(Arc<Shared<T>>);

#[derive(Debug)]
struct Shared<T>(Mutex<State<T>>);

#[derive(Debug)]
struct State<T> {
    place: Place<T>,
    /// The service was dropped before the acknowledgement.
    abandoned: bool,
    worker: Option<Waker>,
    service: Option<Waker>,
}

/// The state of the handover.
#[derive(Debug)]
enum Place<T> {
    Open,
    Filled(T),
    Taken,
    Closed,
}

impl<T> Shared<T> {
    fn new() -> Self {
        Self(Mutex::new(State { place: Place::Open, abandoned: false, worker: None, service: None }))
    }

    #[cfg(not(loom))]
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(loom)]
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.0.lock().unwrap()
    }

    /// Closes the slot, and returns an outcome that was not taken.
    fn close(&self) -> Option<T> {
        let mut state = self.lock();
        match mem::replace(&mut state.place, Place::Closed) {
            Place::Filled(outcome) => Some(outcome),
            _ => None,
        }
    }

    fn wake_service(&self) {
        let service = self.lock().service.take();
        if let Some(service) = service {
            service.wake();
        }
    }
}

impl<T> Handover<T> {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Shared::new()))
    }

    /// Prepares for the next invocation. A leftover responder of an earlier one keeps its own, closed slot.
    pub(crate) fn open(&mut self) -> Responder<T> {
        match Arc::get_mut(&mut self.0) {
            Some(shared) => *shared = Shared::new(),
            None => self.0 = Arc::new(Shared::new()),
        }
        Responder(Arc::clone(&self.0))
    }

    /// Takes the outcome, or registers the worker to be woken when it arrives.
    pub(crate) fn poll_outcome(&self, cx: &Context<'_>) -> Poll<T> {
        if let Some(outcome) = self.take() {
            return Poll::Ready(outcome);
        }
        let waker = cx.waker().clone();
        let mut state = self.0.lock();
        let before = state.worker.replace(waker);
        let outcome = state.take();
        drop(state);
        drop(before);
        outcome.map_or(Poll::Pending, Poll::Ready)
    }

    fn take(&self) -> Option<T> {
        self.0.lock().take()
    }

    /// Withdraws the registered waker: a worker that is about to poll the service checks for an outcome afterwards
    /// anyway.
    pub(crate) fn forget_waker(&self) {
        let waker = self.0.lock().worker.take();
        drop(waker);
    }

    /// Refuses further outcomes, and returns one that has just arrived.
    pub(crate) fn close(&self) -> Option<T> {
        self.0.close()
    }

    /// The service was dropped before the acknowledgement.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.0.lock().abandoned
    }

    /// Whether a service waits for the acknowledgement in the task of `waker`. Not used to decide which waker to wake.
    pub(crate) fn is_awaited_by(&self, waker: &Waker) -> bool {
        self.0.lock().service.as_ref().is_some_and(|service| service.will_wake(waker))
    }

    /// Completes the acknowledgement without waking the service. The worker polls it next; then it calls
    /// [`wake_service`](Self::wake_service), in case the service is polled elsewhere.
    pub(crate) fn acknowledge(&self) {
        let outcome = self.0.close();
        drop(outcome);
    }

    /// Wakes a service that is still registered.
    pub(crate) fn wake_service(&self) {
        self.0.wake_service();
    }
}

impl<T> Drop for Handover<T> {
    fn drop(&mut self) {
        self.acknowledge();
        self.wake_service();
    }
}

impl<T> State<T> {
    fn take(&mut self) -> Option<T> {
        match mem::replace(&mut self.place, Place::Taken) {
            Place::Filled(outcome) => Some(outcome),
            place => {
                self.place = place;
                None
            }
        }
    }
}

impl<T> Responder<T> {
    /// Hands over the outcome. Only the first one counts; a later one is returned.
    pub(crate) fn respond(self, outcome: T) -> Result<Acknowledgement<T>, T> {
        let mut state = self.0.lock();
        if !matches!(state.place, Place::Open) {
            return Err(outcome);
        }
        state.place = Place::Filled(outcome);
        let worker = state.worker.take();
        drop(state);
        if let Some(worker) = worker {
            worker.wake();
        }
        Ok(Acknowledgement(self.0))
    }
}

impl<T> Clone for Responder<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Future for Acknowledgement<T> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let waker = cx.waker().clone();
        let mut state = self.0.lock();
        let (poll, before) = match state.place {
            Place::Closed => (Poll::Ready(()), state.service.take()),
            _ => (Poll::Pending, state.service.replace(waker)),
        };
        drop(state);
        drop(before);
        poll
    }
}

impl<T> Drop for Acknowledgement<T> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.abandoned = !matches!(state.place, Place::Closed);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::pin::pin;
    use std::sync::Weak;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A task that counts how often it is woken.
    fn task() -> (Waker, impl Fn() -> usize) {
        let woken = Arc::new(Woken::default());
        (Waker::from(Arc::clone(&woken)), move || woken.0.load(Ordering::Relaxed))
    }

    #[test]
    fn each_side_is_woken_by_the_other() {
        let ((service, service_woken), (worker, worker_woken)) = (task(), task());
        let (mut service, worker) = (Context::from_waker(&service), Context::from_waker(&worker));
        let mut handover = Handover::new();
        let responder = handover.open();

        assert_eq!(handover.poll_outcome(&worker), Poll::Pending);
        let mut acknowledgement = responder.respond("response").unwrap();
        assert_eq!(worker_woken(), 1);
        assert!(Pin::new(&mut acknowledgement).poll(&mut service).is_pending());
        assert_eq!(handover.poll_outcome(&worker), Poll::Ready("response"));
        assert!(Pin::new(&mut acknowledgement).poll(&mut service).is_pending());

        handover.acknowledge();
        assert_eq!(service_woken(), 0, "a service that is polled next needs no wake-up");
        handover.wake_service();
        assert_eq!(service_woken(), 1);
        assert!(Pin::new(&mut acknowledgement).poll(&mut service).is_ready());
        handover.wake_service();
        assert_eq!((service_woken(), worker_woken()), (1, 1));
        assert!(!handover.is_abandoned());
    }

    #[test]
    fn each_side_is_registered_only_while_it_waits() {
        let ((service, _), (worker, _)) = (task(), task());
        let mut handover = Handover::new();
        let mut acknowledgement = handover.open().respond(1).unwrap();
        assert!(handover.poll_outcome(&Context::from_waker(&worker)).is_ready());
        assert!(handover.0.lock().worker.is_none());

        assert!(!handover.is_awaited_by(&service));
        assert!(Pin::new(&mut acknowledgement).poll(&mut Context::from_waker(&service)).is_pending());
        assert!(handover.is_awaited_by(&service) && !handover.is_awaited_by(&worker));
        handover.acknowledge();
        assert!(Pin::new(&mut acknowledgement).poll(&mut Context::from_waker(&service)).is_ready());
        assert!(!handover.is_awaited_by(&service));
    }

    #[test]
    fn a_worker_that_has_withdrawn_its_waker_is_not_woken() {
        let (worker, woken) = task();
        let mut handover = Handover::new();
        let responder = handover.open();
        assert!(handover.poll_outcome(&Context::from_waker(&worker)).is_pending());
        handover.forget_waker();
        let _acknowledgement = responder.respond(1).unwrap();
        assert_eq!(woken(), 0);
    }

    #[test]
    fn a_second_outcome_is_refused() {
        let mut handover = Handover::new();
        let responder = handover.open();
        let _first = responder.clone().respond(1).unwrap();
        assert_eq!(responder.clone().respond(2).unwrap_err(), 2);
        assert_eq!(handover.close(), Some(1));
        assert_eq!(responder.respond(3).unwrap_err(), 3);
    }

    #[test]
    fn a_dropped_acknowledgement_is_noticed_until_it_completes() {
        let mut handover = Handover::new();
        drop(handover.open().respond(1).unwrap());
        assert!(handover.is_abandoned());
        assert_eq!(handover.close(), Some(1), "the outcome was not taken");

        let acknowledgement = handover.open().respond(2).unwrap();
        assert!(!handover.is_abandoned());
        handover.acknowledge();
        drop(acknowledgement);
        assert!(!handover.is_abandoned());
    }

    #[test]
    fn a_dropped_worker_releases_the_service() {
        let (service, woken) = task();
        let mut service = Context::from_waker(&service);
        let mut handover = Handover::new();
        let mut acknowledgement = pin!(handover.open().respond(1).unwrap());
        assert!(acknowledgement.as_mut().poll(&mut service).is_pending());
        drop(handover);
        assert_eq!(woken(), 1);
        assert!(acknowledgement.poll(&mut service).is_ready());
    }

    #[test]
    fn a_responder_of_an_earlier_invocation_has_no_effect() {
        let mut handover = Handover::new();
        let earlier = handover.open();
        handover.acknowledge();
        let place = Arc::as_ptr(&handover.0);
        let _later = handover.open();
        assert_ne!(Arc::as_ptr(&handover.0), place);
        assert_eq!(earlier.respond(1).unwrap_err(), 1);
        assert!(handover.poll_outcome(&Context::from_waker(Waker::noop())).is_pending());
    }

    #[test]
    fn the_slot_is_reused_unless_a_responder_keeps_it() {
        let mut handover = Handover::new();
        let place = Arc::as_ptr(&handover.0);
        for n in 0..3 {
            let acknowledgement = handover.open().respond(n).unwrap();
            assert_eq!(handover.poll_outcome(&Context::from_waker(Waker::noop())), Poll::Ready(n));
            handover.acknowledge();
            drop(acknowledgement);
            assert_eq!(Arc::as_ptr(&handover.0), place);
        }
    }

    /// Takes the lock whenever foreign code could run: as a waker and as an outcome.
    #[derive(Debug)]
    struct Foreign(Weak<Shared<Arc<Foreign>>>);

    impl Foreign {
        fn run(&self) {
            if let Some(shared) = self.0.upgrade() {
                assert!(shared.0.try_lock().is_ok(), "foreign code runs under the lock");
            }
        }
    }

    impl Wake for Foreign {
        fn wake(self: Arc<Self>) {
            self.run();
        }
    }

    impl Drop for Foreign {
        fn drop(&mut self) {
            self.run();
        }
    }

    #[test]
    fn no_foreign_code_runs_under_the_lock() {
        let mut handover = Handover::new();
        let responder = handover.open();
        let foreign = || Arc::new(Foreign(Arc::downgrade(&handover.0)));
        // Each waker exists once: it is dropped where it is replaced or used.
        let poll_worker =
            |handover: &Handover<_>| handover.poll_outcome(&Context::from_waker(&Waker::from(foreign()))).is_ready();
        assert!(!poll_worker(&handover));
        assert!(!poll_worker(&handover), "replaces the waker");
        handover.forget_waker();
        assert!(!poll_worker(&handover));
        let mut acknowledgement = responder.clone().respond(foreign()).unwrap();
        drop(responder.respond(foreign()));
        let mut poll_service =
            || Pin::new(&mut acknowledgement).poll(&mut Context::from_waker(&Waker::from(foreign()))).is_ready();
        assert!(!poll_service());
        assert!(!poll_service(), "replaces the waker");
        handover.acknowledge();
        assert!(poll_service());
        handover.wake_service();
    }
}
