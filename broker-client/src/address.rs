//! Where a broker is: the text that a caller gives, as host and port.
//!
//! Invariants: the host is not empty, the port is not 0. Names are looked up elsewhere.

use std::fmt;

use broker_core::wire::native::PORT;

use crate::ConnectError;

/// Host and port of a broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    /// A name or an IP address, without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Address {
    /// Reads `broker://host:port`, `tcp://host:port`, `host:port` or `host`; an IPv6 address with a port stands in brackets.
    pub(crate) fn parse(url: &str) -> Result<Self, ConnectError> {
        parts(url.trim()).map_err(|why| ConnectError::Address { url: url.to_owned(), why })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

fn parts(text: &str) -> Result<Address, &'static str> {
    let rest = match text.split_once("://") {
        Some(("broker" | "tcp", rest)) => rest,
        Some(_) => return Err("the scheme must be broker or tcp"),
        None => text,
    };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let (host, port) = split_port(rest)?;
    if host.is_empty() {
        return Err("there is no host");
    }
    if let Some(why) = host.chars().find_map(objection) {
        return Err(why);
    }
    let port = match port {
        None => PORT,
        Some(digits) => match digits.parse() {
            Ok(0) | Err(_) => return Err("the port must be a number from 1 to 65535"),
            Ok(port) => port,
        },
    };
    Ok(Address { host: host.to_owned(), port })
}

/// Splits off the port, if there is one.
fn split_port(text: &str) -> Result<(&str, Option<&str>), &'static str> {
    if let Some(inner) = text.strip_prefix('[') {
        let (host, behind) = inner.split_once(']').ok_or("a ] is missing")?;
        return match behind.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if behind.is_empty() => Ok((host, None)),
            None => Err("behind the ] must be a : and a port"),
        };
    }
    match text.split_once(':') {
        // More than one colon and no brackets: an IPv6 address without a port.
        Some((_, rest)) if rest.contains(':') => Ok((text, None)),
        Some((host, port)) => Ok((host, Some(port))),
        None => Ok((text, None)),
    }
}

fn objection(character: char) -> Option<&'static str> {
    match character {
        '/' | '?' | '#' => Some("there must be nothing behind the port"),
        '@' => Some("user names are not supported"),
        _ if character.is_whitespace() || character.is_control() => Some("the host has a blank in it"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_an_address() {
        for (url, host, port) in [
            ("localhost", "localhost", 36912),
            ("localhost:7", "localhost", 7),
            ("broker://10.0.0.1:1234", "10.0.0.1", 1234),
            ("broker://example.org/", "example.org", 36912),
            ("tcp://example.org:65535", "example.org", 65535),
            ("[::1]:80", "::1", 80),
            ("[::1]", "::1", 36912),
            ("::1", "::1", 36912),
            ("  localhost\n", "localhost", 36912),
        ] {
            assert_eq!(Address::parse(url), Ok(Address { host: host.to_owned(), port }), "{url}");
        }
    }

    #[test]
    fn what_is_none() {
        for (url, why) in [
            ("", "there is no host"),
            ("broker://", "there is no host"),
            (":80", "there is no host"),
            ("http://localhost", "the scheme must be broker or tcp"),
            ("localhost:", "the port must be a number from 1 to 65535"),
            ("localhost:0", "the port must be a number from 1 to 65535"),
            ("localhost:65536", "the port must be a number from 1 to 65535"),
            ("[::1", "a ] is missing"),
            ("[::1]80", "behind the ] must be a : and a port"),
            ("me@localhost", "user names are not supported"),
            ("broker://localhost:80/topic", "the port must be a number from 1 to 65535"),
            ("localhost/x", "there must be nothing behind the port"),
            ("a b", "the host has a blank in it"),
        ] {
            assert_eq!(Address::parse(url), Err(ConnectError::Address { url: url.to_owned(), why }), "{url}");
        }
    }

    #[test]
    fn display_is_readable_again() {
        for url in ["localhost:7", "[::1]:80"] {
            assert_eq!(Address::parse(url).map(|address| address.to_string()).as_deref(), Ok(url));
        }
    }
}
