//! The heads of requests.

use super::Config;
use crate::Endpoint;
use crate::http1::push_field;

/// The constant parts of request heads.
#[derive(Debug)]
pub(super) struct HeadTemplates {
    /// The complete head of a /next.
    next: Vec<u8>,
    base_path: Vec<u8>,
    /// ` HTTP/1.1`, `Host` and `User-Agent`.
    common: Vec<u8>,
}

impl HeadTemplates {
    pub(super) fn new(config: &Config) -> Self {
        let mut common = b" HTTP/1.1\r\n".to_vec();
        push_field(&mut common, "Host", config.host.as_str().as_bytes());
        push_field(&mut common, "User-Agent", config.user_agent.as_bytes());
        let base_path = config.base_path.as_str().as_bytes().to_vec();
        let mut heads = Self { next: Vec::new(), base_path, common };
        let mut next = Vec::new();
        heads.begin(&mut next, Endpoint::Next, "");
        next.extend_from_slice(b"\r\n");
        heads.next = next;
        heads
    }

    /// Appends the complete head of a /next.
    pub(super) fn next(&self, head: &mut Vec<u8>) {
        head.extend_from_slice(&self.next);
    }

    /// Appends the start of a head; fields follow. `request_id` is safe in a path, and empty if the path has none.
    pub(super) fn begin(&self, head: &mut Vec<u8>, endpoint: Endpoint, request_id: &str) {
        let (prefix, suffix) = endpoint.path();
        for part in [endpoint.method().as_bytes(), b" ", &self.base_path, prefix.as_bytes()] {
            head.extend_from_slice(part);
        }
        for part in [request_id.as_bytes(), suffix.as_bytes(), &self.common] {
            head.extend_from_slice(part);
        }
    }
}
