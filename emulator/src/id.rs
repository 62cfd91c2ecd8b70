//! Identifiers.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::{SystemTime, UNIX_EPOCH};

use http::HeaderValue;

/// A random UUID (version 4), as Lambda's request ids are.
pub(crate) fn uuid() -> String {
    let [a, b] = [random(), random()];
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        a >> 32,
        (a >> 16) & 0xffff,
        a & 0xfff,
        0x8000 | ((b >> 48) & 0x3fff),
        b & 0xffff_ffff_ffff
    )
}

/// An X-Ray trace header that is not sampled, as Lambda sends when tracing is off. See [Tracing
/// header](https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader).
pub(crate) fn trace_id() -> Option<HeaderValue> {
    let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let [a, b, parent] = [random(), random(), random()];
    let id = format!("Root=1-{time:08x}-{a:016x}{:08x};Parent={parent:016x};Sampled=0", b >> 32);
    HeaderValue::from_str(&id).ok()
}

fn random() -> u64 {
    // Every RandomState has other keys: random enough to be unique.
    RandomState::new().build_hasher().finish()
}
