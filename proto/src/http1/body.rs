//! Separates the data of a body from its framing, and finds its end.

use super::head::{self, Framing};
use crate::{Limits, PeerError};

/// A body being decoded.
#[derive(Debug)]
pub(crate) enum Body {
    /// This many bytes are missing.
    Length(u64),
    Chunked(Chunked),
    /// Everything until the connection ends. This many bytes have arrived.
    UntilClose(u64),
}

#[derive(Debug)]
pub(crate) struct Chunked {
    state: ChunkState,
    /// The sum of the chunk sizes so far.
    total: u64,
}

#[derive(Debug)]
enum ChunkState {
    Size,
    /// This many bytes of the chunk are missing.
    Data(u64),
    /// The CRLF after a chunk's data.
    End,
    /// The trailer section. Its end is not in the first `scanned` bytes.
    Trailers {
        scanned: usize,
    },
}

/// The unit that [`Body::decode`] found at the start of its input.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Decoded {
    /// Framing, which is skipped.
    Framing(usize),
    /// Data of the body.
    Data(usize),
    /// The end of the body, with this many bytes of trailer section, its empty line included.
    End { trailers: usize },
    /// More input is needed.
    Nothing,
}

impl Body {
    pub(crate) fn new(framing: Framing) -> Self {
        match framing {
            Framing::Length(length) => Body::Length(length),
            Framing::Chunked => Body::Chunked(Chunked { state: ChunkState::Size, total: 0 }),
            Framing::UntilClose => Body::UntilClose(0),
        }
    }

    /// Decodes the start of `input`. A body that is announced to be longer than `longest` is refused before its bytes
    /// arrive.
    pub(crate) fn decode(&mut self, input: &[u8], longest: u64, limits: &Limits) -> Result<Decoded, PeerError> {
        match self {
            Body::Length(0) => Ok(Decoded::End { trailers: 0 }),
            Body::Length(remaining) if *remaining > longest => Err(PeerError::BodyTooLong(longest)),
            Body::Length(remaining) => Ok(take(remaining, input)),
            Body::UntilClose(total) => {
                *total = total.saturating_add(len(input));
                if *total > longest {
                    return Err(PeerError::BodyTooLong(longest));
                }
                Ok(if input.is_empty() { Decoded::Nothing } else { Decoded::Data(input.len()) })
            }
            Body::Chunked(chunked) => chunked.decode(input, longest, limits),
        }
    }

    /// The number of bytes that can be read directly to the end of the data decoded so far: the rest of a body or chunk
    /// of known length, or 0 if [`decode`](Self::decode) is going to refuse that length.
    pub(crate) fn contiguous(&self, longest: u64) -> u64 {
        match self {
            Body::Length(remaining) if *remaining <= longest => *remaining,
            _ => 0,
        }
    }

    /// Reports that `n` of the [contiguous](Self::contiguous) bytes were read.
    pub(crate) fn skip(&mut self, n: u64) {
        if let Body::Length(remaining) = self {
            *remaining = remaining.saturating_sub(n);
        }
    }
}

