//! Where the innermost service leaves the outcome of an invocation, and the worker that owns the connection takes it.
//!
//! Both are polled by one task, in turn, so the lock is never contended. It is a lock all the same because a layer may
//! poll the service on a task of its own.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::HeaderMap;
use lambda_runtime_proto::client::{Response, StreamHead};

use crate::failure::Failure;

/// A stream is asked for more only while fewer bytes than this wait to be written.
pub(crate) const MAX_QUEUED: usize = 64 * 1024;

/// A response is large, and worth what it saves to keep it, from so many bytes on.
const LARGE: usize = 16 * 1024;

/// What comes of an invocation.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// What the handler returned, as JSON.
    Json(Bytes),
    Response(Response),
    Failure(Failure),
    /// Chunks follow, then [`Item::Finish`] or [`Item::Abort`].
    Stream(StreamHead),
}

/// A part of a streamed response.
#[derive(Debug)]
pub(crate) enum Item {
    Chunk(Bytes),
    /// With trailers, if there are any.
    Finish(HeaderMap),
    Abort(Failure),
}

impl Item {
    /// What it counts for in the queue. Even an empty chunk counts, so that a stream of nothing but those comes to a
    /// stop.
    fn weight(&self) -> usize {
        match self {
            Item::Chunk(data) => data.len().saturating_add(8),
            Item::Finish(_) | Item::Abort(_) => 0,
        }
    }
}

/// One worker's place of handing over, for one invocation after the other.
#[derive(Debug, Clone, Default)]
pub(crate) struct Slot(Arc<Mutex<State>>);

/// The right to fill a slot for one invocation. It travels in the invocation's extensions.
#[derive(Debug, Clone)]
pub(crate) struct Hand {
    slot: Slot,
    serial: u64,
}

#[derive(Debug, Default)]
struct State {
    /// The invocation that may fill the slot; hands of earlier ones are void.
    serial: u64,
    taken: bool,
    outcome: Option<Outcome>,
    /// The last response, if it is large: it was allocated while the event was there, so its memory lies behind that of
    /// the event. As long as it does, an allocator that gives the end of its heap back to the kernel, as glibc's does
    /// after each large event, keeps what the next event needs.
    kept: Bytes,
    items: VecDeque<Item>,
    /// Bytes of chunks that are not written yet: in `items`, and behind them.
    queued: usize,
    settled: bool,
    /// Nothing more will be left or pushed.
    ended: bool,
    service: Option<Waker>,
    /// The service waits for room in the queue, and not only for the end.
    wants_room: bool,
    worker: Option<Waker>,
    /// The service is polled by the worker's own task and can go on.
    service_can_go_on: bool,
}

/// What changes the state returns who is to be woken when the lock is released: a waker may do anything.
impl State {
    #[must_use]
    fn leave(&mut self, outcome: Outcome, cx: &Context<'_>) -> Option<Waker> {
        self.taken = true;
        self.ended = !matches!(outcome, Outcome::Stream(_));
        self.outcome = Some(outcome);
        self.worker_to_wake(cx)
    }

    #[must_use]
    fn push(&mut self, item: Item, cx: &Context<'_>) -> Option<Waker> {
        if self.ended || self.settled {
            return None;
        }
        self.queued = self.queued.saturating_add(item.weight());
        self.ended = !matches!(item, Item::Chunk(_));
        self.items.push_back(item);
        self.worker_to_wake(cx)
    }

    /// Lets the service go on.
    #[must_use]
    fn service_to_wake(&mut self, cx: &Context<'_>) -> Option<Waker> {
        let waker = self.service.take()?;
        self.service_can_go_on |= waker.will_wake(cx.waker());
        Some(waker).filter(|_| !self.service_can_go_on)
    }

