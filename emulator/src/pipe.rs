//! The path of a response from the runtime's connection to the caller.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::mem;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::task::{Poll, Waker};
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;

use crate::lock::{lock, wait as wait_on};
use crate::{End, Error, Outcome, ResponseHead};

/// Part of a response's body, as it was read from the function: not necessarily one chunk of the function's.
#[derive(Debug, Clone)]
pub struct Chunk {
    /// The bytes; never empty.
    pub data: Bytes,
    /// When they arrived. For a buffered response, when it was complete.
    pub at: Instant,
}

/// A bounded pipe: a slow reader makes the writer wait.
#[derive(Debug, Default)]
pub(crate) struct Pipe {
    flow: Mutex<Flow>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Flow {
    head: Option<ResponseHead>,
    chunks: VecDeque<Chunk>,
    /// Bytes in `chunks`.
    buffered: usize,
    trailers: HeaderMap,
    end: Option<Result<End, Error>>,
    /// Whether the reader is gone, so that data is discarded.
    abandoned: bool,
    /// The waker of the task that awaits the outcome.
    waker: Option<Waker>,
}

/// Buffered bytes at which the emulator stops reading a response.
const CAPACITY: usize = 64 * 1024;

impl Pipe {
    /// Starts a streamed response.
    pub(crate) fn start(&self, head: ResponseHead) {
        let mut flow = self.flow();
        flow.head = Some(head);
        self.notify(flow);
    }

    /// Appends to a streamed response, as soon as there is room. `false` once the invocation has ended.
    pub(crate) fn push(&self, data: Bytes) -> bool {
        let at = Instant::now();
        let mut flow = self.flow();
        while flow.buffered >= CAPACITY && flow.end.is_none() && !flow.abandoned {
            flow = wait_on(&self.changed, flow);
        }
        if flow.end.is_some() {
            return false;
        }
        if !flow.abandoned {
            flow.buffered += data.len();
            flow.chunks.push_back(Chunk { data, at });
            self.notify(flow);
        }
        true
    }

    /// Stores a buffered response, unless the invocation has ended.
    pub(crate) fn put(&self, head: ResponseHead, body: Bytes) {
        let mut flow = self.flow();
        if flow.end.is_some() {
            return;
        }
        flow.head = Some(head);
        if !flow.abandoned && !body.is_empty() {
            flow.buffered += body.len();
            flow.chunks.push_back(Chunk { data: body, at: Instant::now() });
        }
        self.notify(flow);
    }

    /// Stores the trailers of a response, unless the invocation has ended.
    pub(crate) fn put_trailers(&self, trailers: HeaderMap) {
        let mut flow = self.flow();
        if flow.end.is_none() {
            flow.trailers = trailers;
        }
    }

    /// Ends the invocation. Later ends are ignored. Call it without a lock, because it may wake a task.
    pub(crate) fn end(&self, end: Result<End, Error>) {
        let mut flow = self.flow();
        flow.end.get_or_insert(end);
        self.notify(flow);
    }

    /// Blocks until the response begins; `None` if the invocation ended without one.
    pub(crate) fn head(&self) -> Option<ResponseHead> {
        let mut flow = self.flow();
        while flow.head.is_none() && flow.end.is_none() {
            flow = wait_on(&self.changed, flow);
        }
        flow.head.clone()
    }

    /// Blocks until there is a chunk; `None` at the end.
    pub(crate) fn next(&self) -> Option<Chunk> {
        let mut flow = self.flow();
        loop {
            if let Some(chunk) = flow.take_chunk() {
                self.changed.notify_all();
                return Some(chunk);
            }
            if flow.end.is_some() {
                return None;
            }
            flow = wait_on(&self.changed, flow);
        }
    }

    /// Blocks until the end; the body of the outcome is the chunks that are left.
    pub(crate) fn wait(&self) -> Result<Outcome, Error> {
        let mut body = BytesMut::new();
        let mut flow = self.flow();
        loop {
            let outcome = flow.collect(&mut body);
            self.changed.notify_all();
            match outcome {
                Some(outcome) => return outcome,
                None => flow = wait_on(&self.changed, flow),
            }
        }
    }

    /// The same, without blocking the thread.
    pub(crate) async fn wait_async(&self) -> Result<Outcome, Error> {
        let mut body = BytesMut::new();
        poll_fn(|cx| {
            let mut flow = self.flow();
            let outcome = flow.collect(&mut body);
            let replaced = if outcome.is_none() { flow.waker.replace(cx.waker().clone()) } else { None };
            drop(flow);
            drop(replaced);
            self.changed.notify_all();
            outcome.map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }

    /// Discards the response, because the reader is gone.
    pub(crate) fn abandon(&self) {
        let mut flow = self.flow();
        flow.abandoned = true;
        flow.chunks.clear();
        flow.buffered = 0;
        self.changed.notify_all();
    }

    /// Wakes all that wait for a change; the task last, because waking it runs foreign code.
    fn notify(&self, mut flow: MutexGuard<'_, Flow>) {
        let waker = flow.waker.take();
        drop(flow);
        self.changed.notify_all();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn flow(&self) -> MutexGuard<'_, Flow> {
        lock(&self.flow)
    }
}

impl Flow {
    fn take_chunk(&mut self) -> Option<Chunk> {
        let chunk = self.chunks.pop_front()?;
        self.buffered -= chunk.data.len();
        Some(chunk)
    }

    /// Moves the chunks to `body`. Returns the outcome at the end, `None` before it.
    fn collect(&mut self, body: &mut BytesMut) -> Option<Result<Outcome, Error>> {
        while let Some(chunk) = self.take_chunk() {
            if body.is_empty() {
                // A buffered response is not copied.
                *body = BytesMut::from(chunk.data);
            } else {
                body.extend_from_slice(&chunk.data);
            }
        }
        let outcome = |end| Outcome::new(self.head.clone(), mem::take(body).freeze(), self.trailers.clone(), end);
        Some(self.end.clone()?.map(outcome))
    }
}
