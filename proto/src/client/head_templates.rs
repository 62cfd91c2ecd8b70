//! The heads of requests.

use super::Config;
use crate::Endpoint;
use crate::http1::push_field;

/// The constant parts of request heads.
#[derive(Debug)]
pub(super) struct HeadTemplates {
    /// The complete head of a /next.
    next: Vec<u8>,
    /// The head of a response, up to the request id and after it.
    response: (Vec<u8>, Vec<u8>),
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
        let mut heads = Self { next: Vec::new(), response: Default::default(), base_path, common };
        let mut next = Vec::new();
        heads.begin(&mut next, Endpoint::Next, "");
        next.extend_from_slice(b"\r\n");
        heads.next = next;
        heads.response = heads.around_id(Endpoint::Response);
        heads
    }

    /// Appends the complete head of a /next.
    pub(super) fn next(&self, head: &mut Vec<u8>) {
        head.extend_from_slice(&self.next);
    }

    /// Appends the start of a head; fields follow. `request_id` is safe in a path, and empty if the path has none.
    pub(super) fn begin(&self, head: &mut Vec<u8>, endpoint: Endpoint, request_id: &str) {
        let other;
        let (before, after) = match endpoint {
            Endpoint::Response => &self.response,
            _ => {
                other = self.around_id(endpoint);
                &other
            }
        };
        head.extend_from_slice(before);
        head.extend_from_slice(request_id.as_bytes());
        head.extend_from_slice(after);
    }

    fn around_id(&self, endpoint: Endpoint) -> (Vec<u8>, Vec<u8>) {
        let (prefix, suffix) = endpoint.path();
        let before = [endpoint.method().as_bytes(), b" ", &self.base_path, prefix.as_bytes()].concat();
        (before, [suffix.as_bytes(), &self.common].concat())
    }
}
