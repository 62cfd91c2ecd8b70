//! Messages become slices for vectored writes.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::ops::Deref;

use bytes::Bytes;

/// Slices for one vectored write, in order.
#[derive(Debug)]
pub struct Slices<'a> {
    /// The first slices, which are all of them for most messages.
    few: [IoSlice<'a>; Slices::FEW],
    len: usize,
    /// All slices, if there are more than [`Self::FEW`].
    many: Vec<IoSlice<'a>>,
}

impl<'a> Slices<'a> {
    /// The largest number of slices for one write. The rest follows in the next.
    pub const MAX: usize = 18;

    /// Enough for a buffered message and a pipelined request.
    const FEW: usize = 3;

    pub(crate) fn new() -> Self {
        Self { few: [IoSlice::new(&[]); Self::FEW], len: 0, many: Vec::new() }
    }

    /// Returns `false` if all slices are used.
    fn push(&mut self, slice: &'a [u8]) -> bool {
        let slice = IoSlice::new(slice);
        match self.few.get_mut(self.len) {
            Some(free) => *free = slice,
            None if self.len < Self::MAX => {
                if self.many.is_empty() {
                    self.many.reserve_exact(Self::MAX);
                    self.many.extend_from_slice(&self.few);
                }
                self.many.push(slice);
            }
            None => return false,
        }
        self.len += 1;
        true
    }
}

impl<'a> Deref for Slices<'a> {
    type Target = [IoSlice<'a>];

    fn deref(&self) -> &Self::Target {
        if self.many.is_empty() { self.few.get(..self.len).unwrap_or_default() } else { &self.many }
    }
}

/// A message that is being written: a head, and a body that is buffered or chunked. It shares the user's bytes until they
/// are written, and copies only small chunks.
#[derive(Debug)]
pub(crate) struct Outgoing {
    head: Vec<u8>,
    body: Body,
    /// The number of bytes written of `head` and the current `body`.
    sent: usize,
}

#[derive(Debug)]
enum Body {
    Buffered(Bytes),
    /// Boxed, because most messages are not chunked.
    Chunks(Box<Chunks>),
}

/// A chunked body (RFC 9112 section 7.1). Chunks are dropped once they are written.
#[derive(Debug, Default)]
struct Chunks {
    /// Large chunks, each with what precedes it: its size, and other framing and small chunks.
    large: VecDeque<(Vec<u8>, Bytes)>,
    /// The bytes that follow them: framing, small chunks, and at the end the last chunk and the trailer section.
    rest: Vec<u8>,
    /// The number of bytes in `large`.
    queued: usize,
    ended: bool,
    /// Storage for the next `rest`.
    spare: Vec<u8>,
}

impl Chunks {
    /// Shorter chunks are copied: a slice costs as much as copying them, and the number of slices in a write is limited.
    /// Chunks of this size fill a write of 64 KiB with [`Slices::MAX`] slices.
    const LARGE: usize = 8 * 1024;

    fn push(&mut self, data: Bytes) {
        push_hex(&mut self.rest, data.len());
        self.rest.extend_from_slice(b"\r\n");
        if data.len() < Self::LARGE {
            self.rest.extend_from_slice(&data);
        } else {
            self.queued += self.rest.len() + data.len();
            let before = std::mem::replace(&mut self.rest, std::mem::take(&mut self.spare));
            self.large.push_back((before, data));
        }
        self.rest.extend_from_slice(b"\r\n");
    }

    fn len(&self) -> usize {
        self.queued + self.rest.len()
    }
}

fn push_hex(out: &mut Vec<u8>, number: usize) {
    let digits = (usize::BITS - number.leading_zeros()).div_ceil(4).max(1);
    out.extend((0..digits).rev().map(|place| match (number >> (4 * place)) & 0xf {
        digit @ 0..=9 => b'0' + u8::try_from(digit).unwrap_or_default(),
        digit => b'a' + u8::try_from(digit - 10).unwrap_or_default(),
    }));
}

impl Outgoing {
    pub(crate) fn buffered(head: Vec<u8>, body: Bytes) -> Self {
        Self { head, body: Body::Buffered(body), sent: 0 }
    }

    pub(crate) fn chunked(head: Vec<u8>) -> Self {
        Self { head, body: Body::Chunks(Box::default()), sent: 0 }
    }

    /// Appends a chunk. Ignores an empty one, which would be the terminator, and any after the end of the body.
    pub(crate) fn chunk(&mut self, data: Bytes) {
        if let Body::Chunks(chunks) = &mut self.body
            && !chunks.ended
            && !data.is_empty()
        {
            chunks.push(data);
        }
    }

    /// Ends a chunked body with this trailer section, which ends in an empty line.
    pub(crate) fn end(&mut self, trailers: &[u8]) {
        if let Body::Chunks(chunks) = &mut self.body
            && !chunks.ended
        {
            chunks.ended = true;
            chunks.rest.extend_from_slice(b"0\r\n");
            chunks.rest.extend_from_slice(trailers);
        }
    }

