//! Text from the function or from the API, made safe for one line of the log.

use std::fmt::{self, Write as _};

/// Text from the function or from the API on one line: control characters are escaped, so it cannot forge a line of the
/// log, and at most [`MAX_TEXT`] bytes are shown.
pub(crate) struct OneLine<T>(pub(crate) T);

/// The longest text of the function or the API in one line of the log. CloudWatch accepts 256 KiB for a whole line.
const MAX_TEXT: usize = 4 * 1024;

impl<T: fmt::Display> fmt::Display for OneLine<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = Escaping { out: f, room: MAX_TEXT };
        match write!(line, "{}", self.0) {
            Err(fmt::Error) if line.room == 0 => f.write_str(" [truncated]"),
            result => result,
        }
    }
}

/// Text of any length on one line, escaped as in [`OneLine`].
#[cfg(feature = "tracing")]
pub(crate) struct Escaped<'a>(pub(crate) &'a str);

#[cfg(feature = "tracing")]
impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Escaping { out: f, room: usize::MAX }.write_str(self.0)
    }
}

struct Escaping<'a, 'f> {
    out: &'a mut fmt::Formatter<'f>,
    room: usize,
}

impl fmt::Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            let Some(room) = self.room.checked_sub(c.len_utf8()) else {
                self.room = 0;
                // Ends the formatting of the rest, which may be long.
                return Err(fmt::Error);
            };
            self.room = room;
            match c {
                '\u{2028}' | '\u{2029}' => write!(self.out, "{}", c.escape_unicode())?,
                c if c.is_control() && c != '\t' => write!(self.out, "{}", c.escape_default())?,
                c => self.out.write_char(c)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_on_one_line() {
        let forged = "x\nREPORT RequestId: forged\r\u{1b}[31m\u{85}\u{2028}\0 ü\t\u{1f980} \"quoted\\\"";
        let line = OneLine(forged).to_string();
        assert_eq!(line, "x\\nREPORT RequestId: forged\\r\\u{1b}[31m\\u{85}\\u{2028}\\u{0} ü\t\u{1f980} \"quoted\\\"");
    }

    #[test]
    fn long_text_is_truncated_and_not_formatted_to_its_end() {
        struct Endless;

        impl fmt::Display for Endless {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                loop {
                    f.write_str("\u{fc}")?;
                }
            }
        }

        let line = OneLine(Endless).to_string();
        assert_eq!(line, format!("{} [truncated]", "\u{fc}".repeat(MAX_TEXT / 2)));
        let fits = "x".repeat(MAX_TEXT);
        assert_eq!(OneLine(&fits).to_string(), fits);
    }
}