fn len(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

fn take(remaining: &mut u64, input: &[u8]) -> Decoded {
    let n = len(input).min(*remaining);
    *remaining -= n;
    match usize::try_from(n) {
        Ok(0) | Err(_) => Decoded::Nothing,
        Ok(n) => Decoded::Data(n),
    }
}

impl Chunked {
    fn decode(&mut self, input: &[u8], longest: u64, limits: &Limits) -> Result<Decoded, PeerError> {
        match &mut self.state {
            ChunkState::Size => {
                let Some((size, consumed)) = parse_size_line(input, limits)? else { return Ok(Decoded::Nothing) };
                self.total = self.total.saturating_add(size);
                if self.total > longest {
                    return Err(PeerError::BodyTooLong(longest));
                }
                self.state = match size {
                    0 => ChunkState::Trailers { scanned: 0 },
                    size => ChunkState::Data(size),
                };
                Ok(Decoded::Framing(consumed))
            }
            ChunkState::Data(remaining) => {
                let decoded = take(remaining, input);
                if *remaining == 0 {
                    self.state = ChunkState::End;
                }
                Ok(decoded)
            }
            ChunkState::End => match input {
                [] | [b'\r'] => Ok(Decoded::Nothing),
                [b'\r', b'\n', ..] => {
                    self.state = ChunkState::Size;
                    Ok(Decoded::Framing(2))
                }
                _ => Err(PeerError::BadChunkEnd),
            },
            ChunkState::Trailers { scanned } => match input {
                [b'\r', b'\n', ..] => Ok(Decoded::End { trailers: 2 }),
                [] | [b'\r'] => Ok(Decoded::Nothing),
                _ => match head::find_empty_line(input.get(..limits.trailers).unwrap_or(input), scanned)? {
                    Some(end) => {
                        head::parse_trailers(input.get(..end).unwrap_or_default(), limits)?;
                        Ok(Decoded::End { trailers: end })
                    }
                    None if input.len() >= limits.trailers => Err(PeerError::TrailersTooLong(limits.trailers)),
                    None => Ok(Decoded::Nothing),
                },
            },
        }
    }

    fn part(&self) -> crate::Part {
        match self.state {
            ChunkState::Trailers { .. } => crate::Part::Trailers,
            _ => crate::Part::Body,
        }
    }
}

impl Body {
    /// The part of the message in which the input ended.
    pub(crate) fn part(&self) -> crate::Part {
        match self {
            Body::Chunked(chunked) => chunked.part(),
            _ => crate::Part::Body,
        }
    }
}

/// Parses `1a;name=value CRLF` into the size and the length of the line. `None` while the line is incomplete.
fn parse_size_line(input: &[u8], limits: &Limits) -> Result<Option<(u64, usize)>, PeerError> {
    let mut size = 0u64;
    let mut digits = 0;
    for &byte in input {
        let Some(digit) = char::from(byte).to_digit(16) else { break };
        digits += 1;
        if digits > 16 {
            return Err(PeerError::BadChunkSize);
        }
        size = size * 16 + u64::from(digit);
    }
    let rest = input.get(digits..).unwrap_or_default();
    match rest {
        [] => Ok(None),
        _ if digits == 0 => Err(PeerError::BadChunkSize),
        [b'\r'] => Ok(None),
        [b'\r', b'\n', ..] => Ok(Some((size, digits + 2))),
        [b';', extension @ ..] => {
            let within = extension.get(..limits.chunk_extension.saturating_add(1)).unwrap_or(extension);
            match within.iter().position(|&byte| byte.is_ascii_control() && byte != b'\t') {
                Some(at) => match extension.get(at..) {
                    Some([b'\r', b'\n', ..]) => Ok(Some((size, digits + 1 + at + 2))),
                    Some([b'\r']) => Ok(None),
                    _ => Err(PeerError::BadChunkSize),
                },
                None if extension.len() > limits.chunk_extension => {
                    Err(PeerError::ChunkExtensionTooLong(limits.chunk_extension))
                }
                None => Ok(None),
            }
        }
        _ => Err(PeerError::BadChunkSize),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size_line(input: &[u8]) -> Result<Option<(u64, usize)>, PeerError> {
        parse_size_line(input, &Limits::default().chunk_extension(4))
    }

    #[test]
    fn a_size_is_one_to_sixteen_hex_digits() {
        assert_eq!(size_line(b"1a\r\nxyz"), Ok(Some((26, 4))));
        assert_eq!(size_line(b"FFFFFFFFFFFFFFFF\r\n"), Ok(Some((u64::MAX, 18))));
        assert_eq!(size_line(b"00000000000000000\r\n"), Err(PeerError::BadChunkSize));
        assert_eq!(size_line(b"\r\n"), Err(PeerError::BadChunkSize));
    }

    #[test]
    fn a_size_with_signs_spaces_or_prefixes_is_refused() {
        for line in [
            "1;\0\r\n",
            "1;\x7f\r\n",
            "+1\r\n",
            "-1\r\n",
            " 1\r\n",
            "1 \r\n",
            "1\t\r\n",
            "0x1\r\n",
            "g\r\n",
            "1_0\r\n",
            "1\n",
            "1\rx",
        ] {
            assert_eq!(size_line(line.as_bytes()), Err(PeerError::BadChunkSize), "{line:?}");
        }
    }

    #[test]
    fn an_extension_is_skipped_up_to_its_limit() {
        assert_eq!(size_line(b"1;abcd\r\n"), Ok(Some((1, 8))));
        assert_eq!(size_line(b"1;abcde\r\n"), Err(PeerError::ChunkExtensionTooLong(4)));
        assert_eq!(size_line(b"1;abcde"), Err(PeerError::ChunkExtensionTooLong(4)));
        assert_eq!(size_line(b"1;ab\ncd"), Err(PeerError::BadChunkSize));
        assert_eq!(size_line(b"1;ab\rcd"), Err(PeerError::BadChunkSize));
    }

    #[test]
    fn an_incomplete_size_line_needs_more_input() {
        for line in ["", "1", "1\r", "1;", "1;ab", "1;abcd\r"] {
            assert_eq!(size_line(line.as_bytes()), Ok(None), "{line:?}");
        }
    }
}
