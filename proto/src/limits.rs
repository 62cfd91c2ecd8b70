//! Every cap on what a peer can make the machine hold.

/// Caps on what one connection accepts. Passing one is a [`PeerError`](crate::PeerError) that names the cap and its
/// value; nothing is allocated for a size that a header merely claims.
///
/// The defaults fit what Lambda really sends.
///
/// ```
/// use lambda_runtime_proto::Limits;
///
/// let limits = Limits { body: 64 * 1024, ..Limits::default() };
/// assert_eq!(limits.head, 1024 * 1024);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a message's head, from its first line to the empty line. Default 1 MiB: Go's server, which the API
    /// is built on, takes as much, and a client context or a trace header may be long.
    pub head: usize,
    /// Number of header fields in a head. Default 100, at most [`Limits::MAX_HEADERS`].
    pub headers: usize,
    /// Bytes of a body once decoded. Default 6 MiB + 100, the largest event that Lambda delivers.
    pub body: u64,
    /// Bytes of the extensions behind one chunk's size. Default 1 KiB; no known API sends any.
    pub chunk_extension: usize,
    /// Bytes of the trailer section behind a chunked body. Default 1 MiB, which holds the largest error report in
    /// base64.
    pub trailers: usize,
    /// Interim (1xx) responses in front of one final response. Default 8.
    pub interim: usize,
}

impl Limits {
    /// The largest possible value of [`Limits::headers`]; a larger one counts as this.
    pub const MAX_HEADERS: usize = 128;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head: 1024 * 1024,
            headers: 100,
            body: 6 * 1024 * 1024 + 100,
            chunk_extension: 1024,
            trailers: 1024 * 1024,
            interim: 8,
        }
    }
}
