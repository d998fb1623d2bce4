//! From a host and a port to a connection and a handshake, each step with its finding.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use shared::config::Tls;
use shared::tls::{
    Certificate, Handshake, HandshakeError, Identity, Roots, TlsError, Verification,
};

use super::report::Finding;
use super::units;

/// Addresses of one name that are tried.
const MOST_ADDRESSES: usize = 4;
/// A certificate that ends sooner is a warning.
pub(crate) const EXPIRES_SOON: Duration = Duration::from_hours(30 * 24);
const SECONDS_PER_DAY: i64 = 86_400;

/// Resolves a name and connects to the first of its addresses that answers. The host may be an
/// address, in brackets or not.
pub(crate) async fn connect(
    host: &str,
    port: u16,
    patience: Duration,
) -> (Vec<Finding>, Option<TcpStream>) {
    let host = bare(host);
    let mut findings = Vec::new();
    let addresses = match host.parse::<IpAddr>() {
        Ok(address) => vec![address],
        Err(_name) => match resolve(host, patience).await {
            Ok(addresses) => {
                let words: Vec<_> = addresses.iter().map(ToString::to_string).collect();
                let seen = format!("{host} is {}", words.join(", "));
                findings.push(Finding::ok("name", seen).fact("addresses", words));
                addresses
            }
            Err(why) => {
                let advice =
                    format!("check the name, and that this machine's name server knows {host}");
                findings.push(Finding::fault("name", why).advise(advice));
                return (findings, None);
            }
        },
    };
    let mut last = None;
    for address in addresses.into_iter().take(MOST_ADDRESSES) {
        let began = Instant::now();
        match tcp(SocketAddr::new(address, port), patience).await {
            Ok(stream) => {
                let took = began.elapsed();
                findings
                    .push(Finding::ok("port", format!("{port} is open ({} ms)", took.as_millis())));
                return (findings, Some(stream));
            }
            Err(error) => last = Some(no_connection(&error, address, port, patience)),
        }
    }
    findings.extend(last);
    (findings, None)
}

async fn resolve(host: &str, patience: Duration) -> Result<Vec<IpAddr>, String> {
    let lookup = tokio::net::lookup_host((host, 0));
    match tokio::time::timeout(patience, lookup).await {
        Err(_elapsed) => Err(format!(
            "the name server says nothing about {host} within {}",
            units::duration(patience)
        )),
        Ok(Err(_unknown)) => Err(format!("the name {host} does not resolve")),
        Ok(Ok(found)) => {
            let mut addresses: Vec<IpAddr> = Vec::new();
            for address in found {
                if !addresses.contains(&address.ip()) {
                    addresses.push(address.ip());
                }
            }
            Ok(addresses)
        }
    }
}

async fn tcp(address: SocketAddr, patience: Duration) -> std::io::Result<TcpStream> {
    let connected = tokio::time::timeout(patience, tokio::net::TcpStream::connect(address)).await;
    let stream = connected.map_err(|_elapsed| ErrorKind::TimedOut)??.into_std()?;
    stream.set_nonblocking(false)?;
    Ok(stream)
}

fn no_connection(
    error: &std::io::Error,
    address: IpAddr,
    port: u16,
    patience: Duration,
) -> Finding {
    match error.kind() {
        ErrorKind::ConnectionRefused => {
            Finding::fault("port", format!("nothing listens at {address}, port {port}"))
                .advise("start the service, or correct the port in the configuration")
        }
        ErrorKind::TimedOut => {
            let seen = format!(
                "no answer from {address}, port {port}, within {}",
                units::duration(patience)
            );
            Finding::fault("port", seen).advise(
                "look at the firewalls between this machine and that one, and whether it runs",
            )
        }
        _ => Finding::fault("port", format!("{address}, port {port}, cannot be reached: {error}"))
            .advise("look at the network between this machine and that one"),
    }
}

/// Who is trusted, and what is shown to who asks for a certificate.
#[derive(Clone, Debug)]
pub(crate) struct Trust {
    pub(crate) roots: Roots,
    pub(crate) identity: Option<Identity>,
    /// The file of the authorities; none for those of the system.
    pub(crate) ca: Option<PathBuf>,
}

impl Trust {
    /// What a section `tls` says; reads files, and so blocks.
    pub(crate) fn of(tls: &Tls) -> Result<Self, TlsError> {
        let identity = match &tls.client {
            Some(client) => Some(Identity::load(&client.cert, &client.key, None)?),
            None => None,
        };
        Ok(Self { roots: roots(tls.ca.as_deref())?, identity, ca: tls.ca.clone() })
    }

