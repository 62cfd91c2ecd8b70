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
        if self.end == self.buf.len() {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Receives as many bytes as there is room for.
    fn fill(input: &mut Input) -> usize {
        let space = input.space(false);
        let n = space.len();
        space.iter_mut().zip((0..=u8::MAX).cycle()).for_each(|(byte, value)| *byte = value);
        input.filled(n);
        n
    }

    #[test]
    fn consumed_bytes_make_room_in_a_full_buffer() {
        let mut input = Input::new();
        let n = fill(&mut input);
        let last = input.bytes().get(n - 3..).unwrap().to_vec();
        input.consume(n - 3);
        assert_eq!(input.space(false).len(), n - 3);
        assert_eq!(input.bytes(), last);
    }

    #[test]
    fn bytes_are_not_moved_while_there_is_room() {
        let mut input = Input::new();
        let n = input.space(false).len();
        input.filled(10);
        input.consume(4);
        assert_eq!(input.space(false).len(), n - 10);
        assert_eq!(input.bytes().len(), 6);
    }

    #[test]
    fn a_full_buffer_doubles() {
        let mut input = Input::new();
        let n = fill(&mut input);
        assert_eq!(input.space(false).len(), n);
        assert_eq!(input.bytes().len(), n);
    }

    #[test]
    fn the_first_read_is_of_8_or_64_kibibytes() {
        let mut input = Input::new();
        assert_eq!(input.space(false).len(), 8 * 1024);
        assert_eq!(input.space(true).len(), 64 * 1024);
        assert_eq!(input.space(false).len(), 64 * 1024, "storage is reused");

        let mut input = Input::new();
        assert_eq!(input.space(false).len(), 8 * 1024);
        input.filled(1);
        assert_eq!(input.space(true).len(), 8 * 1024 - 1, "a message that has begun is not moved");
    }

    #[test]
    fn filling_and_consuming_too_much_has_no_effect_on_other_bytes() {
        let mut input = Input::new();
        input.space(false);
        input.filled(usize::MAX);
        assert_eq!(input.bytes().len(), 8 * 1024);
        input.consume(usize::MAX);
        assert!(input.bytes().is_empty());
    }

    #[test]
    fn a_reset_discards_the_bytes_and_the_storage_of_a_long_head() {
        let mut input = Input::new();
        fill(&mut input);
        input.reset();
        assert!(input.bytes().is_empty());
        assert_eq!(input.space(false).len(), 8 * 1024);
        for (storage, kept) in [(Input::BULK, Input::BULK), (2 * Input::BULK, Input::INITIAL)] {
            while input.bytes().len() < storage {
                fill(&mut input);
            }
            input.reset();
            assert_eq!(input.space(false).len(), kept);
        }
    }
}
