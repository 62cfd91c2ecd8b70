//! The text form of faults.

use std::fmt;
use std::iter::Peekable;
use std::str::{FromStr, SplitWhitespace};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, header};
use lambda_runtime_proto::Endpoint;

use super::{Break, CannedReply, Effect, Fault, Side, Target};

/// A text that is not a fault, and the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    text: String,
    reason: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid fault {:?}: {}", self.text, self.reason)
    }
}

impl std::error::Error for ParseError {}

const CONNECTION: &str = "connection";

const ENDPOINTS: [(&str, Endpoint); 9] = [
    ("next", Endpoint::Next),
    ("response", Endpoint::Response),
    ("error", Endpoint::Error),
    ("init-error", Endpoint::InitError),
    ("restore-next", Endpoint::RestoreNext),
    ("restore-error", Endpoint::RestoreError),
    ("register", Endpoint::RegisterExtension),
    ("extension-next", Endpoint::NextExtensionEvent),
    ("metadata", Endpoint::Metadata),
];

impl FromStr for Fault {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        parse(text).map_err(|reason| ParseError { text: text.to_owned(), reason })
    }
}

fn parse(text: &str) -> Result<Fault, String> {
    let (target, effect) =
        text.split_once(':').ok_or("expected TARGET: EFFECT, such as \"response 1: reset at 100\"")?;
    let target = self::target(target)?;
    let effect = match effect.trim_start().strip_prefix("reply ") {
        Some(reply) => self::reply(reply)?,
        None => self::breaks(Words(effect.split_whitespace().peekable()), target)?,
    };
    Ok(Fault { target, effect })
}

fn target(text: &str) -> Result<Target, String> {
    let mut words = Words(text.split_whitespace().peekable());
    let name = words.0.next().unwrap_or_default();
    let which = words.number("the number of a request or connection")?;
    words.end()?;
    if which == Some(0) {
        return Err(format!("{name} 0: the first is 1"));
    }
    if name == CONNECTION {
        return Ok(Target::Connection(which));
    }
    let known = ENDPOINTS.into_iter().find(|(known, _)| *known == name);
    known.map(|(_, endpoint)| Target::Request(endpoint, which)).ok_or_else(|| {
        let names = ENDPOINTS.map(|(name, _)| name).join(", ");
        format!("unknown target {name:?}: expected {names} or {CONNECTION}")
    })
}

fn breaks(mut words: Words<'_>, target: Target) -> Result<Effect, String> {
    let how = match words.0.next().unwrap_or_default() {
        "delay" => {
            let time = words.time()?.ok_or("delay: expected a time, such as 20ms or 1.5s")?;
            words.end()?;
            return Ok(Effect::Break { how: Break::Stall(Some(time)), at: 0, of: Side::Reply });
        }
        "close" => Break::Close,
        "reset" => Break::Reset,
        "half-close" => Break::HalfClose,
        "stall" => Break::Stall(words.time()?),
        "dribble" => {
            let bytes = words.number("a number of bytes")?.unwrap_or(1);
            if bytes == 0 {
                return Err("dribble 0: expected at least one byte".to_owned());
            }
            let every = match words.skip("every") {
                true => words.time()?.ok_or("every: expected a time, such as 20ms or 1.5s")?,
                false => Duration::ZERO,
            };
            Break::Dribble { bytes, every }
        }
        "garble" => Break::Garble { bytes: words.number("a number of bytes")?.unwrap_or(1) },
        other => {
            return Err(format!(
                "unknown effect {other:?}: expected close, reset, half-close, stall, dribble, garble, delay or reply STATUS"
            ));
        }
    };
    let at = words.at()?.unwrap_or(0);
    let of = match words.skip("of") {
        true => words.side()?,
        false => Side::of_payload(target),
    };
    words.end()?;
    Ok(Effect::Break { how, at, of })
}

fn reply(text: &str) -> Result<Effect, String> {
    let (status, rest) = first_word(text);
    let status = status.parse().ok().filter(|status| (200..=999).contains(status));
    let status = status.ok_or("reply: expected a status from 200 to 999")?;
    let (at, rest) = match first_word(rest) {
        ("at", after) => match first_word(after) {
            (byte, rest) if !byte.is_empty() && byte.bytes().all(|b| b.is_ascii_digit()) => {
                (Some(byte.parse().map_err(|_| format!("at {byte}: the number is too large"))?), rest)
            }
            _ => (None, rest),
        },
        _ => (None, rest),
    };
    let (fields, body) = match rest.strip_prefix('(') {
        Some(rest) => rest.split_once(')').ok_or("the headers must end in )")?,
        None => ("", rest),
    };
    let mut headers =
        fields.split(';').filter(|field| !field.trim().is_empty()).map(self::field).collect::<Result<Vec<_>, _>>()?;
    let body = Bytes::copy_from_slice(body.trim().as_bytes());
    if !body.is_empty() && !headers.iter().any(|(name, _)| name == header::CONTENT_TYPE) {
        headers.push((header::CONTENT_TYPE, HeaderValue::from_static("application/json")));
    }
    let reply = CannedReply { status, headers, body };
    Ok(match at {
        None => Effect::Reply(reply),
        Some(at) => Effect::EarlyReply { at, reply },
    })
}

