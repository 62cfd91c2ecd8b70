//! The two kinds of error: faults of the peer, and faults of the caller.

use std::fmt;

use crate::limits::{MAX_PRELUDE, MAX_TRAILERS};

/// A message that violates HTTP/1.1 (RFC 9112) or exceeds a [limit](crate::Limits).
///
/// It poisons the connection: the machine reports the same error until it is reset for a new connection.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PeerError {
    /// A reply does not start with `HTTP/1.`. Contains its first bytes, up to the first that differs.
    NotHttp(Vec<u8>),
    /// A head or trailer section that breaks the grammar of RFC 9112 sections 2 to 5, in this element.
    MalformedHead(HeadElement),
    /// A line of a head or trailer section ends in LF without CR (RFC 9112 section 2.2).
    BareLineEnding,
    /// The head exceeds this [`Limits::head`](crate::Limits::head).
    HeadTooLong(usize),
    /// The number of fields of a head or trailer section exceeds this [`Limits::headers`](crate::Limits::headers).
    TooManyHeaders(usize),
    /// The body exceeds this [`Limits::body`](crate::Limits::body).
    BodyTooLong(u64),
    /// The extensions of a chunk exceed this [`Limits::chunk_extension`](crate::Limits::chunk_extension).
    ChunkExtensionTooLong(usize),
    /// The trailer section exceeds this [`Limits::trailers`](crate::Limits::trailers).
    TrailersTooLong(usize),
    /// The interim (1xx) replies together exceed this [`Limits::interim`](crate::Limits::interim).
    InterimTooLong(usize),
    /// `101 Switching Protocols`, although no upgrade was requested.
    SwitchingProtocols,
    /// A `Content-Length` that is not a decimal number of at most 64 bits.
    BadContentLength,
    /// More than one `Content-Length` (RFC 9112 section 6.3: a sign of request smuggling).
    RepeatedContentLength,
    /// `Content-Length` and `Transfer-Encoding` in one head (RFC 9112 section 6.1).
    LengthAndChunked,
    /// A `Transfer-Encoding` other than a single `chunked`, or one in HTTP/1.0.
    UnsupportedTransferEncoding,
    /// The size line of a chunk is not one to sixteen hexadecimal digits, optional extensions without control bytes, and
    /// CRLF.
    BadChunkSize,
    /// The data of a chunk is not followed by CRLF.
    BadChunkEnd,
    /// The connection ended in this part of a message.
    UnexpectedEnd(Part),
    /// Bytes that are not part of a reply to a request.
    Unsolicited,
}

/// A part of an HTTP message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Part {
    /// The first line, the header fields and the empty line.
    Head,
    /// The body, the framing of its chunks included.
    Body,
    /// The fields after a chunked body.
    Trailers,
}

/// An element of a head's grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeadElement {
    /// The method, the request target, or the spaces around them.
    RequestLine,
    /// The version after `HTTP/`.
    Version,
    /// The status code or the reason phrase.
    Status,
    /// The name of a field, or what separates it from the value.
    FieldName,
    /// The value of a field.
    FieldValue,
    /// The end of a line.
    LineEnding,
}

impl fmt::Display for HeadElement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            HeadElement::RequestLine => "request line",
            HeadElement::Version => "HTTP version",
            HeadElement::Status => "status line",
            HeadElement::FieldName => "field name",
            HeadElement::FieldValue => "field value",
            HeadElement::LineEnding => "line ending",
        })
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Part::Head => "head",
            Part::Body => "body",
            Part::Trailers => "trailer section",
        })
    }
}

