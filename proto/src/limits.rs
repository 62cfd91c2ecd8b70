//! The limits of what a peer can make a machine store or read.

/// Limits of what one connection accepts.
///
/// Exceeding one ends the connection; the error contains the value of the limit. Nothing is allocated for a length that
/// a header merely announces. The defaults fit what Lambda sends.
///
/// ```
/// use lambda_runtime_proto::Limits;
///
/// let limits = Limits::default().body(64 * 1024);
/// assert_eq!((limits.body, limits.head), (64 * 1024, 1024 * 1024));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of a message's head, from its first line to the empty line. Default 1 MiB, which is also the limit of Go's
    /// server, on which the API is built; client contexts and trace headers may be long.
    pub head: usize,
    /// Number of header fields in a head. Default 100, at most [`Limits::MAX_HEADERS`].
    pub headers: usize,
    /// Bytes of a decoded body. Default 6 MiB + 100, the largest event that Lambda delivers.
    pub body: u64,
    /// Bytes of the body of a reply that a client does not need: the rest of an acknowledgement, which is discarded, and
    /// the message of a refusal, which is truncated. Beyond, the connection closes. Default 64 KiB.
    pub reply_body: u64,
    /// Bytes of the extensions after the size of one chunk. Default 1 KiB; no known API sends any.
    pub chunk_extension: usize,
    /// Bytes of the trailer section after a chunked body. Default 1 MiB, enough for the largest error report in base64.
    pub trailers: usize,
    /// Bytes of all interim (1xx) replies before one final reply. They are discarded, so this bounds work and not
    /// memory. Default 1 MiB.
    pub interim: usize,
}

impl Limits {
    /// The largest effective value of [`Limits::headers`].
    pub const MAX_HEADERS: usize = 128;

    /// Sets [`head`](Self::head).
    pub fn head(self, head: usize) -> Self {
        Self { head, ..self }
    }

    /// Sets [`headers`](Self::headers).
    pub fn headers(self, headers: usize) -> Self {
        Self { headers, ..self }
    }

    /// Sets [`body`](Self::body).
    pub fn body(self, body: u64) -> Self {
        Self { body, ..self }
    }

    /// Sets [`reply_body`](Self::reply_body).
    pub fn reply_body(self, reply_body: u64) -> Self {
        Self { reply_body, ..self }
    }

    /// Sets [`chunk_extension`](Self::chunk_extension).
    pub fn chunk_extension(self, chunk_extension: usize) -> Self {
        Self { chunk_extension, ..self }
    }

    /// Sets [`trailers`](Self::trailers).
    pub fn trailers(self, trailers: usize) -> Self {
        Self { trailers, ..self }
    }

    /// Sets [`interim`](Self::interim).
    pub fn interim(self, interim: usize) -> Self {
        Self { interim, ..self }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head: 1024 * 1024,
            headers: 100,
            body: 6 * 1024 * 1024 + 100,
            reply_body: 64 * 1024,
            chunk_extension: 1024,
            trailers: 1024 * 1024,
            interim: 1024 * 1024,
        }
    }
}

/// The longest metadata prelude of a streamed response, its delimiter included: the API searches this many bytes at the
/// start of the body.
pub const MAX_PRELUDE: usize = 16 * 1024;

/// The longest trailer section of a streamed response, its empty line included. Go's HTTP server, on which the API is
/// built, looks for the end of the section in a buffer of this size, and fails if it is not there.
pub const MAX_TRAILERS: usize = 4096;
