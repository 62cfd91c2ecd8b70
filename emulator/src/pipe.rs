//! The path of a response from the runtime's connection to the caller.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard};
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
    /// The reader is gone: data is discarded.
    abandoned: bool,
}

/// While this many bytes wait for the reader, the response is not read any further.
const CAPACITY: usize = 64 * 1024;

impl Pipe {
    /// Starts a streamed response.
    pub(crate) fn start(&self, head: ResponseHead) {
        self.flow().head = Some(head);
        self.changed.notify_all();
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
            self.changed.notify_all();
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
        self.changed.notify_all();
    }

    /// Stores the trailers of a response, unless the invocation has ended.
    pub(crate) fn put_trailers(&self, trailers: HeaderMap) {
        let mut flow = self.flow();
        if flow.end.is_none() {
            flow.trailers = trailers;
        }
    }

    /// Ends the invocation. Later ends are ignored.
    pub(crate) fn end(&self, end: Result<End, Error>) {
        self.flow().end.get_or_insert(end);
        self.changed.notify_all();
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
            if let Some(chunk) = flow.chunks.pop_front() {
                flow.buffered -= chunk.data.len();
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
        let first = self.next().map(|chunk| chunk.data).unwrap_or_default();
        let mut body = BytesMut::from(first);
        while let Some(chunk) = self.next() {
            body.extend_from_slice(&chunk.data);
        }
        let flow = self.flow();
        let end = flow.end.clone().unwrap_or(Err(Error::Stopped))?;
        Ok(Outcome::new(flow.head.clone(), body.freeze(), flow.trailers.clone(), end))
    }

    /// The reader is gone.
    pub(crate) fn abandon(&self) {
        let mut flow = self.flow();
        flow.abandoned = true;
        flow.chunks.clear();
        flow.buffered = 0;
        self.changed.notify_all();
    }

    fn flow(&self) -> MutexGuard<'_, Flow> {
        lock(&self.flow)
    }
}
