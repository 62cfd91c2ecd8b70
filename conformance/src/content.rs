//! Bodies. Long ones are described instead of spelled out.

use std::fmt;

use bytes::Bytes;

/// The content of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// These bytes.
    Bytes(Bytes),
    /// A JSON string of this many letters, which the operation `large` returns.
    LargeString(usize),
    /// The payload of the operation `stream`: chunks that consist of one letter each.
    Letters {
        /// The number of chunks.
        chunks: usize,
        /// The length of each chunk.
        bytes: usize,
    },
}

impl Content {
    /// The bytes.
    pub fn to_bytes(&self) -> Bytes {
        match *self {
            Self::Bytes(ref bytes) => bytes.clone(),
            Self::LargeString(length) => format!("\"{}\"", "x".repeat(length)).into(),
            Self::Letters { chunks, bytes } => {
                let letters = (b'a'..=b'z').cycle().take(chunks);
                letters.map(|letter| vec![letter; bytes]).collect::<Vec<_>>().concat().into()
            }
        }
    }
}

impl From<&'static str> for Content {
    fn from(text: &'static str) -> Self {
        Self::Bytes(text.into())
    }
}

impl From<String> for Content {
    fn from(text: String) -> Self {
        Self::Bytes(text.into())
    }
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => Excerpt(bytes).fmt(f),
            Self::LargeString(length) => write!(f, "a JSON string of {length} letters"),
            Self::Letters { chunks, bytes } => write!(f, "{chunks} chunks of {bytes} bytes"),
        }
    }
}

/// The length of a byte string, and its beginning.
pub(crate) struct Excerpt<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Excerpt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 200;
        let shown = self.0.get(..SHOWN).unwrap_or(self.0);
        write!(f, "{} bytes: \"{}\"", self.0.len(), shown.escape_ascii())?;
        if shown.len() < self.0.len() { f.write_str("…") } else { Ok(()) }
    }
}
