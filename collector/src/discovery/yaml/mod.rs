//! What was found, as configuration to paste.

use std::fmt::Write as _;

use shared::config::{Server, ServerTls, Verify};

use super::choose::{Choice, Chosen, WhyLeftOut};

/// Writes the servers as entries of `serversToMonitor.servers`, from the root on. What the file has
/// already, what is excluded, and what a file cannot say are comments.
pub(super) fn of(choice: &Choice, repository: &str) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail, here and below.
    let _infallible = writeln!(text, "# What the repository {repository} knows.");
    for left in &choice.left_out {
        let why = match left.why {
            WhyLeftOut::InFile => "is in serversToMonitor.servers already",
            WhyLeftOut::Excluded => "is excluded by collector.discovery.exclude",
        };
        let _infallible = writeln!(text, "# {} ({}) {why}.", quoted(&left.node), left.host);
    }
    let (written, unsayable): (Vec<&Chosen>, Vec<&Chosen>) =
        choice.chosen.iter().partition(|chosen| chosen.polled.has_engine);
    for chosen in unsayable {
        let (node, host) = (quoted(&chosen.node), &chosen.polled.server.host);
        let _infallible = writeln!(
            text,
            "# {node} ({host}) has a proxy and no engine, which only discovery can poll."
        );
    }
    text.push_str("Butler-SOS:\n  serversToMonitor:\n    servers:");
    text.push_str(if written.is_empty() { " []\n" } else { "\n" });
    for chosen in &written {
        push_server(&mut text, &chosen.polled.server);
    }
    push_verification(&mut text, &written);
    text
}

fn push_server(text: &mut String, server: &Server) {
    let Server { name, description, host, tags, sessions, .. } = server;
    let _infallible = write!(
        text,
        "      - host: {}\n        serverName: {}\n        serverDescription: {}\n",
        quoted(host),
        quoted(name),
        quoted(description)
    );
    match sessions {
        Some(sessions) => {
            let _infallible = write!(
                text,
                "        userSessions:\n          enable: true\n          host: {}\n          \
                 virtualProxies:\n",
                quoted(&sessions.host)
            );
            for prefix in &sessions.virtual_proxies {
                let prefix = quoted(prefix);
                let _infallible = writeln!(text, "            - virtualProxy: {prefix}");
            }
        }
        None => text.push_str("        userSessions: { enable: false }\n"),
    }
    let tags: Vec<String> =
        tags.iter().map(|(tag, value)| format!("{}: {}", quoted(tag), quoted(value))).collect();
    let _infallible = writeln!(text, "        serverTags: {{{}}}", tags.join(", "));
}

/// What `collector.servers` says of them, under the names that they have now.
fn push_verification(text: &mut String, written: &[&Chosen]) {
    let mut lines = String::new();
    for chosen in written {
        let Some(ServerTls { tls_server_name, verify }) = &chosen.polled.tls else { continue };
        let verify = verify.map(|verify| match verify {
            Verify::Full => "verify: full",
            Verify::Chain => "verify: chain",
            Verify::None => "verify: none",
        });
        let name = tls_server_name.as_ref().map(|name| format!("tlsServerName: {}", quoted(name)));
        let said: Vec<String> = name.into_iter().chain(verify.map(str::to_owned)).collect();
        if !said.is_empty() {
            let server = quoted(&chosen.polled.server.name);
            let _infallible = writeln!(lines, "      {server}: {{ {} }}", said.join(", "));
        }
    }
    if !lines.is_empty() {
        let _infallible = write!(text, "  collector:\n    servers:\n{lines}");
    }
}

/// A text in double quotes, with everything escaped that YAML does not take as it is.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {
                let _infallible = write!(quoted, "\\u{:04x}", u32::from(character));
            }
            control if control.is_control() => {
                let _infallible = write!(quoted, "\\u{:04x}", u32::from(control));
            }
            plain => quoted.push(plain),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests;
