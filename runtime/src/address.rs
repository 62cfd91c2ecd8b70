//! Where the Runtime API is.

use std::fmt;
use std::str::FromStr;

use lambda_runtime_proto::client::{BasePath, Host};

use crate::RunError;

/// The environment variable that holds the Runtime API's address.
pub(crate) const VARIABLE: &str = "AWS_LAMBDA_RUNTIME_API";

/// The address of the Runtime API: `host:port`, or `http://host:port/base/path`.
///
/// ```
/// use lambda_runtime_base::Address;
///
/// let lambda: Address = "127.0.0.1:9001".parse()?;
/// let cargo_lambda: Address = "http://127.0.0.1:9000/.rt".parse()?;
/// let ipv6: Address = "[::1]:9001".parse()?;
/// assert_eq!(cargo_lambda.to_string(), "http://127.0.0.1:9000/.rt");
/// # Ok::<(), lambda_runtime_base::RunError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) base_path: BasePath,
    /// `host:port` as given.
    pub(crate) authority: Host,
}

impl Address {
    /// Reads `AWS_LAMBDA_RUNTIME_API`.
    ///
    /// # Errors
    ///
    /// The variable is not set, or its value is not an address.
    pub fn from_env() -> Result<Self, RunError> {
        match std::env::var(VARIABLE) {
            Ok(value) if !value.is_empty() => value.parse(),
            Err(std::env::VarError::NotUnicode(value)) => {
                Err(RunError::BadAddress { value: value.to_string_lossy().into_owned(), why: "it is not UTF-8" })
            }
            _ => Err(RunError::NoAddress),
        }
    }
}

impl FromStr for Address {
    type Err = RunError;

    fn from_str(value: &str) -> Result<Self, RunError> {
        let bad = |why| RunError::BadAddress { value: value.to_owned(), why };
        let rest = match value.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => rest,
            Some(_) => return Err(bad("only plain http:// is possible")),
            None => value,
        };
        let (authority, path) = match rest.split_once('/') {
            Some((authority, path)) => (authority, path.trim_matches('/')),
            None => (rest, ""),
        };
        let (host, port) = match authority.strip_prefix('[') {
            Some(bracketed) => {
                let (host, port) = bracketed.split_once(']').ok_or_else(|| bad("the bracket is not closed"))?;
                (host, port.strip_prefix(':').or(port.is_empty().then_some("")))
            }
            None => match authority.split_once(':') {
                Some((_, port)) if port.contains(':') => return Err(bad("an IPv6 address needs brackets: [::1]:9001")),
                Some((host, port)) => (host, Some(port)),
                None => (authority, Some("")),
            },
        };
        let port = match port {
            Some("") if !authority.ends_with(':') => 80,
            Some(port) => port
                .parse()
                .ok()
                .filter(|port| *port > 0)
                .ok_or_else(|| bad("the port is no number from 1 to 65535"))?,
            None => return Err(bad("what follows the bracket is no port")),
        };
        if host.is_empty() {
            return Err(bad("the host is missing"));
        }
        let invalid = |_| bad("it contains an invalid character");
        Ok(Self {
            host: host.to_owned(),
            port,
            base_path: format!("/{path}").parse().map_err(invalid)?,
            authority: authority.parse().map_err(invalid)?,
        })
    }
}

/// As it can stand in the variable.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.base_path.as_str() {
            "" => self.authority.fmt(f),
            path => write!(f, "http://{}{path}", self.authority),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(value: &str) -> (String, u16, String) {
        let address: Address = value.parse().unwrap_or_else(|error| panic!("{value}: {error}"));
        (address.host, address.port, address.base_path.to_string())
    }

    #[test]
    fn every_usual_form_is_understood() {
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
    fn what_is_no_address_is_refused_with_the_variable_and_the_reason() {
        for (value, why) in [
            ("https://host:1", "plain http"),
            ("", "host is missing"),
            (":9001", "host is missing"),
            ("host:", "port"),
            ("host:0", "port"),
            ("host:65536", "port"),
            ("host:-1", "port"),
            ("::1:9001", "brackets"),
            ("[::1", "not closed"),
            ("[::1]9001", "no port"),
            ("ho st:1", "character"),
            ("host:1/a\r\nb", "character"),
            ("host:1/?a", "character"),
        ] {
            let error = value.parse::<Address>().unwrap_err().to_string();
            assert!(error.contains(why) && error.contains(VARIABLE), "{value}: {error}");
        }
    }

    #[test]
    fn an_address_reads_back_as_it_was_written() {
        for value in ["127.0.0.1:9001", "[::1]:9001", "http://127.0.0.1:9000/.rt"] {
            assert_eq!(value.parse::<Address>().unwrap().to_string(), value);
        }
    }
}
