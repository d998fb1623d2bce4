//! Why a server of Qlik Sense is not accepted, and the line of configuration that mends it. Pure.

use collector::visit::Target;
use rustls::{CertificateError, Error};
use shared::event::Source;
use shared::tls::{Certificate, HandshakeError, Verification};

use super::reach;

/// Ports at which the proxy serves people.
const PORTS_FOR_PEOPLE: [u16; 4] = [443, 80, 4244, 8443];
/// What a text in YAML may hold without quotes.
const PLAIN: &str = "._-";

/// What is wrong, and what to do.
pub(crate) struct Advice {
    pub(crate) seen: String,
    pub(crate) todo: String,
}

/// Why the handshake with `target` failed; `shown` is its certificate, `authorities` the names in
/// `cert.clientCertCA`.
pub(crate) fn of(
    error: &HandshakeError,
    target: &Target,
    shown: Option<&Certificate>,
    authorities: Option<&str>,
) -> Advice {
    match error {
        HandshakeError::Tls(Error::InvalidCertificate(cause)) => {
            certificate(cause, target, shown, authorities)
        }
        HandshakeError::Tls(Error::InvalidMessage(_)) => {
            Advice { seen: "no TLS is spoken at this port".to_owned(), todo: right_port(target) }
        }
        HandshakeError::Tls(Error::AlertReceived(alert)) => Advice {
            seen: format!("the server breaks off ({alert:?}): it does not accept our certificate"),
            todo: "export the certificates of this site in the QMC, without a password or with \
                   cert.clientCertPassphrase, and name them in cert"
                .to_owned(),
        },
        HandshakeError::Tls(Error::PeerIncompatible(_)) => Advice {
            seen: "the server has no version of TLS or cipher suite that is still safe".to_owned(),
            todo: "enable TLS 1.2 with an ECDHE suite there, as Windows Server 2016 and newer have"
                .to_owned(),
        },
        other => Advice {
            seen: format!("the handshake failed: {}", reach::words(other)),
            todo: right_port(target),
        },
    }
}

fn certificate(
    cause: &CertificateError,
    target: &Target,
    shown: Option<&Certificate>,
    authorities: Option<&str>,
) -> Advice {
    match cause {
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            other_name(target, shown)
        }
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            let issuer = shown.map_or("somebody else", |shown| &shown.issuer);
            let ours = authorities.unwrap_or("none that can be read");
            let same = authorities.is_some_and(|ours| ours == format!("`{issuer}`"));
            let seen = if same {
                format!(
                    "it is signed by another authority of the name `{issuer}` than the one in \
                     cert.clientCertCA, as after the certificates of a site were made anew"
                )
            } else {
                format!("it is signed by `{issuer}`; cert.clientCertCA holds {ours}")
            };
            let todo = if PORTS_FOR_PEOPLE.contains(&target.port) {
                right_port(target)
            } else {
                "export the certificates of this site again in the QMC, and name its root.pem in \
                 cert.clientCertCA"
                    .to_owned()
            };
            Advice { seen, todo }
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => Advice {
            seen: "it has expired".to_owned(),
            todo: "let Qlik Sense make new certificates on that server, and export them again"
                .to_owned(),
        },
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Advice {
            seen: "it is not valid yet".to_owned(),
            todo: "set the clock of this machine".to_owned(),
        },
        other => Advice {
            seen: format!("it cannot be accepted: {other}"),
            todo: "let Qlik Sense make new certificates on that server".to_owned(),
        },
    }
}

fn other_name(target: &Target, shown: Option<&Certificate>) -> Advice {
    let host = match &target.verification {
        Verification::As(name) => name,
        _ => reach::bare(&target.host),
    };
    let holds = shown.map_or_else(|| "other names".to_owned(), Certificate::names_in_words);
    let seen = format!("it is for another name than {host}: it holds {holds}");
    let name = shown.and_then(|shown| shown.dns_names.first());
    let todo = match (&target.verified_as, name) {
        (Some(server), Some(name)) => in_servers(server, &format!("tlsServerName: {}", yaml(name))),
        (Some(server), None) => in_servers(server, "verify: chain"),
        (None, Some(name)) => format!("appNames: {{ hostIP: {} }}", yaml(name)),
        (None, None) => {
            "write the IP address into appNames.hostIP: it is verified by chain alone".to_owned()
        }
    };
    Advice { seen, todo }
}

