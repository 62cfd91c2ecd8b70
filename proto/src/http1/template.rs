//! Heads that resemble earlier ones.
//!
//! An API sends almost the same heads again and again; only a few values differ. An identical line costs one comparison,
//! and a value that differs is checked for control characters. Anything else is left to the parser.

use super::head::{Field, Framing, Head, StartLine, decimal};
use super::name::Name;
use crate::Limits;

const EMPTY_LINE: &[u8] = b"\r\n";

/// The heads that were parsed last: the reply to /next and the acknowledgement.
#[derive(Debug, Default)]
pub(crate) struct Templates {
    known: [Option<Template>; 2],
    /// The one to replace next.
    oldest: usize,
}

#[derive(Debug)]
struct Template {
    start_line: Vec<u8>,
    lines: Vec<Line>,
    head: Head,
}

/// A field and its CRLF.
#[derive(Debug)]
struct Line {
    bytes: Vec<u8>,
    /// With positions in this line.
    field: Field,
}

impl Templates {
    /// Longer heads are not stored.
    const MAX_HEAD: usize = 4 * 1024;

    /// Returns the head at the start of `bytes` if it is like one that was parsed before, and writes the positions of its
    /// fields to `fields`. The result is that of the parser.
    pub(crate) fn find(&self, bytes: &[u8], limits: &Limits, fields: &mut Vec<Field>) -> Option<Head> {
        self.known
            .iter()
            .flatten()
            .find_map(|template| template.compare(bytes, fields))
            .filter(|head| head.len <= limits.head)
    }

    /// Stores a head that was parsed, without a body.
    pub(crate) fn store(&mut self, bytes: &[u8], fields: &[Field], head: Head) {
        let Some(bytes) = bytes.get(..head.len).filter(|bytes| bytes.len() <= Self::MAX_HEAD) else { return };
        let template = Template::new(bytes, fields, head);
        let same_start =
            |known: &Option<Template>| known.as_ref().is_some_and(|known| known.start_line == template.start_line);
        let place = self.known.iter().position(same_start).unwrap_or(self.oldest);
        self.oldest = (place + 1) % self.known.len();
        if let Some(known) = self.known.get_mut(place) {
            *known = Some(template);
        }
    }
}

impl Template {
    fn new(bytes: &[u8], fields: &[Field], head: Head) -> Self {
        let copy = |start: usize, end: usize| bytes.get(start..end).unwrap_or_default().to_vec();
        let end_of_fields = bytes.len() - EMPTY_LINE.len();
        let mut ends = fields.iter().map(|field| field.name.start).chain([end_of_fields]);
        let start_line = copy(0, ends.next().unwrap_or_default());
        let line = |(field, end): (&Field, usize)| {
            let start = field.name.start;
            Line { bytes: copy(start, end), field: field.relative_to(start) }
        };
        Self { start_line, lines: fields.iter().zip(ends).map(line).collect(), head }
    }

    fn compare(&self, bytes: &[u8], fields: &mut Vec<Field>) -> Option<Head> {
        let mut rest = bytes.strip_prefix(&*self.start_line)?;
        let mut framing = self.head.framing;
        fields.clear();
        for Line { bytes: line, field } in &self.lines {
            let at = bytes.len() - rest.len();
            let value_at = at + field.value.start;
            let (value_len, after) = match rest.strip_prefix(&**line) {
                Some(after) => (field.value.len(), after),
                None => {
                    // The value differs; the name and the separator are the same.
                    let (value, after) = split_value(rest.strip_prefix(line.get(..field.value.start)?)?)?;
                    match field.known {
                        Name::ContentLength => framing = self.framing(value)?,
                        Name::TransferEncoding | Name::Connection | Name::Expect => return None,
                        _ => {}
                    }
                    (value.len(), after)
                }
            };
            let (name, value) = (at..at + field.name.len(), value_at..value_at + value_len);
            fields.push(Field { known: field.known, name, value });
            rest = after;
        }
        let rest = rest.strip_prefix(EMPTY_LINE)?;
        Some(Head { len: bytes.len() - rest.len(), framing, ..self.head })
    }

    /// The framing with another `Content-Length`.
    fn framing(&self, length: &[u8]) -> Option<Framing> {
        match self.head.start_line {
            // The status rules out a body, whatever the length.
            StartLine::Response { status: 100..=199 | 204 | 304 } => None,
            _ => decimal(length).map(Framing::Length),
        }
    }
}

/// Returns the value at the start of `bytes` and the bytes after its CRLF. `None` if the parser would refuse or trim the
/// value.
fn split_value(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (line, after) = bytes.split_at_checked(memchr::memchr(b'\n', bytes)? + 1)?;
    let value = line.strip_suffix(b"\r\n")?;
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t');
    if value.first().is_none_or(is_space) || value.last().is_none_or(is_space) {
        return None;
    }
    // Without an early exit, so that it is vectorised.
    let control = value.iter().fold(false, |found, byte| found | (byte.is_ascii_control() & (*byte != b'\t')));
    (!control).then_some((value, after))
}

#[cfg(test)]
mod tests {
    use super::super::head::{Role, parse_whole};
    use super::*;

