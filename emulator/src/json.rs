//! JSON that is checked or compacted as text, without being parsed into a tree: a tree of a large payload would take
//! many times its memory.

use serde_json::value::RawValue;

/// Checks that the bytes are one JSON value, however deeply nested.
///
/// # Errors
///
/// The reason, with the position in the text.
pub(crate) fn check(json: &[u8]) -> Result<(), String> {
    let text = std::str::from_utf8(json).map_err(|error| error.to_string())?;
    serde_json::from_str::<&RawValue>(text).map(drop).map_err(|error| error.to_string())
}

/// Removes the whitespace between tokens, and escapes DEL, so that the JSON can be the value of an HTTP header. `None`
/// if it is not JSON.
pub(crate) fn compact(json: &[u8]) -> Option<Vec<u8>> {
    check(json).ok()?;
    let mut compact = Vec::with_capacity(json.len());
    let (mut in_string, mut escaped) = (false, false);
    for byte in json {
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' if !in_string => continue,
            0x7f => compact.extend_from_slice(b"\\u007f"),
            _ => compact.push(*byte),
        }
        in_string ^= *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
    }
    Some(compact)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn json_of_any_depth_and_with_any_number_is_accepted() {
        let deep = [vec![b'['; 100_000], vec![b']'; 100_000]].concat();
        for json in [b" {\"a\": [1, 1e999, \"\\ud800\"]}\n".as_slice(), b"null", &deep] {
            assert_eq!(check(json), Ok(()));
        }
    }

    #[test]
    fn anything_else_is_rejected() {
        for other in [b"".as_slice(), b"{", b"{} {}", b"{'a':1}", b"\"\xff\"", b"\"\n\"", b"NaN", b"\xef\xbb\xbf{}"] {
            assert!(check(other).is_err(), "{other:?}");
        }
    }

    #[test]
    fn compact_json_has_the_same_value_on_one_line() {
        let pretty = b"{\r\n\t\"a b\" : [ 1.50, \"\\\" \\\\\" , \"x\\\\\", \"\x7f\" ]\n}";
        assert_eq!(compact(pretty).unwrap(), br#"{"a b":[1.50,"\" \\","x\\","\u007f"]}"#);
        assert_eq!(compact(b"{"), None);
    }
}