    /// Lets the worker go on. Where one task polls both, the worker's turn is next anyway.
    #[must_use]
    fn worker_to_wake(&mut self, cx: &Context<'_>) -> Option<Waker> {
        self.worker.take().filter(|waker| !waker.will_wake(cx.waker()))
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

fn register(place: &mut Option<Waker>, cx: &Context<'_>) {
    match place {
        Some(waker) => waker.clone_from(cx.waker()),
        None => *place = Some(cx.waker().clone()),
    }
}

/// The worker's side.
impl Slot {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Empties the slot for the next invocation.
    pub(crate) fn open(&self) -> Hand {
        let mut state = self.state();
        let serial = state.serial.wrapping_add(1);
        let kept = std::mem::take(&mut state.kept);
        *state = State { serial, kept, ..State::default() };
        drop(state);
        Hand { slot: self.clone(), serial }
    }

    pub(crate) fn poll_outcome(&self, cx: &Context<'_>) -> Poll<Outcome> {
        let mut state = self.state();
        match state.outcome.take() {
            Some(outcome) => {
                state.kept = match &outcome {
                    Outcome::Json(json) if json.len() >= LARGE => json.clone(),
                    _ => Bytes::new(),
                };
                Poll::Ready(outcome)
            }
            None => {
                register(&mut state.worker, cx);
                Poll::Pending
            }
        }
    }

    pub(crate) fn poll_item(&self, cx: &Context<'_>) -> Poll<Item> {
        let mut state = self.state();
        match state.items.pop_front() {
            Some(item) => Poll::Ready(item),
            None => {
                register(&mut state.worker, cx);
                Poll::Pending
            }
        }
    }

    /// So many bytes of the chunks taken are not written yet.
    pub(crate) fn set_unwritten(&self, unwritten: usize, cx: &Context<'_>) {
        let mut state = self.state();
        state.queued = state.items.iter().map(Item::weight).sum::<usize>().saturating_add(unwritten);
        if state.queued < MAX_QUEUED && std::mem::take(&mut state.wants_room) {
            let service = state.service_to_wake(cx);
            drop(state);
            wake(service);
        }
    }

    /// Whether the service waited for what has happened since, and is to be polled again in this turn.
    pub(crate) fn service_can_go_on(&self) -> bool {
        std::mem::take(&mut self.state().service_can_go_on)
    }

    /// The API has acknowledged the outcome, or nothing can change it any more.
    pub(crate) fn settle(&self, cx: &Context<'_>) {
        let mut state = self.state();
        state.settled = true;
        // What the API did not want is not kept until the next invocation.
        let unwanted = std::mem::take(&mut state.items);
        let service = state.service_to_wake(cx);
        drop(state);
        drop(unwanted);
        wake(service);
    }
}

/// The service's side.
impl Hand {
    fn state(&self) -> Option<MutexGuard<'_, State>> {
        Some(self.slot.state()).filter(|state| state.serial == self.serial)
    }

    /// Leaves the outcome. Only the first counts; returns whether this is it.
    pub(crate) fn leave(&self, outcome: Outcome, cx: &Context<'_>) -> bool {
        let Some(mut state) = self.state().filter(|state| !state.taken) else { return false };
        let worker = state.leave(outcome, cx);
        drop(state);
        wake(worker);
        true
    }

    /// The service is done, with this result. If it left nothing, or not all of its stream, that is a failure.
    /// Returns the failure if it comes too late to be reported.
    pub(crate) fn conclude(&self, result: Result<(), Failure>, cx: &Context<'_>) -> Result<(), Failure> {
        let Some(mut state) = self.state() else { return result };
        let failure = match result {
            result if state.ended || state.settled => return result,
            Err(failure) => failure,
            Ok(()) => Failure::runtime(
                "Runtime.NoResponse",
                "a layer completed the invocation before the handler's response was there or complete",
            ),
        };
        let worker = match state.taken {
            true => state.push(Item::Abort(failure), cx),
            false => state.leave(Outcome::Failure(failure), cx),
        };
        drop(state);
        wake(worker);
        Ok(())
    }

    /// Waits until there is room for a chunk. `Ready(false)` when the response is settled: nobody wants more. Where
    /// there is room, the end will be heard all the same.
    pub(crate) fn poll_room(&self, cx: &Context<'_>) -> Poll<bool> {
        let Some(mut state) = self.state().filter(|state| !state.settled) else { return Poll::Ready(false) };
        register(&mut state.service, cx);
        if state.queued < MAX_QUEUED {
            return Poll::Ready(true);
        }
        state.wants_room = true;
        Poll::Pending
    }

    /// Continues a streamed response.
    pub(crate) fn push(&self, item: Item, cx: &Context<'_>) {
        let worker = self.state().and_then(|mut state| state.push(item, cx));
        wake(worker);
    }

    /// Waits until the outcome is settled.
    pub(crate) fn poll_settled(&self, cx: &Context<'_>) -> Poll<()> {
        let Some(mut state) = self.state().filter(|state| !state.settled) else { return Poll::Ready(()) };
        register(&mut state.service, cx);
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn a_failure_behind_a_stream_that_the_api_has_ended_comes_too_late() {
        let cx = Context::from_waker(Waker::noop());
        let slot = Slot::default();
        let hand = slot.open();
        let head = StreamHead::Plain { content_type: http::HeaderValue::from_static("text/plain") };
        assert!(hand.leave(Outcome::Stream(head), &cx));
        slot.settle(&cx);
        let late = Failure::runtime("Runtime.Late", "nobody listens");
        assert_eq!(hand.conclude(Err(late), &cx).unwrap_err().to_string(), "Runtime.Late: nobody listens");
    }

    #[test]
    fn a_service_on_a_task_of_its_own_hears_of_room_and_of_the_end() {
        let woken = Arc::new(Woken::default());
        let service = Waker::from(Arc::clone(&woken));
        let (service, worker) = (Context::from_waker(&service), Context::from_waker(Waker::noop()));
        let count = || woken.0.load(Ordering::Relaxed);
        let slot = Slot::default();
        let hand = slot.open();

        assert_eq!(hand.poll_room(&service), Poll::Ready(true));
        slot.set_unwritten(MAX_QUEUED, &worker);
        assert_eq!(hand.poll_room(&service), Poll::Pending);
        assert_eq!(count(), 0, "there is no room yet");
        slot.set_unwritten(MAX_QUEUED - 1, &worker);
        assert_eq!(count(), 1, "there is room");

        // It has nothing to send at present, and waits for something else.
        assert_eq!(hand.poll_room(&service), Poll::Ready(true));
        slot.set_unwritten(0, &worker);
        assert_eq!(count(), 1, "it did not ask for room");
        slot.settle(&worker);
        assert_eq!(count(), 2, "it is over");
        assert_eq!(hand.poll_room(&service), Poll::Ready(false));
    }

    #[test]
    fn a_large_response_is_kept_until_the_next_one() {
        let cx = Context::from_waker(Waker::noop());
        let slot = Slot::default();
        let answer = |length: usize| {
            assert!(slot.open().leave(Outcome::Json(vec![b' '; length].into()), &cx));
            let Poll::Ready(Outcome::Json(json)) = slot.poll_outcome(&cx) else { panic!("no outcome") };
            slot.settle(&cx);
            json
        };
        let large = answer(LARGE);
        let next = slot.open();
        assert!(!large.is_unique());
        drop(next);
        assert!(answer(LARGE - 1).is_unique());
        assert!(large.is_unique());
    }
}
