//! Unusual replies of the API.

/// A violation of HTTP in place of a reply.
#[derive(Debug, Clone, Copy)]
pub struct InvalidReply {
    /// Its head, if that is valid. Then it acknowledges an outcome, regardless of the bytes that follow.
    pub valid_head: &'static str,
    pub rest: &'static str,
}

/// Bytes that a client must not accept as a reply.
pub const INVALID_REPLIES: [InvalidReply; 8] = [
    invalid("", "SSH-2.0-OpenSSH\r\n"),
    invalid("", "HTTP/2 200\r\n\r\n"),
    invalid("", "HTTP/1.1 200 OK\nContent-Length: 0\n\n"),
    invalid("", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 1\r\n\r\n"),
    invalid("", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n"),
    invalid("", "HTTP/1.1 101 Switching Protocols\r\n\r\n"),
    invalid("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "xyz\r\n"),
    invalid("HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n", ""),
];

const fn invalid(valid_head: &'static str, rest: &'static str) -> InvalidReply {
    InvalidReply { valid_head, rest }
}

/// Interim replies, which may precede any reply.
pub const INTERIM: &str = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";

/// The body of a refusal, with the API's error type for this status.
pub fn refusal_body(status: u16) -> String {
    let error_type = match status {
        400 => "InvalidRequestID",
        403 => "InvalidStateTransition",
        410 => "InvocationTimedOut",
        413 => "RequestEntityTooLarge",
        _ => "NotFound",
    };
    format!(r#"{{"errorMessage":"message of {error_type}","errorType":"{error_type}"}}"#)
}
