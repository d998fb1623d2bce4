//! Hosts and ports as people write them: `sense1.corp.com:4747`, `10.0.0.5`, `[::1]:4243`.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// The form of a host with a port, for messages.
pub(super) const HOST_FORM: &str = "a host name or an IP address, with or without :port";
/// The form of a host alone, for messages.
pub(super) const BARE_HOST_FORM: &str = "a host name or an IP address, without scheme and port";
/// The form of an address to listen on, for messages.
pub(super) const LISTEN_FORM: &str = "an IP address and a port, such as 127.0.0.1:9701";

/// A host, and its port when it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HostPort {
    /// The host as it stands in a URL: an IPv6 address is in brackets.
    pub(super) host: String,
    /// The port, when it is written.
    pub(super) port: Option<u16>,
}

impl HostPort {
    /// The host as it stands in a URL, with its port when it is written.
    pub(super) fn authority(&self) -> String {
        match self.port {
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.clone(),
        }
    }

    /// Says whether the host is an address, which no certificate of Qlik Sense can name.
    pub(super) fn is_address(&self) -> bool {
        self.bare().parse::<IpAddr>().is_ok()
    }

    /// The host without brackets, as sockets want it.
    pub(super) fn bare(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }
}

/// Reads a host with or without a port.
pub(super) fn host_and_port(text: &str) -> Option<HostPort> {
    if let Some(rest) = text.strip_prefix('[') {
        let (address, after) = rest.split_once(']')?;
        let address: Ipv6Addr = address.parse().ok()?;
        let port = match after.strip_prefix(':') {
            Some(port) => Some(port_number(port)?),
            None if after.is_empty() => None,
            None => return None,
        };
        return Some(HostPort { host: format!("[{address}]"), port });
    }
    if let Ok(address) = text.parse::<Ipv6Addr>() {
        return Some(HostPort { host: format!("[{address}]"), port: None });
    }
    match text.split_once(':') {
        Some((name, port)) => {
            Some(HostPort { host: host_name(name)?, port: Some(port_number(port)?) })
        }
        None => Some(HostPort { host: host_name(text)?, port: None }),
    }
}

/// Reads an address to listen on; port 0 means any free one.
pub(super) fn listen_address(text: &str) -> Option<SocketAddr> {
    match text.strip_prefix("localhost:") {
        Some(port) => format!("127.0.0.1:{port}").parse().ok(),
        None => text.parse().ok(),
    }
}

/// A host name or an IPv4 address, as it is.
fn host_name(text: &str) -> Option<String> {
    let plain = text.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_'));
    (plain && url::Host::parse(text).is_ok()).then(|| text.to_owned())
}

/// A port from 1 to 65535.
fn port_number(text: &str) -> Option<u16> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|port| digits && *port != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_read() {
        for (text, host, port) in [
            ("sense1.corp.com:4747", "sense1.corp.com", Some(4747)),
            ("SENSE_1", "SENSE_1", None),
            ("10.0.0.5", "10.0.0.5", None),
            ("10.0.0.5:4242", "10.0.0.5", Some(4242)),
            ("[::1]:4747", "[::1]", Some(4747)),
            ("[fe80::1]", "[fe80::1]", None),
            ("::1", "[::1]", None),
            ("müller.example", "müller.example", None),
        ] {
            assert_eq!(host_and_port(text), Some(HostPort { host: host.to_owned(), port }));
        }
    }

    #[test]
    fn placeholders_and_urls_are_no_hosts() {
        for text in [
            "",
            "<server1.my.domain>:4747",
            "https://sense1:4747",
            "sense1:0",
            "sense1:65536",
            "sense1:",
            "sense1:+47",
            "a b",
            "sense1/path",
            "user@sense1",
            "[::1",
            "[::1]4747",
            "[sense1]:4747",
            ":4747",
            "1.2.3.999",
            "%41",
        ] {
            assert_eq!(host_and_port(text), None, "{text}");
        }
    }

    #[test]
    fn addresses_are_told_from_names() {
        for (text, is_address) in
            [("10.0.0.5:4747", true), ("[::1]:4747", true), ("sense1:4747", false)]
        {
            assert_eq!(host_and_port(text).unwrap().is_address(), is_address, "{text}");
        }
        assert_eq!(host_and_port("[::1]:4747").unwrap().authority(), "[::1]:4747");
        assert_eq!(host_and_port("[::1]:4747").unwrap().bare(), "::1");
    }

    #[test]
    fn addresses_to_listen_on_are_read() {
        assert_eq!(listen_address("127.0.0.1:9701"), "127.0.0.1:9701".parse().ok());
        assert_eq!(listen_address("localhost:9701"), "127.0.0.1:9701".parse().ok());
        assert_eq!(listen_address("[::]:0"), "[::]:0".parse().ok());
        for text in ["", "9701", ":9701", "127.0.0.1", "sense1:9701", "127.0.0.1:65536"] {
            assert_eq!(listen_address(text), None, "{text}");
        }
    }
}
