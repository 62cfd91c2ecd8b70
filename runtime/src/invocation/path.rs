//! The path of an error in an event.
//!
//! It is derived from the position that `serde_json` reports. Tracking the path while decoding would compile every payload
//! type twice, or slow down every event.

use serde_json::error::{Category, Error};

/// Deeper levels are not part of the path. `serde_json` rejects deeper values unless they are ignored.
const MAX_DEPTH: usize = 128;

/// Longer keys are truncated.
const MAX_KEY: usize = 64;

/// A level of the path.
#[derive(Clone, Copy)]
enum Level<'e> {
    Index(usize),
    /// `None` until the key is known.
    Key(Option<&'e [u8]>),
}

/// Returns the path to the value in which decoding failed, such as `items[1].price`. It is empty for the event itself.
pub(crate) fn path(error: &Error, event: &[u8]) -> String {
    let mut levels = Vec::new();
    let mut depth = 0;
    let mut rest = consumed(error, event);
    while let [byte, after @ ..] = rest {
        rest = after;
        match byte {
            b'{' | b'[' => {
                depth += 1;
                if depth <= MAX_DEPTH {
                    levels.push(if *byte == b'{' { Level::Key(None) } else { Level::Index(0) });
                }
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                levels.truncate(depth);
            }
            b',' if depth <= MAX_DEPTH => match levels.last_mut() {
                Some(Level::Index(index)) => *index += 1,
                Some(key) => *key = Level::Key(None),
                None => {}
            },
            b'"' => {
                let (string, after) = split_string(after);
                rest = after;
                if depth <= MAX_DEPTH
                    && let Some(Level::Key(key @ None)) = levels.last_mut()
                {
                    *key = Some(string);
                }
            }
            _ => {}
        }
    }
    let mut path = String::new();
    for level in levels {
        match level {
            Level::Index(index) => path.push_str(&format!("[{index}]")),
            Level::Key(None) => {}
            Level::Key(Some(key)) => {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(&String::from_utf8_lossy(key.get(..MAX_KEY).unwrap_or(key)));
            }
        }
    }
    path
}

/// The accepted bytes: a wrong value is complete, and a syntax error excludes the reported byte.
fn consumed<'e>(error: &Error, event: &'e [u8]) -> &'e [u8] {
    let Some(lines_before) = error.line().checked_sub(1) else { return &[] };
    let before: usize = event.split_inclusive(|&byte| byte == b'\n').take(lines_before).map(<[u8]>::len).sum();
    let end = before + error.column();
    let excluded = usize::from(error.classify() == Category::Syntax);
    event.get(..end.saturating_sub(excluded)).unwrap_or(event)
}

/// Splits a string, without its quotes, from what follows it.
fn split_string(bytes: &[u8]) -> (&[u8], &[u8]) {
    let mut escaped = false;
    let end = bytes.iter().position(|byte| match byte {
        b'"' if !escaped => true,
        byte => {
            escaped = *byte == b'\\' && !escaped;
            false
        }
    });
    let (string, quote_and_after) = bytes.split_at(end.unwrap_or(bytes.len()));
    (string, quote_and_after.get(1..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;
    use serde::de::{DeserializeOwned, IgnoredAny};

    use super::*;

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "it is only decoded")]
    struct Order {
        items: Vec<Item>,
        #[serde(default)]
        kind: Option<Kind>,
        #[serde(default)]
        notes: BTreeMap<String, (u8, bool)>,
    }

    #[derive(Deserialize)]
    #[allow(dead_code, reason = "it is only decoded")]
    struct Item {
        price: u8,
        #[serde(default)]
        name: String,
    }

    #[derive(Deserialize)]
    #[allow(dead_code, reason = "it is only decoded")]
    enum Kind {
        Unit,
        Sized { size: i8 },
    }

    fn path_in<T: DeserializeOwned>(event: &str) -> String {
        let error = serde_json::from_slice::<T>(event.as_bytes()).err().unwrap_or_else(|| panic!("{event} is valid"));
        path(&error, event.as_bytes())
    }

    /// The path as `serde_path_to_error` tracks it.
    fn tracked<T: DeserializeOwned>(event: &str) -> String {
        let mut json = serde_json::Deserializer::from_str(event);
        let error = serde_path_to_error::deserialize::<_, T>(&mut json).err();
        error.map(|error| error.path().to_string()).filter(|path| path != ".").unwrap_or_default()
    }

    #[test]
    fn the_path_is_that_of_a_tracking_deserializer() {
        for (event, expected) in [
            ("7", ""),
            ("{}", ""),
            (r#"{"items":7}"#, "items"),
            (r#"{"items":[7]}"#, "items[0]"),
            (r#"{"items":[{}]}"#, "items[0]"),
            (r#"{"items":[{"price":1},{"price":300}]}"#, "items[1].price"),
            (r#"{"items":[{"price":1},{"price":"a,\"]b"}]}"#, "items[1].price"),
            (r#"{"items":[{"price":1,"name":null}]}"#, "items[0].name"),
            ("{\n  \"items\": [\n    { \"price\": 1 },\n    { \"price\": -1 }\n  ]\n}", "items[1].price"),
            (r#"{"items":[],"kind":"Other"}"#, "kind"),
            (r#"{"items":[],"kind":{"Sized":{"size":200}}}"#, "kind.Sized.size"),
            (r#"{"items":[],"notes":{"a":[1,true],"b":[1,2]}}"#, "notes.b[1]"),
            (r#"{"items":[],"notes":{"a":[1]}}"#, "notes.a"),
            (r#"{"items":[{"price":1},{"price":x}]}"#, "items[1].price"),
            (r#"{"items":[{"price":1},{"price":"#, "items[1].price"),
        ] {
            assert_eq!(path_in::<Order>(event), expected, "{event}");
            assert_eq!(tracked::<Order>(event), expected, "tracked: {event}");
        }
    }

    #[test]
    fn deep_and_long_paths_are_limited() {
        #[derive(Deserialize)]
        #[allow(dead_code, reason = "it is only decoded")]
        struct Deep {
            ignored: IgnoredAny,
            wrong: u8,
        }
        let ignored = format!("{}1,{{\"a\":2}}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(path_in::<Deep>(&format!(r#"{{"ignored":{ignored},"wrong":"x"}}"#)), "wrong");
        let unfinished = format!(r#"{{"ignored":{}"#, "[".repeat(100_000));
        assert_eq!(path_in::<Deep>(&unfinished), format!("ignored{}", "[0]".repeat(MAX_DEPTH - 1)));
        let key = "k".repeat(1 << 20);
        assert_eq!(path_in::<BTreeMap<String, u8>>(&format!(r#"{{"{key}":-1}}"#)), "k".repeat(MAX_KEY));
    }
}
