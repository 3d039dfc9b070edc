//! Where to listen: an address as it is written, checked but not resolved.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use super::DEFAULT_PORT;
use super::error::Problem;

/// Longest name that the domain name system allows, in bytes.
const HOST_BYTES_MAX: usize = 253;

/// What stands behind an address that need not be free.
const IF_FREE: &str = " if free";

/// Where a listener listens, or that it does not.
///
/// Written `127.0.0.1:36912`, `localhost:36912`, `[::1]:36912`, `36912` (on 127.0.0.1), or `off`. Port 0 lets the system choose. With ` if free` behind
/// it, a port that somebody else has is no error.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Listen {
    /// At this address.
    At(ListenAddress),
    /// At this address, or nowhere if the port is in use.
    IfFree(ListenAddress),
    /// Nowhere.
    Off,
}

/// A host and a port. The host is an address or a name; whoever binds resolves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenAddress {
    /// An IPv4 address, an IPv6 address without brackets, or a name.
    pub host: String,
    /// 0 lets the system choose.
    pub port: u16,
}

impl ListenAddress {
    /// An address of this machine alone.
    pub fn loopback(port: u16) -> Self {
        ListenAddress { host: Ipv4Addr::LOCALHOST.to_string(), port }
    }
}

impl Default for Listen {
    fn default() -> Self {
        Listen::At(ListenAddress::loopback(DEFAULT_PORT))
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Listen::At(address) => address.fmt(f),
            Listen::IfFree(address) => write!(f, "{address}{IF_FREE}"),
            Listen::Off => f.write_str("off"),
        }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl FromStr for Listen {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        if text == "off" {
            return Ok(Listen::Off);
        }
        if let Some(address) = text.strip_suffix(IF_FREE) {
            return match address.parse()? {
                Listen::At(address) => Ok(Listen::IfFree(address)),
                Listen::IfFree(_) | Listen::Off => Err(invalid(text)),
            };
        }
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(Listen::At(ListenAddress::loopback(parse_port(text)?)));
        }
        let Some((host, port)) = split(text) else { return Err(invalid(text)) };
        if !is_host(host) {
            return Err(invalid(text));
        }
        if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(Listen::At(ListenAddress { host: host.to_owned(), port: parse_port(port)? }));
        }
        Err(invalid(text))
    }
}

/// Host (without brackets) and port.
fn split(text: &str) -> Option<(&str, &str)> {
    if let Some(behind) = text.strip_prefix('[') {
        let (host, port) = behind.split_once("]:")?;
        return is_ipv6(host).then_some((host, port));
    }
    let (host, port) = text.rsplit_once(':')?;
    (!host.contains(':')).then_some((host, port))
}

fn is_ipv6(host: &str) -> bool {
    // A scope (`fe80::1%eth0`) is for the resolver to know.
    let address = host.split_once('%').map_or(host, |(address, _)| address);
    address.parse::<Ipv6Addr>().is_ok()
}

fn is_host(host: &str) -> bool {
    if is_ipv6(host) || host.parse::<Ipv4Addr>().is_ok() {
        return true;
    }
    let like_a_number = host.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    !like_a_number && host.len() <= HOST_BYTES_MAX && host.trim_end_matches('.').split('.').all(label)
}

/// `digits` are digits, one at least.
fn parse_port(digits: &str) -> Result<u16, Problem> {
    digits
        .parse()
        .map_err(|_| Problem::TooLarge { value: format!("port {digits}"), max: u16::MAX.to_string() })
}

fn invalid(text: &str) -> Problem {
    Problem::Invalid {
        text: text.to_owned(),
        expected: "an address such as 127.0.0.1:36912 or [::]:36912, a port, or off".to_owned(),
        suggestion: suggest(text).map(|text| format!("'{text}'")),
    }
}

/// What people write instead: no port, no brackets, nothing or a star for every interface, a URL.
fn suggest(text: &str) -> Option<String> {
    if text.len() <= 4 && strsim::osa_distance(&text.to_ascii_lowercase(), "off") <= 1 {
        return Some("off".to_owned());
    }
    let bare = text.split_once("://").map_or(text, |(_, behind)| behind).trim_end_matches('/');
    let candidate = if let Some(port) =
        bare.strip_prefix("*:").or_else(|| bare.strip_prefix(':')).filter(|port| !port.contains(':'))
    {
        format!("0.0.0.0:{port}")
    } else if is_ipv6(bare) {
        format!("[{bare}]:{DEFAULT_PORT}")
    } else if bare.starts_with('[') && bare.ends_with(']') || is_host(bare) {
        format!("{bare}:{DEFAULT_PORT}")
    } else {
        bare.to_owned()
    };
    (candidate != text && candidate.parse::<Listen>().is_ok()).then_some(candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<&str, &str>) {
        let parsed =
            text.parse::<Listen>().map(|listen| listen.to_string()).map_err(|problem| problem.to_string());
        assert_eq!(parsed.as_deref().map_err(String::as_str), expected, "{text}");
    }

    #[test]
    fn addresses() {
        check("off", Ok("off"));
        check("36912", Ok("127.0.0.1:36912"));
        check("0", Ok("127.0.0.1:0"));
        check("0.0.0.0:4222", Ok("0.0.0.0:4222"));
        check("[::]:36912", Ok("[::]:36912"));
        check("[fe80::1%eth0]:1", Ok("[fe80::1%eth0]:1"));
        check("localhost:36912", Ok("localhost:36912"));
        check("my-host.example.org.:65535", Ok("my-host.example.org.:65535"));
        check("4222 if free", Ok("127.0.0.1:4222 if free"));
    }

    #[test]
    fn not_addresses() {
        const NOT: &str = "is not an address such as 127.0.0.1:36912 or [::]:36912, a port, or off";
        let refused = |text: &str, suggestion: &str| {
            let end =
                if suggestion.is_empty() { String::new() } else { format!("; did you mean '{suggestion}'?") };
            check(text, Err(&format!("'{text}' {NOT}{end}")));
        };
        refused("", "");
        refused("of", "off");
        refused("off if free", "");
        refused("1 if free if free", "");
        refused("OFF", "off");
        refused("127.0.0.1", "127.0.0.1:36912");
        refused("localhost", "localhost:36912");
        refused("::1", "[::1]:36912");
        refused("[::1]", "[::1]:36912");
        refused(":36912", "0.0.0.0:36912");
        refused("*:36912", "0.0.0.0:36912");
        refused("tcp://10.0.0.1:36912", "10.0.0.1:36912");
        refused("broker://10.0.0.1/", "10.0.0.1:36912");
        refused("300.1.1.1:36912", "");
        refused("a b:1", "");
        refused("localhost:", "");
        refused("localhost:http", "");
        refused("localhost:-1", "");
        refused("[zz]:1", "");
        refused("a..b:1", "");
        check("70000", Err("port 70000 is too large, the most is 65535"));
        check("[::]:70000", Err("port 70000 is too large, the most is 65535"));
    }
}
