//! The tags that every point about a server carries.

use shared::event::{Server, Text};

use crate::point::Tags;

/// `host` without its port, `server_name`, `server_description`, and the server's own tags, which
/// may overwrite these three as they could in the predecessor.
pub(super) fn server_tags<S: Text>(server: &Server<S>) -> Tags<'_> {
    let mut tags = Tags::new()
        .with("host", without_port(server.host.as_ref()))
        .with("server_name", server.name.as_ref())
        .with("server_description", server.description.as_ref());
    for (name, value) in &server.tags {
        tags.set(name.as_ref(), value.as_ref());
    }
    tags
}

/// A `host:port` without its port; an IPv6 address without its brackets.
pub(super) fn without_port(host: &str) -> &str {
    if let Some((address, _)) = host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return address;
    }
    host.split_once(':').map_or(host, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_cut_off() {
        for (host, expected) in [
            ("sense1.corp.com:4747", "sense1.corp.com"),
            ("sense1", "sense1"),
            ("[fd00::1]:4747", "fd00::1"),
            ("", ""),
        ] {
            assert_eq!(without_port(host), expected);
        }
    }
}