    /// The names of the authorities in the file.
    pub(crate) fn authorities(&self) -> Option<String> {
        let all = Certificate::load(self.ca.as_deref()?).ok()?;
        let names: Vec<_> = all.iter().map(|one| format!("`{}`", one.subject)).collect();
        Some(names.join(", "))
    }
}

/// The authorities of a file, or those of the system.
pub(crate) fn roots(ca: Option<&Path>) -> Result<Roots, TlsError> {
    match ca {
        Some(ca) => Roots::load(ca),
        None => Roots::of_system(),
    }
}

/// Makes a handshake on a thread that may wait.
pub(crate) async fn handshake(
    stream: TcpStream,
    host: &str,
    trust: Trust,
    verification: Verification,
    patience: Duration,
) -> Result<Handshake, String> {
    let host = bare(host).to_owned();
    let look = move || {
        let Trust { roots, identity, .. } = &trust;
        shared::tls::look(stream, &host, roots, identity.as_ref(), &verification, patience)
    };
    match tokio::task::spawn_blocking(look).await {
        Ok(looked) => looked.map_err(|error| error.to_string()),
        Err(ended) => Err(ended.to_string()),
    }
}

/// What the server showed: the version of TLS, and its certificate with its expiry.
pub(crate) fn shown(handshake: &Handshake, now: Timestamp) -> (Vec<Finding>, Option<Certificate>) {
    let Some(first) = handshake.chain.first() else {
        return (Vec::new(), None);
    };
    let certificate = match Certificate::from_der(first) {
        Ok(certificate) => certificate,
        Err(error) => {
            let seen = format!("the certificate shown cannot be read: {error}");
            return (vec![Finding::warning("certificate", seen)], None);
        }
    };
    let mut finding = expiry("certificate", &certificate, now);
    finding.seen = format!(
        "`{}` for {}, signed by `{}`, {}",
        certificate.subject,
        certificate.names_in_words(),
        certificate.issuer,
        finding.seen
    );
    if let Some(protocol) = handshake.protocol {
        finding.seen = format!("{protocol}, {}", finding.seen);
        finding = finding.fact("protocol", protocol);
    }
    (vec![finding], Some(certificate))
}

/// A finding about a certificate, whose text is how long it is valid.
pub(crate) fn expiry(what: &'static str, certificate: &Certificate, now: Timestamp) -> Finding {
    let left = certificate.left(now).as_secs();
    let until = certificate.not_after.to_string();
    let until = until.split('T').next().unwrap_or_default();
    let days = left / SECONDS_PER_DAY;
    let soon = i64::try_from(EXPIRES_SOON.as_secs()).unwrap_or(i64::MAX);
    let finding = if left < 0 {
        Finding::fault(what, format!("expired on {until}")).advise("renew it")
    } else if certificate.not_before > now {
        let from = certificate.not_before.to_string();
        Finding::fault(what, format!("valid from {from} on only"))
            .advise("set the clock of this machine, or wait")
    } else if left < soon {
        Finding::warning(what, format!("valid until {until}, {days} more days"))
            .advise("renew it before then")
    } else {
        Finding::ok(what, format!("valid until {until}"))
    };
    let names = certificate.dns_names.clone();
    let addresses: Vec<_> = certificate.addresses.iter().map(ToString::to_string).collect();
    finding
        .fact("subject", certificate.subject.clone())
        .fact("issuer", certificate.issuer.clone())
        .fact("names", names)
        .fact("addresses", addresses)
        .fact("notBefore", certificate.not_before.to_string())
        .fact("notAfter", certificate.not_after.to_string())
        .fact("daysLeft", days)
}

/// Why a handshake failed, in few words.
pub(crate) fn words(error: &HandshakeError) -> String {
    match error {
        HandshakeError::Tls(error) => error.to_string(),
        HandshakeError::Io(error) => match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => "no answer in time".to_owned(),
            ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset => {
                "the connection was closed".to_owned()
            }
            _ => error.to_string(),
        },
    }
}

/// A host without the brackets of an IPv6 address.
pub(crate) fn bare(host: &str) -> &str {
    host.trim_matches(['[', ']'])
}

/// Whether a host is this machine.
pub(crate) fn is_loopback(host: &str) -> bool {
    host == "localhost" || bare(host).parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
