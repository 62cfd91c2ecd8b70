//! The parts of an API's address that are written into requests.

use std::fmt;
use std::str::FromStr;

/// The value of the `Host` header: a host and an optional port, such as `127.0.0.1:9001` or `[::1]:9001`.
///
/// ```
/// use lambda_runtime_proto::client::Host;
///
/// let host: Host = "127.0.0.1:9001".parse()?;
/// assert!("127.0.0.1\r\nX-Injected: 1".parse::<Host>().is_err());
/// # Ok::<(), lambda_runtime_proto::client::ParseAddressError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host(String);

/// The part of every path that precedes `/2018-06-01/…`: empty in Lambda, which is the default, and `/.rt` under
/// `cargo lambda watch`.
///
/// It starts with a slash; slashes at its end are removed.
///
/// ```
/// use lambda_runtime_proto::client::BasePath;
///
/// let base_path: BasePath = "/.rt/".parse()?;
/// assert_eq!(base_path.as_str(), "/.rt");
/// assert!("/.rt HTTP/1.1".parse::<BasePath>().is_err());
/// # Ok::<(), lambda_runtime_proto::client::ParseAddressError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BasePath(String);

/// A string that is not a [`Host`] or not a [`BasePath`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseAddressError {
    part: &'static str,
    /// Its first characters.
    value: String,
    expected: &'static str,
}

impl Host {
    /// Returns the host as it was parsed.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl BasePath {
    /// Returns the path, which is empty or starts with a slash and does not end in one.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Host {
    type Err = ParseAddressError;

    fn from_str(value: &str) -> Result<Self, ParseAddressError> {
        let is_safe = |byte| is_unreserved_or_encoded(byte) || matches!(byte, b':' | b'[' | b']');
        if value.is_empty() || !value.bytes().all(is_safe) {
            let expected = "a host and an optional port, such as 127.0.0.1:9001";
            return Err(ParseAddressError::new("host", value, expected));
        }
        Ok(Self(value.to_owned()))
    }
}

impl FromStr for BasePath {
    type Err = ParseAddressError;

    fn from_str(value: &str) -> Result<Self, ParseAddressError> {
        let is_safe = |byte| is_unreserved_or_encoded(byte) || matches!(byte, b'/' | b':' | b'@');
        if !(value.is_empty() || value.starts_with('/')) || !value.bytes().all(is_safe) {
            let expected = "nothing or a percent-encoded path that starts with a slash, such as /.rt";
            return Err(ParseAddressError::new("base path", value, expected));
        }
        Ok(Self(value.trim_end_matches('/').to_owned()))
    }
}

/// RFC 3986's unreserved characters and sub-delimiters, and the sign of percent-encoding.
fn is_unreserved_or_encoded(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=%".contains(&byte)
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for BasePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl ParseAddressError {
    fn new(part: &'static str, value: &str, expected: &'static str) -> Self {
        Self { part, value: value.chars().take(100).collect(), expected }
    }
}

impl fmt::Display for ParseAddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid {} {:?}: expected {}", self.part, self.value, self.expected)
    }
}

impl std::error::Error for ParseAddressError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_or_an_address_with_an_optional_port() {
        for host in ["127.0.0.1:9001", "[::1]:9001", "[fe80::1%25eth0]", "localhost", "a_b.example:1"] {
            assert_eq!(host.parse::<Host>().unwrap().as_str(), host);
        }
    }

    #[test]
    fn a_base_path_starts_with_a_slash_and_does_not_end_in_one() {
        for (value, path) in [("", ""), ("/", ""), ("/.rt", "/.rt"), ("/a/b//", "/a/b"), ("/a%20b@c:1", "/a%20b@c:1")] {
            assert_eq!(value.parse::<BasePath>().unwrap().as_str(), path);
        }
        assert_eq!(BasePath::default().as_str(), "");
    }

    #[test]
    fn nothing_that_could_end_a_request_line_or_a_header_is_accepted() {
        for byte in (0..=b' ').chain([0x7f]).chain(*b"?#\\\"<>^`{|}") {
            let character = char::from(byte);
            assert!(format!("host{character}").parse::<Host>().is_err(), "{character:?}");
            assert!(format!("/path{character}").parse::<BasePath>().is_err(), "{character:?}");
        }
        for value in ["", "a/b", "user@host", "h\u{f6}st"] {
            assert!(value.parse::<Host>().is_err(), "{value:?}");
        }
        for value in ["a", "http://host/a", "/\u{f6}"] {
            assert!(value.parse::<BasePath>().is_err(), "{value:?}");
        }
    }

    #[test]
    fn an_error_shows_the_value_escaped_and_cut() {
        let error = format!("a\r\n{}", "b".repeat(10_000)).parse::<Host>().unwrap_err().to_string();
        assert!(error.starts_with("invalid host \"a\\r\\nbbb") && error.len() < 200, "{error}");
    }
}