fn field(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let field = text.split_once(':').and_then(|(name, value)| {
        Some((HeaderName::from_str(name.trim()).ok()?, HeaderValue::from_str(value.trim()).ok()?))
    });
    field.ok_or_else(|| format!("invalid header {text:?}: expected NAME: VALUE"))
}

/// The first word, and the text after it and the following spaces.
fn first_word(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (word, rest.trim_start())
}

struct Words<'t>(Peekable<SplitWhitespace<'t>>);

impl Words<'_> {
    fn skip(&mut self, word: &str) -> bool {
        self.0.next_if_eq(&word).is_some()
    }

    /// The next word, if it begins with a digit.
    fn digits(&mut self) -> Option<&str> {
        self.0.next_if(|word| word.starts_with(|c: char| c.is_ascii_digit()))
    }

    fn number<T: FromStr>(&mut self, what: &str) -> Result<Option<T>, String> {
        self.digits().map(|word| word.parse().map_err(|_| format!("{word:?} is not {what}"))).transpose()
    }

    fn time(&mut self) -> Result<Option<Duration>, String> {
        self.digits().map(self::time).transpose()
    }

    fn at(&mut self) -> Result<Option<u64>, String> {
        const WHAT: &str = "the position of a byte";
        match self.skip("at") {
            true => self.number(WHAT)?.map(Some).ok_or_else(|| format!("at: expected {WHAT}")),
            false => Ok(None),
        }
    }

    fn side(&mut self) -> Result<Side, String> {
        self.skip("the");
        match self.0.next() {
            Some("request") => Ok(Side::Request),
            Some("reply") => Ok(Side::Reply),
            _ => Err("of: expected \"the request\" or \"the reply\"".to_owned()),
        }
    }

    fn end(mut self) -> Result<(), String> {
        self.0.next().map_or(Ok(()), |word| Err(format!("unexpected {word:?}")))
    }
}

fn time(text: &str) -> Result<Duration, String> {
    let units = [("ms", 1e-3), ("µs", 1e-6), ("us", 1e-6), ("ns", 1e-9), ("s", 1.0)];
    let number = units.into_iter().find_map(|(unit, seconds)| {
        let number: f64 = text.strip_suffix(unit)?.parse().ok()?;
        Duration::try_from_secs_f64(number * seconds).ok()
    });
    number.ok_or_else(|| format!("invalid duration {text:?}: expected a number and a unit, such as 20ms or 1.5s"))
}

impl Side {
    /// The side that carries the payload.
    fn of_payload(target: Target) -> Self {
        match target {
            Target::Request(endpoint, _) if endpoint.method() == "POST" => Side::Request,
            _ => Side::Reply,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.target, self.effect)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, which) = match self {
            Self::Connection(which) => (CONNECTION, which),
            Self::Request(endpoint, which) => {
                let known = ENDPOINTS.iter().find(|(_, known)| known == endpoint);
                (known.map_or("request", |(name, _)| name), which)
            }
        };
        f.write_str(name)?;
        which.map_or(Ok(()), |which| write!(f, " {which}"))
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Break { how, at, of } => {
                write!(f, "{how} at {at} of the {}", if *of == Side::Request { "request" } else { "reply" })
            }
            Self::Reply(reply) => write!(f, "reply {}{reply}", reply.status),
            Self::EarlyReply { at, reply } => write!(f, "reply {} at {at}{reply}", reply.status),
        }
    }
}

impl fmt::Display for Break {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Close => f.write_str("close"),
            Self::Reset => f.write_str("reset"),
            Self::HalfClose => f.write_str("half-close"),
            Self::Stall(None) => f.write_str("stall"),
            Self::Stall(Some(time)) => write!(f, "stall {time:?}"),
            Self::Dribble { bytes, every } if every.is_zero() => write!(f, "dribble {bytes}"),
            Self::Dribble { bytes, every } => write!(f, "dribble {bytes} every {every:?}"),
            Self::Garble { bytes } => write!(f, "garble {bytes}"),
        }
    }
}