    /// Whether this is a chunked body without its end.
    pub(crate) fn is_open(&self) -> bool {
        matches!(&self.body, Body::Chunks(chunks) if !chunks.ended)
    }

    /// The number of unwritten bytes of a chunked body, framing included.
    pub(crate) fn queued(&self) -> usize {
        match &self.body {
            Body::Buffered(_) => 0,
            Body::Chunks(chunks) => chunks.len(),
        }
    }

    /// Whether there is nothing to write at present.
    pub(crate) fn is_drained(&self) -> bool {
        self.head.len()
            + match &self.body {
                Body::Buffered(body) => body.len(),
                Body::Chunks(chunks) => chunks.len(),
            }
            == self.sent
    }

    /// Whether everything is written.
    pub(crate) fn is_sent(&self) -> bool {
        !self.is_open() && self.is_drained()
    }

    pub(crate) fn is_started(&self) -> bool {
        self.sent > 0
    }

    /// Whether the message can be resent from its start, because nothing of it was dropped.
    pub(crate) fn can_rewind(&self) -> bool {
        !self.is_started() || matches!(self.body, Body::Buffered(_))
    }

    /// Prepares to resend the message from its start. Returns `false` if that is not possible.
    pub(crate) fn rewind(&mut self) -> bool {
        let can_rewind = self.can_rewind();
        if can_rewind {
            self.sent = 0;
        }
        can_rewind
    }

    /// Appends the unwritten bytes. Returns `false` if `slices` is full.
    pub(crate) fn slices<'a>(&'a self, slices: &mut Slices<'a>) -> bool {
        let mut skip = self.sent;
        let mut push = |segment: &'a [u8]| match segment.get(skip..) {
            Some(rest) => {
                skip = 0;
                rest.is_empty() || slices.push(rest)
            }
            None => {
                skip -= segment.len();
                true
            }
        };
        push(&self.head)
            && match &self.body {
                Body::Buffered(body) => push(body),
                Body::Chunks(chunks) => {
                    chunks.large.iter().all(|(before, data)| push(before) && push(data)) && push(&chunks.rest)
                }
            }
    }

    /// Reports that the first `n` bytes of [`slices`](Self::slices) were written. Returns how many of them belong to the
    /// next message.
    pub(crate) fn advance(&mut self, n: usize) -> usize {
        match &mut self.body {
            Body::Buffered(body) => {
                let unsent = self.head.len() + body.len() - self.sent;
                self.sent += n.min(unsent);
                n.saturating_sub(unsent)
            }
            Body::Chunks(chunks) => {
                self.sent = self.sent.saturating_add(n);
                let left_over = self.sent.saturating_sub(self.head.len() + chunks.len());
                self.sent -= left_over;
                while let Some((before, data)) = chunks.large.front()
                    && let len = before.len() + data.len()
                    && self.sent >= self.head.len() + len
                {
                    self.sent -= len;
                    chunks.queued -= len;
                    chunks.spare = chunks.large.pop_front().map(|(before, _)| before).unwrap_or_default();
                    chunks.spare.clear();
                }
                if chunks.large.is_empty() {
                    let written = self.sent.saturating_sub(self.head.len());
                    chunks.rest.drain(..written);
                    self.sent -= written;
                }
                left_over
            }
        }
    }

    /// Returns the storage of the head for reuse.
    pub(crate) fn into_head(self) -> Vec<u8> {
        self.head
    }
}

/// A trailer section: its fields and the empty line.
pub(crate) fn trailer_section<'v>(fields: impl IntoIterator<Item = (impl AsRef<str>, &'v [u8])>) -> Vec<u8> {
    let mut section = Vec::new();
    for (name, value) in fields {
        push_field(&mut section, name.as_ref(), value);
    }
    section.extend_from_slice(b"\r\n");
    section
}

