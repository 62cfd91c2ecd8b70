//! The metadata prelude at the start of a streamed HTTP response.

use bytes::{Bytes, BytesMut};

/// Separates the prelude from the payload of a body that arrives in pieces.
///
/// ```
/// use bytes::Bytes;
/// use lambda_runtime_emulator::Prelude;
///
/// let mut prelude = Prelude::default();
/// assert_eq!(prelude.take(Bytes::from("{}\0\0\0\0")), None);
/// assert_eq!(prelude.take(Bytes::from("\0\0\0\0Hello")), Some(Bytes::from("Hello")));
/// assert_eq!(prelude.json(), Some(Bytes::from("{}")));
/// assert_eq!(prelude.take(Bytes::from(" World")), Some(Bytes::from(" World")));
/// ```
#[derive(Debug, Default)]
pub struct Prelude {
    state: State,
}

#[derive(Debug)]
enum State {
    /// The body so far, less than [`Prelude::LIMIT`].
    Searching(BytesMut),
    Found(Bytes),
    Missing,
}

impl Default for State {
    fn default() -> Self {
        State::Searching(BytesMut::new())
    }
}

impl Prelude {
    /// The bytes between the prelude and the payload.
    pub const DELIMITER: [u8; 8] = [0; 8];

    /// Lambda searches this many bytes at the start of the body for the delimiter.
    pub const LIMIT: usize = 16 * 1024;

    /// Takes a piece of the body, and returns the part of it that belongs to the payload; `None` until the prelude is
    /// complete. A body without a delimiter within the limit has no prelude.
    pub fn take(&mut self, piece: Bytes) -> Option<Bytes> {
        let State::Searching(body) = &mut self.state else { return Some(piece) };
        body.extend_from_slice(&piece);
        if let Some(at) = body.windows(Self::DELIMITER.len()).take(Self::LIMIT).position(|w| w == Self::DELIMITER) {
            let mut prelude = std::mem::take(body).freeze();
            let payload = prelude.split_off((at + Self::DELIMITER.len()).min(prelude.len()));
            prelude.truncate(at);
            self.state = State::Found(prelude);
            Some(payload)
        } else if body.len() >= Self::LIMIT {
            let payload = std::mem::take(body).freeze();
            self.state = State::Missing;
            Some(payload)
        } else {
            None
        }
    }

    /// The prelude, once it is complete: JSON with the status, headers and cookies.
    pub fn json(&self) -> Option<Bytes> {
        match &self.state {
            State::Found(prelude) => Some(prelude.clone()),
            _ => None,
        }
    }

    /// Returns the bytes that were withheld as a possible prelude. Call it at the end of the body.
    pub fn rest(self) -> Bytes {
        match self.state {
            State::Searching(body) => body.freeze(),
            _ => Bytes::new(),
        }
    }
}