/// The headers and the body, as they follow the status.
impl fmt::Display for CannedReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, (name, value)) in self.headers.iter().enumerate() {
            let before = if n == 0 { " (" } else { "; " };
            write!(f, "{before}{name}: {}", String::from_utf8_lossy(value.as_bytes()))?;
        }
        if !self.headers.is_empty() {
            f.write_str(")")?;
        }
        if !self.body.is_empty() {
            write!(f, " {}", String::from_utf8_lossy(&self.body))?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn parsing_what_is_displayed_gives_the_same_fault() {
        for (text, displayed) in [
            ("response 1: reset at 100", "response 1: reset at 100 of the request"),
            ("response 1: reset at 100 of the reply", "response 1: reset at 100 of the reply"),
            ("next 3: close at 20", "next 3: close at 20 of the reply"),
            ("next:close", "next: close at 0 of the reply"),
            ("next 1: half-close of request", "next 1: half-close at 0 of the request"),
            ("connection 2: stall at 7", "connection 2: stall at 7 of the reply"),
            ("connection: stall 1.5s at 7 of request", "connection: stall 1.5s at 7 of the request"),
            ("error: delay 20ms", "error: stall 20ms at 0 of the reply"),
            ("response: dribble", "response: dribble 1 at 0 of the request"),
            ("response: dribble 10 every 300us at 5", "response: dribble 10 every 300µs at 5 of the request"),
            ("next: garble at 9", "next: garble 1 at 9 of the reply"),
            ("register 1: garble 4 of reply", "register 1: garble 4 at 0 of the reply"),
            ("next 1: reply 500", "next 1: reply 500"),
            ("next 1: reply 500 at once", "next 1: reply 500 (content-type: application/json) at once"),
            ("response 1: reply 413 at 1000", "response 1: reply 413 at 1000"),
            (
                "response 1: reply 413 at 9 ( Connection: close; A: b ) {\"a\": [1; 2]}",
                "response 1: reply 413 at 9 (connection: close; a: b; content-type: application/json) {\"a\": [1; 2]}",
            ),
            (
                "init-error: reply 202 (Content-Type: text/plain) fine",
                "init-error: reply 202 (content-type: text/plain) fine",
            ),
        ] {
            let fault: Fault = text.parse().unwrap();
            assert_eq!(fault.to_string(), displayed, "{text}");
            assert_eq!(displayed.parse::<Fault>().unwrap(), fault, "{text}");
        }
    }

    #[test]
    fn every_endpoint_has_a_name() {
        for (name, endpoint) in ENDPOINTS {
            let fault: Fault = format!("{name} 2: close").parse().unwrap();
            assert_eq!(fault.target, Target::Request(endpoint, Some(2)));
        }
    }

    #[test]
    fn an_error_names_what_is_wrong() {
        for (text, named) in [
            ("", "expected TARGET: EFFECT"),
            ("reset at 100", "expected TARGET: EFFECT"),
            ("reponse 1: reset", "unknown target \"reponse\": expected next, response"),
            ("response 0: reset", "the first is 1"),
            ("response first: reset", "unexpected \"first\""),
            ("response 1x: reset", "\"1x\" is not the number of a request"),
            ("response 1:", "unknown effect \"\": expected close"),
            ("response 1: explode", "unknown effect \"explode\": expected close, reset"),
            ("response 1: reset at", "at: expected the position of a byte"),
            ("response 1: reset at 1k", "\"1k\" is not the position of a byte"),
            ("response 1: reset at -1", "at: expected the position of a byte"),
            ("response 1: reset 100", "unexpected \"100\""),
            ("response 1: reset of both", "expected \"the request\" or \"the reply\""),
            ("response 1: stall 20", "invalid duration \"20\""),
            ("response 1: stall 20m", "invalid duration \"20m\": expected a number and a unit"),
            ("response 1: delay", "delay: expected a time"),
            ("response 1: delay 1s at 5", "unexpected \"at\""),
            ("response 1: dribble 0", "expected at least one byte"),
            ("response 1: dribble every", "every: expected a time"),
            ("response 1: reply", "unknown effect \"reply\""),
            ("response 1: reply early", "expected a status from 200"),
            ("response 1: reply 100", "expected a status from 200"),
            ("response 1: reply 413 at 99999999999999999999", "too large"),
            ("response 1: reply 500 (a: b", "must end in )"),
            ("response 1: reply 500 (a b)", "invalid header \"a b\""),
            ("response 1: reply 500 (a b: c)", "invalid header"),
        ] {
            let error = text.parse::<Fault>().unwrap_err().to_string();
            assert!(error.contains(named) && error.contains(&format!("{text:?}")), "{error}");
        }
    }
}
