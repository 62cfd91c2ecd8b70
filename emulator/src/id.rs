//! Identifiers.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};

/// A random UUID (version 4), as the ids of invocations are.
pub(crate) fn uuid() -> String {
    // Every RandomState hashes with keys of its own: enough of randomness to be unique.
    let [a, b] = [(); 2].map(|()| RandomState::new().build_hasher().finish());
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        a >> 32,
        (a >> 16) & 0xffff,
        a & 0xfff,
        0x8000 | ((b >> 48) & 0x3fff),
        b & 0xffff_ffff_ffff
    )
}