/// `Name: value CRLF`.
pub(crate) fn push_field(head: &mut Vec<u8>, name: &str, value: &[u8]) {
    head.extend_from_slice(name.as_bytes());
    head.extend_from_slice(b": ");
    head.extend_from_slice(value);
    head.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything that is written when each write takes `step` bytes.
    fn written(message: &mut Outgoing, step: usize) -> Vec<u8> {
        let mut all = Vec::new();
        for _ in 0..1000 {
            let mut slices = Slices::new();
            message.slices(&mut slices);
            let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).take(step).collect();
            assert_eq!(message.is_drained(), bytes.is_empty());
            if bytes.is_empty() {
                return all;
            }
            all.extend_from_slice(&bytes);
            assert_eq!(message.advance(bytes.len()), 0);
        }
        panic!("the output does not end");
    }

    #[test]
    fn a_chunked_body_is_the_same_in_writes_of_any_size() {
        for step in 1..80 {
            let mut message = Outgoing::chunked(b"HEAD\r\n\r\n".to_vec());
            message.chunk(Bytes::from_static(b"hello"));
            message.chunk(Bytes::new());
            message.chunk(Bytes::from(vec![b'x'; 26]));
            assert_eq!(message.queued(), 5 + 5 + 26 + 6);
            message.end(b"A: b\r\n\r\n");
            message.chunk(Bytes::from_static(b"late"));
            let expected = format!("HEAD\r\n\r\n5\r\nhello\r\n1a\r\n{}\r\n0\r\nA: b\r\n\r\n", "x".repeat(26));
            assert_eq!(written(&mut message, step), expected.as_bytes(), "{step} at a time");
            assert!(message.is_sent());
            assert_eq!(message.queued(), 0);
        }
    }

    #[test]
    fn bytes_written_beyond_a_message_belong_to_the_next() {
        let mut message = Outgoing::buffered(b"HEAD".to_vec(), Bytes::from_static(b"body"));
        assert_eq!(message.advance(6), 0);
        assert_eq!(message.advance(6), 4);
        assert!(message.is_sent());

        let mut message = Outgoing::chunked(b"HEAD".to_vec());
        message.chunk(Bytes::from_static(b"a"));
        message.end(b"\r\n");
        assert_eq!(message.advance(4 + 6 + 5 + 3), 3);
        assert!(message.is_sent());
    }

    #[test]
    fn a_chunked_message_can_be_resent_only_before_its_first_byte() {
        let mut message = Outgoing::buffered(b"HEAD".to_vec(), Bytes::from_static(b"body"));
        message.advance(8);
        assert!(message.rewind());
        assert_eq!(written(&mut message, 100), b"HEADbody");

        let mut message = Outgoing::chunked(b"HEAD".to_vec());
        message.chunk(Bytes::from_static(b"a"));
        assert!(message.rewind());
        message.advance(1);
        assert!(!message.rewind());
    }

    #[test]
    fn one_write_sends_everything_that_is_ready() {
        for size in [1, 100, Chunks::LARGE - 1, Chunks::LARGE] {
            let mut message = Outgoing::chunked(b"HEAD\r\n\r\n".to_vec());
            for _ in 0..(64 * 1024_usize).div_ceil(size) {
                message.chunk(Bytes::from(vec![b'x'; size]));
            }
            message.end(b"\r\n");
            assert!(message.slices(&mut Slices::new()), "chunks of {size} bytes");
        }
    }

    #[test]
    fn a_chunk_is_kept_only_until_it_is_written() {
        let mut message = Outgoing::chunked(b"HEAD\r\n\r\n".to_vec());
        let large = Bytes::from(vec![b'x'; Chunks::LARGE]);
        for round in 0..100 {
            message.chunk(large.clone());
            message.chunk(Bytes::from(vec![b'y'; 1000]));
            // All but the last byte.
            let unwritten = usize::from(round > 0);
            let head = if round == 0 { 8 } else { 0 };
            assert_eq!(message.queued(), unwritten + 6 + Chunks::LARGE + 2 + 5 + 1000 + 2);
            message.advance(head + message.queued() - 1);
            assert_eq!(message.queued(), 1);
        }
        assert!(large.is_unique());
    }

    #[test]
    fn sizes_are_written_in_hex() {
        for (size, expected) in [(0, "0"), (1, "1"), (15, "f"), (16, "10"), (255, "ff"), (65536, "10000")] {
            let mut hex = Vec::new();
            push_hex(&mut hex, size);
            assert_eq!(hex, expected.as_bytes());
        }
    }

    /// The lengths of the slices for one write, and whether they are everything.
    fn slices(message: &Outgoing) -> (Vec<usize>, bool) {
        let mut slices = Slices::new();
        let complete = message.slices(&mut slices);
        (slices.iter().map(|slice| slice.len()).collect(), complete)
    }

    #[test]
    fn only_short_chunks_are_copied() {
        for (size, expected) in [(8191, vec![4, 6 + 8191 + 2]), (8192, vec![4, 6, 8192, 2])] {
            let mut message = Outgoing::chunked(b"HEAD".to_vec());
            message.chunk(Bytes::from(vec![b'x'; size]));
            assert_eq!(slices(&message), (expected, true));
        }
    }

    #[test]
    fn a_write_has_a_limited_number_of_slices() {
        let mut message = Outgoing::chunked(b"HEAD".to_vec());
        for chunk in 1..=20 {
            message.chunk(Bytes::from(vec![b'x'; Chunks::LARGE]));
            // The head, framing and data of each chunk, and the framing that follows.
            let all = 1 + 2 * chunk + 1;
            let (lengths, complete) = slices(&message);
            assert_eq!((lengths.len(), complete), (all.min(Slices::MAX), all <= Slices::MAX), "{chunk} chunks");
        }
        let expected: usize = 4 + message.queued();
        assert_eq!(written(&mut message, usize::MAX).len(), expected);
    }
}