fn in_servers(server: &str, setting: &str) -> String {
    format!("collector: {{ servers: {{ {}: {{ {setting} }} }} }}", yaml(server))
}

/// The line that names the usual port of an API.
pub(crate) fn right_port(target: &Target) -> String {
    let host = &target.host;
    match target.source {
        Source::Health => format!(
            "the engine's port is 4747: in serversToMonitor.servers, host: {}",
            yaml(&format!("{host}:4747"))
        ),
        Source::Sessions => format!(
            "the proxy's port for programs is 4243: in the server's userSessions, host: {}",
            yaml(&format!("{host}:4243"))
        ),
        Source::AppNames => {
            format!("the repository's port is 4242: appNames: {{ hostIP: {} }}", yaml(host))
        }
    }
}

/// A text as a value or key of YAML.
fn yaml(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || PLAIN.contains(c);
    let starts = text.starts_with(|c: char| c.is_ascii_alphabetic());
    if starts && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use jiff::Timestamp;

    fn target(host: &str, port: u16, server: Option<&str>) -> Target {
        Target {
            server: "sense1".to_owned(),
            source: Source::Health,
            virtual_proxy: None,
            host: host.to_owned(),
            port,
            url: String::new(),
            verification: Verification::Full,
            verified_as: server.map(str::to_owned),
            interval: Duration::from_secs(30),
        }
    }

    fn shown(names: &[&str]) -> Certificate {
        Certificate {
            subject: "sense1".to_owned(),
            issuer: "SENSE1-CA".to_owned(),
            dns_names: names.iter().map(|&name| name.to_owned()).collect(),
            addresses: Vec::new(),
            not_before: Timestamp::UNIX_EPOCH,
            not_after: Timestamp::UNIX_EPOCH,
        }
    }

    fn refused(cause: CertificateError, target: &Target, names: &[&str], ours: &str) -> Advice {
        let error = HandshakeError::Tls(Error::InvalidCertificate(cause));
        of(&error, target, Some(&shown(names)), Some(ours))
    }

    #[test]
    fn another_name_has_the_line_that_names_it() {
        let target = target("alias.corp.com", 4747, Some("Sense 1"));
        let advice = refused(CertificateError::NotValidForName, &target, &["sense1.corp.com"], "");
        assert!(
            advice.seen.contains("alias.corp.com: it holds sense1.corp.com"),
            "{}",
            advice.seen
        );
        let line = "collector: { servers: { \"Sense 1\": { tlsServerName: sense1.corp.com } } }";
        assert_eq!(advice.todo, line);
        let none = refused(CertificateError::NotValidForName, &target, &[], "");
        assert_eq!(none.todo, "collector: { servers: { \"Sense 1\": { verify: chain } } }");
        let repository = self::target("alias", 4242, None);
        let advice = refused(CertificateError::NotValidForName, &repository, &["sense1"], "");
        assert_eq!(advice.todo, "appNames: { hostIP: sense1 }");
    }

    #[test]
    fn authorities_are_compared_by_name() {
        let engine = target("sense1", 4747, Some("a"));
        let other = refused(CertificateError::UnknownIssuer, &engine, &[], "`OTHER-CA`");
        assert_eq!(other.seen, "it is signed by `SENSE1-CA`; cert.clientCertCA holds `OTHER-CA`");
        assert!(other.todo.contains("root.pem"), "{}", other.todo);
        let same = refused(CertificateError::BadSignature, &engine, &[], "`SENSE1-CA`");
        assert!(same.seen.contains("another authority of the name"), "{}", same.seen);
        let people = target("sense1", 443, Some("a"));
        let port = refused(CertificateError::UnknownIssuer, &people, &[], "`OTHER-CA`");
        assert!(port.todo.contains("host: \"sense1:4747\""), "{}", port.todo);
    }

    #[test]
    fn what_speaks_no_tls_has_the_wrong_port() {
        let error = Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType);
        let target = target("10.0.0.5", 4848, Some("a"));
        let advice = of(&HandshakeError::Tls(error), &target, None, None);
        assert!(advice.seen.contains("no TLS") && advice.todo.contains("4747"), "{}", advice.todo);
    }
}
