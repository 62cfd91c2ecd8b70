//! Bytes received and not yet decoded.

/// One initialised buffer, kept for the connection's life. Undecoded bytes stay contiguous.
///
/// It grows only while a unit that must be contiguous (a head, a chunk's size line, a trailer section) is incomplete;
/// those are capped, so it is too.
#[derive(Debug)]
pub(crate) struct Input {
    buf: Vec<u8>,
    start: usize,
    end: usize,
}

impl Input {
    /// Holds any usual head with a small event.
    const INITIAL: usize = 8 * 1024;
    /// While a long body passes through: fewer reads.
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

    /// Room to read into; never empty. `bulk` asks for the larger size.
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

    /// Forgets everything and gives back what an unusually long head made it hold.
    pub(crate) fn reset(&mut self) {
        self.start = 0;
        self.end = 0;
        if self.buf.len() > Self::BULK {
            self.buf = Vec::new();
        }
    }
}
