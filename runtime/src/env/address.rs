//! The address of the Runtime API.

use std::ffi::OsStr;
use std::fmt;
use std::str::FromStr;

use lambda_runtime_proto::client::{BasePath, Host};

use super::{Environment, RUNTIME_API};

/// The address of the Runtime API: `host:port`, or `http://host:port/base/path`.
///
/// ```
/// use lambda_runtime_base::Address;
///
/// let lambda: Address = "127.0.0.1:9001".parse()?;
/// let cargo_lambda: Address = "http://127.0.0.1:9000/.rt".parse()?;
/// let ipv6: Address = "[::1]:9001".parse()?;
/// assert_eq!(cargo_lambda.to_string(), "http://127.0.0.1:9000/.rt");
/// # Ok::<(), lambda_runtime_base::AddressError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Without brackets.
    host: String,
    port: u16,
    base_path: BasePath,
    /// `host:port` as given.
    authority: Host,
}

impl Address {
    /// Reads `AWS_LAMBDA_RUNTIME_API`.
    ///
    /// # Errors
    ///
    /// The variable is not set, or its value is not an address.
    pub fn from_env() -> Result<Self, AddressError> {
        Self::from_environment(&Environment::Process)
    }

    pub(crate) fn from_environment(environment: &Environment) -> Result<Self, AddressError> {
        let value = environment.get(RUNTIME_API).filter(|value| !value.is_empty());
        let value = value.ok_or(AddressError { value: None, reason: "it is not set" })?;
        let text = value.to_str().ok_or_else(|| AddressError::new(&value, "it is not UTF-8"))?;
        text.parse()
    }

    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn base_path(&self) -> &BasePath {
        &self.base_path
    }

    pub(crate) fn authority(&self) -> &Host {
        &self.authority
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(value: &str) -> Result<Self, AddressError> {
        let invalid = |reason| AddressError::new(value.as_ref(), reason);
        let rest = match value.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => rest,
            Some(_) => return Err(invalid("only plain http:// is supported")),
            None => value,
        };
        let (authority, path) = match rest.split_once('/') {
            Some((authority, path)) => (authority, path.trim_matches('/')),
            None => (rest, ""),
        };
        let (host, port) = match authority.strip_prefix('[') {
            Some(bracketed) => {
                let (host, port) = bracketed.split_once(']').ok_or_else(|| invalid("the bracket is not closed"))?;
                (host, port.strip_prefix(':').or(port.is_empty().then_some("")))
            }
            None => match authority.split_once(':') {
                Some((_, port)) if port.contains(':') => {
                    return Err(invalid("an IPv6 address needs brackets: [::1]:9001"));
                }
                Some((host, port)) => (host, Some(port)),
                None => (authority, Some("")),
            },
        };
        let port = match port {
            Some("") if !authority.ends_with(':') => 80,
            Some(port) => parse_port(port).ok_or_else(|| invalid("the port is not a number from 1 to 65535"))?,
            None => return Err(invalid("the bracket is not followed by a port")),
        };
        if host.is_empty() {
            return Err(invalid("the host is missing"));
        }
        let invalid_character = |_| invalid("it contains an invalid character");
        Ok(Self {
            host: host.to_owned(),
            port,
            base_path: format!("/{path}").parse().map_err(invalid_character)?,
            authority: authority.parse().map_err(invalid_character)?,
        })
    }
}

/// Digits only: `u16::from_str` accepts a sign.
fn parse_port(port: &str) -> Option<u16> {
    let digits = port.bytes().all(|byte| byte.is_ascii_digit());
    port.parse().ok().filter(|port| digits && *port > 0)
}

/// Formats the address like the value of the variable.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.base_path.as_str() {
            "" => self.authority.fmt(f),
            path => write!(f, "http://{}{path}", self.authority),
        }
    }
}

/// The value of `AWS_LAMBDA_RUNTIME_API`, or a text that was parsed as an [`Address`], is not an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressError {
    /// `None` if the variable is not set.
    value: Option<String>,
    reason: &'static str,
}

impl AddressError {
    fn new(value: &OsStr, reason: &'static str) -> Self {
        Self { value: Some(value.to_string_lossy().into_owned()), reason }
    }
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MAX_SHOWN: usize = 200;
        match &self.value {
            None => write!(
                f,
                "the environment variable {RUNTIME_API} is not set: this program is a Lambda function and needs \
                 Lambda's Runtime API. Run it locally with `lambda-emulator --event '{{}}' -- PROGRAM` or \
                 `cargo lambda watch`"
            ),
            Some(value) => {
                let shown: String = value.chars().take(MAX_SHOWN).collect();
                let cut = if shown.len() < value.len() { "…" } else { "" };
                write!(
                    f,
                    "invalid {RUNTIME_API} \"{}{cut}\": expected host:port or http://host:port/path, but {}",
                    shown.escape_debug(),
                    self.reason
                )
            }
        }
    }
}

impl std::error::Error for AddressError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(value: &str) -> (String, u16, String) {
        let address: Address = value.parse().unwrap_or_else(|error| panic!("{value}: {error}"));
        (address.host, address.port, address.base_path.to_string())
    }

    #[test]
    fn every_common_form_is_parsed() {
        for (value, host, port, base_path) in [
            ("127.0.0.1:9001", "127.0.0.1", 9001, ""),
            ("localhost:9001", "localhost", 9001, ""),
            ("http://127.0.0.1:9000/.rt", "127.0.0.1", 9000, "/.rt"),
            ("HTTP://host:1/a/b/", "host", 1, "/a/b"),
            ("http://host", "host", 80, ""),
            ("host/", "host", 80, ""),
            ("[::1]:9001", "::1", 9001, ""),
            ("http://[fe80::1%25eth0]/x", "fe80::1%25eth0", 80, "/x"),
        ] {
            assert_eq!(parts(value), (host.to_owned(), port, base_path.to_owned()), "{value}");
        }
    }

    #[test]
    fn an_error_names_the_variable_the_value_and_the_reason() {
        for (value, why) in [
            ("https://host:1", "plain http"),
            ("", "host is missing"),
            (":9001", "host is missing"),
            ("host:", "port"),
            ("host:0", "port"),
            ("host:65536", "port"),
            ("host:-1", "port"),
            ("host:+9001", "port"),
            ("::1:9001", "brackets"),
            ("[::1", "not closed"),
            ("[::1]9001", "not followed by a port"),
            ("ho st:1", "character"),
            ("host:1/a\r\nb", "character"),
            ("host:1/?a", "character"),
        ] {
            let error = value.parse::<Address>().unwrap_err().to_string();
            assert!(error.contains(why) && error.contains(RUNTIME_API), "{value}: {error}");
            assert!(error.contains(&format!("\"{}\"", value.escape_debug())), "{error}");
        }
    }

    #[test]
    fn an_address_displays_as_it_was_written() {
        for value in ["127.0.0.1:9001", "[::1]:9001", "http://127.0.0.1:9000/.rt"] {
            assert_eq!(value.parse::<Address>().unwrap().to_string(), value);
        }
    }
}
