//! The head of a message: its end, its fields, and the framing of the body.

use std::mem::MaybeUninit;
use std::ops::Range;

use super::name::Name;
use crate::{HeadElement, Limits, PeerError};

/// The start of every reply.
const VERSION: &[u8] = b"HTTP/1.";

/// The kind of message to expect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Request,
    Response,
}

/// The parts of a head that concern HTTP itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    /// The length of the head, its empty line included.
    pub(crate) len: usize,
    pub(crate) start_line: StartLine,
    pub(crate) framing: Framing,
    /// The sender keeps the connection open after this message.
    pub(crate) keep_alive: bool,
    /// `Expect: 100-continue`.
    pub(crate) expects_continue: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StartLine {
    /// The lengths of the method and of the target. The target follows the method and a space.
    Request {
        method: usize,
        target: usize,
    },
    Response {
        status: u16,
    },
}

/// How the end of the body is found (RFC 9112 section 6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    Length(u64),
    Chunked,
    UntilClose,
}

/// A field: the positions of its name and of its trimmed value in the head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) known: Name,
    pub(crate) name: Range<usize>,
    pub(crate) value: Range<usize>,
}

impl Field {
    /// The positions after `start`.
    pub(super) fn relative_to(&self, start: usize) -> Self {
        let relative = |range: &Range<usize>| range.start.saturating_sub(start)..range.end.saturating_sub(start);
        Self { known: self.known, name: relative(&self.name), value: relative(&self.value) }
    }
}

/// Parses the head at the start of `bytes` if it is complete and valid, which is the usual case. Otherwise, use
/// [`find_end`] and [`parse`]. Writes the positions of its fields to `fields`.
pub(crate) fn parse_whole(role: Role, bytes: &[u8], limits: &Limits, fields: &mut Vec<Field>) -> Option<Head> {
    let head = parse(role, bytes.get(..limits.head).unwrap_or(bytes), limits, fields).ok()?;
    // httparse skips leading empty lines, and accepts LF as the end of a line.
    let starts_well = bytes.first().is_some_and(|first| !first.is_ascii_whitespace());
    let ends = |end: usize, with: &[u8]| bytes.get(..end).is_some_and(|lines| lines.ends_with(with));
    let lines_end_well = fields.iter().all(|field| ends(field.name.start, b"\r\n"));
    (starts_well && lines_end_well && ends(head.len, b"\r\n\r\n")).then_some(head)
}

/// Returns the length of the head at the start of `bytes`, or `None` while it is incomplete. `scanned` is the number of
/// bytes that earlier calls have searched.
pub(crate) fn find_end(
    role: Role,
    bytes: &[u8],
    scanned: &mut usize,
    limits: &Limits,
) -> Result<Option<usize>, PeerError> {
    if role == Role::Response
        && let Some(at) = bytes.iter().zip(VERSION).position(|(found, wanted)| found != wanted)
    {
        return Err(PeerError::NotHttp(bytes.iter().take(at + 1).copied().collect()));
    }
    match find_empty_line(bytes.get(..limits.head).unwrap_or(bytes), scanned)? {
        None if bytes.len() >= limits.head => Err(PeerError::HeadTooLong(limits.head)),
        end => Ok(end),
    }
}

/// Returns the position after the first empty line. Refuses a line that ends in LF, which request smuggling relies on.
pub(crate) fn find_empty_line(bytes: &[u8], scanned: &mut usize) -> Result<Option<usize>, PeerError> {
    let from = *scanned;
    for at in memchr::memchr_iter(b'\n', bytes.get(from..).unwrap_or_default()).map(|at| from + at) {
        match bytes.get(..at) {
            Some([.., b'\r', b'\n', b'\r'] | [b'\r']) => return Ok(Some(at + 1)),
            Some([.., b'\r']) => {}
            _ => return Err(PeerError::BareLineEnding),
        }
    }
    *scanned = bytes.len();
    Ok(None)
}