impl fmt::Display for PeerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PeerError::NotHttp(bytes) => {
                write!(f, "the reply is not HTTP/1: it starts with \"{}\"", bytes.escape_ascii())
            }
            PeerError::MalformedHead(element) => write!(f, "malformed HTTP head: invalid {element}"),
            PeerError::BareLineEnding => f.write_str("malformed HTTP head: a line ends in LF instead of CRLF"),
            PeerError::HeadTooLong(limit) => write!(f, "the HTTP head is longer than {limit} bytes (Limits::head)"),
            PeerError::TooManyHeaders(limit) => {
                write!(f, "there are more than {limit} header fields (Limits::headers)")
            }
            PeerError::BodyTooLong(limit) => write!(f, "the body is longer than {limit} bytes (Limits::body)"),
            PeerError::ChunkExtensionTooLong(limit) => {
                write!(f, "the extensions of a chunk are longer than {limit} bytes (Limits::chunk_extension)")
            }
            PeerError::TrailersTooLong(limit) => {
                write!(f, "the trailer section is longer than {limit} bytes (Limits::trailers)")
            }
            PeerError::InterimTooLong(limit) => {
                write!(f, "the interim (1xx) replies are longer than {limit} bytes (Limits::interim)")
            }
            PeerError::SwitchingProtocols => f.write_str("unexpected 101 Switching Protocols"),
            PeerError::BadContentLength => {
                f.write_str("invalid Content-Length: expected a decimal number of at most 64 bits")
            }
            PeerError::RepeatedContentLength => f.write_str("more than one Content-Length"),
            PeerError::LengthAndChunked => f.write_str("both Content-Length and Transfer-Encoding"),
            PeerError::UnsupportedTransferEncoding => {
                f.write_str("unsupported Transfer-Encoding: expected a single \"chunked\", in HTTP/1.1")
            }
            PeerError::BadChunkSize => {
                f.write_str("invalid size of a chunk: expected 1 to 16 hexadecimal digits and CRLF")
            }
            PeerError::BadChunkEnd => f.write_str("the data of a chunk is not followed by CRLF"),
            PeerError::UnexpectedEnd(part) => write!(f, "the connection ended in the {part} of a message"),
            PeerError::Unsolicited => f.write_str("the peer sent bytes that are not part of a reply to a request"),
        }
    }
}

impl std::error::Error for PeerError {}

/// Why a command was refused. The state of the machine is unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Misuse {
    /// The command is not possible in this state of the machine.
    WrongState(&'static str),
    /// The token belongs to another machine or to an earlier invocation.
    ForeignToken,
    /// The API replied before the stream ended, or its connection was lost. An [event](crate::client::Event) reports which.
    StreamOver,
    /// The metadata prelude, of this length, and its delimiter exceed [`MAX_PRELUDE`](crate::client::MAX_PRELUDE).
    PreludeTooLong(usize),
    /// The trailer section of a stream, of this length, exceeds [`MAX_TRAILERS`](crate::client::MAX_TRAILERS).
    TrailersTooLong(usize),
}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Misuse::WrongState(state) => write!(f, "not possible now: {state}"),
            Misuse::ForeignToken => f.write_str("the token belongs to another machine or to an earlier invocation"),
            Misuse::StreamOver => f.write_str("the API replied before the stream ended, or the connection was lost"),
            Misuse::PreludeTooLong(len) => write!(
                f,
                "the metadata prelude has {len} bytes: expected at most {} with the 8 bytes of its delimiter",
                MAX_PRELUDE
            ),
            Misuse::TrailersTooLong(len) => {
                write!(f, "the trailers have {len} bytes: Lambda accepts at most {MAX_TRAILERS}")
            }
        }
    }
}

impl std::error::Error for Misuse {}

/// A refused command, with the token or handle that it did not consume.
///
/// ```
/// # use lambda_runtime_proto::Refused;
/// fn retry<T>(refused: Refused<T>) -> T {
///     eprintln!("refused: {refused}");
///     refused.token
/// }
/// ```
#[derive(Debug)]
pub struct Refused<T> {
    /// The reason.
    pub misuse: Misuse,
    /// The token or handle. Still valid, unless its invalidity is the reason.
    pub token: T,
}

impl<T> fmt::Display for Refused<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.misuse.fmt(f)
    }
}

impl<T: fmt::Debug> std::error::Error for Refused<T> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.misuse)
    }
}
