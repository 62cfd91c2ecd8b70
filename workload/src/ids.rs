//! Request ids, which contain the number of the invocation.

const ID_PREFIX: &str = "8476a536-e9f4-11e8-9739-";

const RESPONSE_PREFIX: &[u8] = b"POST /2018-06-01/runtime/invocation/8476a536-e9f4-11e8-9739-";

/// The request id of the invocation with this number.
pub fn request_id(number: u64) -> String {
    format!("{ID_PREFIX}{number:012x}")
}

/// The number of the invocation with this request id.
pub fn number_of(id: &str) -> Option<u64> {
    u64::from_str_radix(id.strip_prefix(ID_PREFIX)?, 16).ok()
}

/// The number of the invocation whose outcome starts here.
pub fn posted_number(bytes: &[u8]) -> Option<u64> {
    let digits = bytes.strip_prefix(RESPONSE_PREFIX)?.get(..12)?;
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}