/// Parses a complete head, as delimited by [`find_end`]: both end it at the first empty line. Writes the positions of its
/// fields to `fields`.
// Inlined, its storage would enlarge the stack of every call of the caller.
#[inline(never)]
pub(crate) fn parse(role: Role, bytes: &[u8], limits: &Limits, fields: &mut Vec<Field>) -> Result<Head, PeerError> {
    let max = limits.headers.min(Limits::MAX_HEADERS);
    let mut storage = [const { MaybeUninit::<httparse::Header<'_>>::uninit() }; Limits::MAX_HEADERS];
    let storage = storage.get_mut(..max).unwrap_or_default();
    let config = httparse::ParserConfig::default();
    let (consumed, version, start_line, found) = match role {
        Role::Response => {
            let mut response = httparse::Response::new(&mut []);
            let consumed = config.parse_response_with_uninit_headers(&mut response, bytes, storage);
            let status = response.code.unwrap_or_default();
            (consumed, response.version, StartLine::Response { status }, response.headers)
        }
        Role::Request => {
            let mut request = httparse::Request::new(&mut []);
            let consumed = config.parse_request_with_uninit_headers(&mut request, bytes, storage);
            let start_line = StartLine::Request {
                method: request.method.unwrap_or_default().len(),
                target: request.path.unwrap_or_default().len(),
            };
            (consumed, request.version, start_line, request.headers)
        }
    };
    let len = match consumed {
        Ok(httparse::Status::Complete(len)) => len,
        Ok(httparse::Status::Partial) => return Err(PeerError::MalformedHead(HeadElement::LineEnding)),
        Err(error) => return Err(peer_error(error, max)),
    };
    let position = |part: &[u8]| {
        // `part` is a subslice of `bytes`.
        let start = part.as_ptr().addr() - bytes.as_ptr().addr();
        start..start + part.len()
    };
    fields.clear();
    fields.extend(found.iter().map(|field| Field {
        known: Name::of(field.name.as_bytes()),
        name: position(field.name.as_bytes()),
        value: position(field.value),
    }));
    let http_1_1 = version == Some(1);
    let headers =
        FramingHeaders::read(fields.iter().zip(&*found).map(|(field, found)| (field.known, found.value)), http_1_1)?;
    Ok(Head {
        len,
        framing: headers.framing(&start_line)?,
        keep_alive: http_1_1 && !headers.close,
        expects_continue: http_1_1 && headers.expects_continue,
        start_line,
    })
}

/// The fields that concern framing and the connection.
#[derive(Default)]
struct FramingHeaders {
    length: Option<u64>,
    chunked: bool,
    close: bool,
    expects_continue: bool,
}

impl FramingHeaders {
    fn read<'v>(fields: impl Iterator<Item = (Name, &'v [u8])>, http_1_1: bool) -> Result<Self, PeerError> {
        let mut headers = FramingHeaders::default();
        for (name, value) in fields {
            match name {
                Name::ContentLength => {
                    if headers.length.is_some() {
                        return Err(PeerError::RepeatedContentLength);
                    }
                    headers.length = Some(decimal(value).ok_or(PeerError::BadContentLength)?);
                }
                Name::TransferEncoding => {
                    if headers.chunked || !http_1_1 || !value.eq_ignore_ascii_case(b"chunked") {
                        return Err(PeerError::UnsupportedTransferEncoding);
                    }
                    headers.chunked = true;
                }
                Name::Connection => {
                    let mut options = value.split(|&b| b == b',').map(|option| option.trim_ascii());
                    headers.close |= options.any(|option| option.eq_ignore_ascii_case(b"close"));
                }
                Name::Expect => {
                    headers.expects_continue |= value.eq_ignore_ascii_case(b"100-continue");
                }
                _ => {}
            }
        }
        Ok(headers)
    }

    fn framing(&self, start_line: &StartLine) -> Result<Framing, PeerError> {
        match (self.length, self.chunked, start_line) {
            (Some(_), true, _) => Err(PeerError::LengthAndChunked),
            (_, _, StartLine::Response { status: 100..=199 | 204 | 304 }) => Ok(Framing::Length(0)),
            (None, true, _) => Ok(Framing::Chunked),
            (Some(length), false, _) => Ok(Framing::Length(length)),
            (None, false, StartLine::Request { .. }) => Ok(Framing::Length(0)),
            (None, false, StartLine::Response { .. }) => Ok(Framing::UntilClose),
        }
    }
}

/// Parses digits only: a sign, a space or a list is refused.
pub(crate) fn decimal(value: &[u8]) -> Option<u64> {
    let append = |number: u64, digit: &u8| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    };
    value.iter().try_fold(0, append).filter(|_| !value.is_empty())
}

/// Checks a trailer section, its empty line included.
// For the same reason as `parse`.
#[inline(never)]
pub(crate) fn parse_trailers(bytes: &[u8], limits: &Limits) -> Result<(), PeerError> {
    let max = limits.headers.min(Limits::MAX_HEADERS);
    let mut storage = [httparse::EMPTY_HEADER; Limits::MAX_HEADERS];
    match httparse::parse_headers(bytes, storage.get_mut(..max).unwrap_or_default()) {
        Ok(httparse::Status::Complete(_)) => Ok(()),
        Ok(httparse::Status::Partial) => Err(PeerError::MalformedHead(HeadElement::LineEnding)),
        Err(error) => Err(peer_error(error, max)),
    }
}

fn peer_error(error: httparse::Error, max_headers: usize) -> PeerError {
    PeerError::MalformedHead(match error {
        httparse::Error::TooManyHeaders => return PeerError::TooManyHeaders(max_headers),
        httparse::Error::Token => HeadElement::RequestLine,
        httparse::Error::Version => HeadElement::Version,
        httparse::Error::Status => HeadElement::Status,
        httparse::Error::HeaderName => HeadElement::FieldName,
        httparse::Error::HeaderValue => HeadElement::FieldValue,
        httparse::Error::NewLine => HeadElement::LineEnding,
    })
}