    const EVENT: &str = "HTTP/1.1 200 OK\r\nDate: one\r\nLambda-Runtime-Aws-Request-Id: a\r\nContent-Length: 2\r\n\r\n";
    const ACCEPTED: &str = "HTTP/1.1 202 Accepted\r\nContent-Length: 16\r\n\r\n";

    fn known(heads: &[&str]) -> Templates {
        let mut templates = Templates::default();
        for head in heads {
            let mut fields = Vec::new();
            let parsed = parse_whole(Role::Response, head.as_bytes(), &Limits::default(), &mut fields).unwrap();
            templates.store(head.as_bytes(), &fields, parsed);
        }
        templates
    }

    /// Whether the head is like a known one.
    fn is_found(known: &Templates, head: &str) -> bool {
        known.find(head.as_bytes(), &Limits::default(), &mut Vec::new()).is_some()
    }

    #[test]
    fn heads_with_other_values_are_found() {
        let known = known(&[EVENT, ACCEPTED]);
        let other = EVENT
            .replace("one", "Fri, 27 Nov 2026 12:00:00 GMT")
            .replace(": a", ": 8476a536")
            .replace(": 2", ": 10000");
        for head in [EVENT, &other, ACCEPTED, &ACCEPTED.replace("16", "0"), &format!("{EVENT}{{}}")] {
            assert!(is_found(&known, head), "{head}");
            let (mut found_fields, mut parsed_fields) = (Vec::new(), Vec::new());
            let found = known.find(head.as_bytes(), &Limits::default(), &mut found_fields);
            let parsed = parse_whole(Role::Response, head.as_bytes(), &Limits::default(), &mut parsed_fields);
            assert_eq!((found, found_fields), (parsed, parsed_fields));
        }
    }

    #[test]
    fn anything_else_is_left_to_the_parser() {
        let known = known(&[EVENT]);
        for (from, to) in [
            ("200 OK", "200 Fine"),
            ("Date", "date"),
            ("Date: one\r\n", ""),
            ("one", " one"),
            ("one", "one "),
            ("one", ""),
            ("one", "o\u{1}e"),
            ("one", "one\r"),
            ("one\r\n", "one\n"),
            (": 2", ": two"),
            (": 2", ": -2"),
            ("2\r\n\r\n", "2\r\nX: y\r\n\r\n"),
            ("\r\n\r\n", "\r\n"),
        ] {
            assert!(!is_found(&known, &EVENT.replace(from, to)), "{from:?} replaced by {to:?}");
        }
        let limits = Limits::default().head(EVENT.len() - 1);
        assert!(known.find(EVENT.as_bytes(), &limits, &mut Vec::new()).is_none());
    }

    #[test]
    fn the_last_head_of_each_of_two_kinds_is_known() {
        let third = EVENT.replace("200 OK", "200 Fine");
        let known = known(&[EVENT, ACCEPTED, &third]);
        assert!(!is_found(&known, EVENT) && is_found(&known, ACCEPTED) && is_found(&known, &third));
        for (len, is_stored) in [(4096, true), (4097, false)] {
            let head = EVENT.replace("one", &"x".repeat(len - EVENT.len() + 3));
            assert_eq!(is_found(&super::tests::known(&[&head]), &head), is_stored, "{len} bytes");
        }
    }

    #[test]
    fn a_head_without_fields_is_found() {
        let bare = "HTTP/1.1 202 Accepted\r\n\r\n";
        let known = known(&[bare]);
        assert!(is_found(&known, bare));
        assert!(!is_found(&known, ACCEPTED));
    }

    #[test]
    fn a_value_with_any_number_of_control_characters_is_left_to_the_parser() {
        let known = known(&[EVENT]);
        for value in ["\u{1}", "\u{1}\u{1}", "\u{1}\u{7f}", "\u{7f}\u{7f}", "\u{1}\u{7f}\u{1}", "\u{1f}", "\0"] {
            assert!(!is_found(&known, &EVENT.replace("one", &format!("o{value}e"))), "{value:?}");
        }
        for value in ["o\te", "o e", "\u{e9}", "~"] {
            assert!(is_found(&known, &EVENT.replace("one", value)), "{value:?}");
        }
    }

    #[test]
    fn only_framing_fields_with_other_values_are_left_to_the_parser() {
        let head = |field: &str| format!("HTTP/1.1 200 OK\r\n{field}\r\nDate: one\r\n\r\n");
        for (field, other, is_found) in [
            ("Transfer-Encoding: chunked", "Transfer-Encoding: CHUNKED", false),
            ("Connection: keep-alive", "Connection: close", false),
            ("Expect: x", "Expect: 100-continue", false),
            ("Content-Length: 1", "Content-Length: 2", true),
            ("Transfer-Encodin_: 1", "Transfer-Encodin_: 2", true),
            ("Content-Lengt_: 1", "Content-Lengt_: 2", true),
            ("Connectio_: keep-alive", "Connectio_: close", true),
            ("Expec_: x", "Expec_: 100-continue", true),
        ] {
            let known = known(&[&head(field)]);
            let other = head(other);
            let found = known.find(other.as_bytes(), &Limits::default(), &mut Vec::new());
            let parsed = parse_whole(Role::Response, other.as_bytes(), &Limits::default(), &mut Vec::new());
            assert_eq!(found, parsed.filter(|_| is_found), "{other}");
        }
    }
}
