//! Received bytes that are not decoded yet.

/// One initialised buffer, reused for the life of the connection. Its bytes are contiguous.
///
/// It grows only while a unit that must be contiguous (a head, a chunk's size line, a trailer section) is incomplete.
/// These are limited, and so is the buffer.
#[derive(Debug)]
pub(crate) struct Input {
    buf: Vec<u8>,
    start: usize,
    end: usize,
}

impl Input {
    /// Enough for a typical head with a small event.
    const INITIAL: usize = 8 * 1024;
    /// For a large body, with fewer reads.
    const BULK: usize = 64 * 1024;

    pub(crate) fn new() -> Self {
        Self { buf: Vec::new(), start: 0, end: 0 }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.buf.get(self.start..self.end).unwrap_or_default()
    }

    pub(crate) fn consume(&mut self, n: usize) {
        self.start = self.end.min(self.start.saturating_add(n));
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
        }
    }

    /// Returns the buffer to read into, which is never empty. `bulk` requests the larger size.
    pub(crate) fn space(&mut self, bulk: bool) -> &mut [u8] {
        let wanted = if bulk { Self::BULK } else { Self::INITIAL };
        if self.end == self.buf.len() && self.start > 0 {
            self.buf.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.end == self.buf.len() || (self.end == 0 && self.buf.len() < wanted) {
            self.buf.resize(wanted.max(self.buf.len().saturating_mul(2)), 0);
        }
        self.buf.get_mut(self.end..).unwrap_or_default()
    }

    pub(crate) fn filled(&mut self, n: usize) {
        self.end = self.buf.len().min(self.end.saturating_add(n));
    }

    /// Discards everything, and frees the memory of an unusually long head.
    pub(crate) fn reset(&mut self) {
        self.start = 0;
        self.end = 0;
        if self.buf.len() > Self::BULK {
            self.buf = Vec::new();
        }
    }
}
