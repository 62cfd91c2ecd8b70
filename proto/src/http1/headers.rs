//! The fields of a head or trailer section, as a collection.

use std::fmt;

/// The fields of a head or trailer section, in the order received.
///
/// Names are spelled as received, so compare them case-insensitively; [`get`](Self::get) does. Values are raw bytes
/// without leading and trailing whitespace.
///
/// ```
/// use lambda_runtime_proto::Headers;
///
/// fn log(headers: Headers<'_>) {
///     for (name, value) in headers {
///         eprintln!("{name}: {}", value.escape_ascii());
///     }
///     assert_eq!(headers.get("Content-Type"), headers.get("content-type"));
/// }
/// ```
#[derive(Clone, Copy)]
pub struct Headers<'a> {
    /// Lines that httparse accepted.
    lines: &'a [u8],
}

impl<'a> Headers<'a> {
    /// The fields of a head that [`parse`](super::head::parse) accepted.
    pub(crate) fn of_head(head: &'a [u8]) -> Self {
        let first_line = memchr::memchr(b'\n', head).map_or(head.len(), |at| at + 1);
        Self { lines: head.get(first_line..).unwrap_or_default() }
    }

    /// The fields of a trailer section that [`parse_trailers`](super::head::parse_trailers) accepted.
    pub(crate) fn of_trailers(trailers: &'a [u8]) -> Self {
        Self { lines: trailers }
    }

    /// Returns the value of the first field with this name, ignoring ASCII case.
    pub fn get(&self, name: &str) -> Option<&'a [u8]> {
        self.iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Returns the value of the first field with this name, ignoring ASCII case, if the value is UTF-8.
    pub fn get_str(&self, name: &str) -> Option<&'a str> {
        std::str::from_utf8(self.get(name)?).ok()
    }

    /// Iterates over names and values.
    pub fn iter(&self) -> HeadersIter<'a> {
        HeadersIter { lines: self.lines }
    }

    /// Whether there are no fields.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }
}

impl fmt::Debug for Headers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter().map(|(name, value)| (name, value.escape_ascii().to_string()))).finish()
    }
}

impl<'a> IntoIterator for Headers<'a> {
    type Item = (&'a str, &'a [u8]);
    type IntoIter = HeadersIter<'a>;

    fn into_iter(self) -> HeadersIter<'a> {
        self.iter()
    }
}

impl<'a> IntoIterator for &Headers<'a> {
    type Item = (&'a str, &'a [u8]);
    type IntoIter = HeadersIter<'a>;

    fn into_iter(self) -> HeadersIter<'a> {
        self.iter()
    }
}

/// An iterator over [`Headers`].
#[derive(Debug, Clone)]
pub struct HeadersIter<'a> {
    lines: &'a [u8],
}

impl<'a> Iterator for HeadersIter<'a> {
    type Item = (&'a str, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let end = memchr::memchr(b'\n', self.lines)?;
        let (line, rest) = self.lines.split_at_checked(end + 1)?;
        self.lines = rest;
        let colon = memchr::memchr(b':', line)?;
        Some((std::str::from_utf8(line.get(..colon)?).ok()?, line.get(colon + 1..)?.trim_ascii()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nA: 1\r\nB:\r\nC: \xff\r\na: 2\r\n\r\n";

    #[test]
    fn a_lookup_does_not_depend_on_what_was_iterated() {
        let headers = Headers::of_head(HEAD);
        let mut iter = headers.iter();
        assert_eq!(iter.next(), Some(("A", b"1".as_slice())));
        assert_eq!(headers.get("a"), Some(b"1".as_slice()));
        assert_eq!(iter.map(|(name, _)| name).collect::<Vec<_>>(), ["B", "C", "a"]);
        assert_eq!((&headers).into_iter().count(), headers.into_iter().count());
    }

    #[test]
    fn only_utf_8_is_text() {
        let headers = Headers::of_head(HEAD);
        assert_eq!((headers.get_str("b"), headers.get("C")), (Some(""), Some(b"\xff".as_slice())));
        assert_eq!((headers.get_str("C"), headers.get_str("d")), (None, None));
    }

    #[test]
    fn a_section_without_fields_is_empty() {
        assert!(!Headers::of_head(HEAD).is_empty());
        assert!(Headers::of_head(b"HTTP/1.1 200 OK\r\n\r\n").is_empty());
        assert!(Headers::of_trailers(b"\r\n").is_empty());
    }

    #[test]
    fn headers_are_shown_escaped() {
        assert_eq!(format!("{:?}", Headers::of_head(HEAD)), r#"{"A": "1", "B": "", "C": "\\xff", "a": "2"}"#);
    }
}
