//! The two kinds of error: what the peer did wrong, and what the caller did wrong.

use std::fmt;

/// What the peer sent that HTTP/1.1 (RFC 9112) or a [limit](crate::Limits) forbids.
///
/// It poisons the connection: the machine reports the same error from then on, until it is told that it has a new
/// connection.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PeerError {
    /// A response does not begin with `HTTP/1.`; its first bytes are given, up to the one that differs.
    NotHttp(Vec<u8>),
    /// A head or trailer section that breaks the grammar of RFC 9112 sections 2 to 5, in this element.
    MalformedHead(HeadElement),
    /// A line of a head or trailer section ends in LF without CR (RFC 9112 section 2.2).
    BareLineEnding,
    /// The head is longer than [`Limits::head`](crate::Limits::head), whose value this is.
    HeadTooLong(usize),
    /// The head or trailer section has more fields than [`Limits::headers`](crate::Limits::headers), whose value
    /// this is.
    TooManyHeaders(usize),
    /// The body is longer than [`Limits::body`](crate::Limits::body), whose value this is.
    BodyTooLong(u64),
    /// A chunk's extensions are longer than [`Limits::chunk_extension`](crate::Limits::chunk_extension), whose value
    /// this is.
    ChunkExtensionTooLong(usize),
    /// The trailer section is longer than [`Limits::trailers`](crate::Limits::trailers), whose value this is.
    TrailersTooLong(usize),
    /// The interim (1xx) replies are together longer than [`Limits::interim`](crate::Limits::interim), whose value
    /// this is.
    InterimTooLong(usize),
    /// `101 Switching Protocols`, which nobody asked for.
    SwitchingProtocols,
    /// A `Content-Length` that is not a plain decimal number of at most 64 bits.
    BadContentLength,
    /// More than one `Content-Length` (RFC 9112 section 6.3: a sign of request smuggling).
    RepeatedContentLength,
    /// `Content-Length` and `Transfer-Encoding` in one head (RFC 9112 section 6.1).
    LengthBesideChunked,
    /// A `Transfer-Encoding` other than a single `chunked`, or one in HTTP/1.0.
    UnsupportedTransferEncoding,
    /// A chunk's size line that is not one to sixteen hexadecimal digits, optional extensions without control bytes,
    /// and CRLF.
    BadChunkSize,
    /// A chunk's data is not followed by CRLF.
    BadChunkEnd,
    /// The connection ended inside a message, in the named part of it.
    UnexpectedEnd(Part),
    /// Bytes that answer no request.
    Unsolicited,
}

/// A part of an HTTP message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Part {
    /// From the first line to the empty line.
    Head,
    /// The body, chunk framing included.
    Body,
    /// The fields behind a chunked body.
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
                write!(f, "the peer does not speak HTTP/1: its answer begins with \"{}\"", bytes.escape_ascii())
            }
            PeerError::MalformedHead(element) => write!(f, "malformed HTTP head: invalid {element}"),
            PeerError::BareLineEnding => f.write_str("a header line does not end in CRLF"),
            PeerError::HeadTooLong(limit) => write!(f, "the head is longer than {limit} bytes (Limits::head)"),
            PeerError::TooManyHeaders(limit) => write!(f, "more than {limit} header fields (Limits::headers)"),
            PeerError::BodyTooLong(limit) => write!(f, "the body is longer than {limit} bytes (Limits::body)"),
            PeerError::ChunkExtensionTooLong(limit) => {
                write!(f, "chunk extensions longer than {limit} bytes (Limits::chunk_extension)")
            }
            PeerError::TrailersTooLong(limit) => {
                write!(f, "the trailer section is longer than {limit} bytes (Limits::trailers)")
            }
            PeerError::InterimTooLong(limit) => {
                write!(f, "the interim (1xx) replies are longer than {limit} bytes (Limits::interim)")
            }
            PeerError::SwitchingProtocols => f.write_str("101 Switching Protocols, which was not asked for"),
            PeerError::BadContentLength => f.write_str("Content-Length is not a decimal number of at most 64 bits"),
            PeerError::RepeatedContentLength => f.write_str("Content-Length is given more than once"),
            PeerError::LengthBesideChunked => f.write_str("both Content-Length and Transfer-Encoding are given"),
            PeerError::UnsupportedTransferEncoding => {
                f.write_str("Transfer-Encoding is not a single \"chunked\" of HTTP/1.1")
            }
            PeerError::BadChunkSize => f.write_str("a chunk's size is not 1 to 16 hexadecimal digits and CRLF"),
            PeerError::BadChunkEnd => f.write_str("a chunk's data is not followed by CRLF"),
            PeerError::UnexpectedEnd(part) => write!(f, "the connection ended inside a message's {part}"),
            PeerError::Unsolicited => f.write_str("the peer sent bytes that answer no request"),
        }
    }
}

impl std::error::Error for PeerError {}

/// A command that the machine refused because the caller gave it at the wrong time or with the wrong token. The
/// machine's state is what it was before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Misuse {
    /// The command does not belong in the machine's present state, which is named.
    WrongState(&'static str),
    /// The token or stream handle belongs to another machine, or to an invocation that is over.
    ForeignToken,
    /// The stream is over on the API's side: it answered early or the connection was lost. No fault of the caller,
    /// who learns of it here if the [event](crate::client::Event) was not seen first.
    StreamOver,
    /// The metadata prelude and its delimiter do not fit into the first 16 KiB of the body, where the API looks for
    /// them; the prelude's length is given.
    PreludeTooLong(usize),
    /// The trailer section of a stream is longer than [`MAX_TRAILERS`](crate::client::MAX_TRAILERS); its length is
    /// given. The stream stays open.
    TrailersTooLong(usize),
}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Misuse::WrongState(state) => write!(f, "not possible now: {state}"),
            Misuse::ForeignToken => {
                f.write_str("the token belongs to another machine or to an invocation that is over")
            }
            Misuse::StreamOver => f.write_str("the stream is over: the API answered early or the connection was lost"),
            Misuse::PreludeTooLong(len) => write!(
                f,
                "a metadata prelude of {len} bytes: with its delimiter it must fit into {} bytes",
                crate::client::MAX_PRELUDE
            ),
            Misuse::TrailersTooLong(len) => {
                write!(f, "a trailer section of {len} bytes: Lambda accepts at most {}", crate::client::MAX_TRAILERS)
            }
        }
    }
}

impl std::error::Error for Misuse {}

/// A refused command, with the token or handle that it would have consumed.
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
    /// Why.
    pub misuse: Misuse,
    /// What the command would have consumed.
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
