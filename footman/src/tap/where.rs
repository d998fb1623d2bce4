//! Where to listen: the broker of a configuration, or one that is named on the command line.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use shared::config::{Broker, Config, Mqtt, Nats, Tls, Transport};
use shared::lifecycle::{self, EXIT_USAGE};
use shared::secret::Secret;
use url::Url;

use super::news::say;
use crate::configuration;

const MQTT_PORT: u16 = 1883;
const MQTTS_PORT: u16 = 8883;
/// What `broker.topicPrefix` is when nobody says otherwise.
const TOPIC_PREFIX: &str = "qliksense";
/// The keys that messages of brokers name, and what sets the same on the command line.
const FLAGS: [(&str, &str); 10] = [
    ("broker.mqtt.username", "--username"),
    ("broker.mqtt.password", "--password-file"),
    ("broker.mqtt.tls.ca", "--ca"),
    ("broker.mqtt.tls", "--ca"),
    ("broker.nats.username (or credentialsFile)", "--username"),
    ("broker.nats.username", "--username"),
    ("broker.nats.password, or broker.nats.credentialsFile", "--password-file"),
    ("broker.nats.password", "--password-file"),
    ("broker.nats.tls.ca", "--ca"),
    ("broker.nats.servers", "--url"),
];

/// What the command line says about it.
#[derive(Debug, Args)]
pub(super) struct Place {
    /// The configuration whose broker and credentials are used.
    #[arg(long, short, value_name = "FILE", required_unless_present = "url")]
    config: Option<PathBuf>,
    /// A broker without a configuration: mqtt://, mqtts://, nats:// or tls://, host and port.
    #[arg(long, value_name = "URL", conflicts_with = "config")]
    url: Option<String>,
    /// With --url: the user, such as subscriber.
    #[arg(long, value_name = "NAME", requires = "url", requires = "password_file")]
    username: Option<String>,
    /// With --url: the file that holds the user's password.
    #[arg(long, value_name = "FILE", requires = "url", requires = "username")]
    password_file: Option<PathBuf>,
    /// With --url: the authority that signed the broker's certificate; those of the system otherwise.
    #[arg(long, value_name = "FILE", requires = "url")]
    ca: Option<PathBuf>,
    /// With --url: the first part of every subject [default: qliksense].
    #[arg(long, value_name = "PREFIX", requires = "url", value_parser = prefix)]
    topic_prefix: Option<String>,
}

/// A broker, and what is known of what is published there.
#[derive(Debug)]
pub(super) struct Where {
    pub(super) broker: Broker,
    /// Host and port, for people.
    pub(super) address: String,
    /// The servers and the repository of the configuration; none without one.
    pub(super) names: Option<Vec<String>>,
    /// Whether more servers may be found in the repository.
    pub(super) discovers: bool,
    /// What should be running, when it does not answer.
    pub(super) hint: Option<&'static str>,
}

impl Place {
    /// Finds the broker; with an exit code when the configuration does not do, which was said.
    ///
    /// # Errors
    /// A file of the command line cannot be used.
    pub(super) fn find(&self) -> anyhow::Result<Result<Where, ExitCode>> {
        if let Some(url) = &self.url {
            return match broker_url(url) {
                Ok(url) => Ok(Ok(self.named(&url)?)),
                Err(wrong) => {
                    say(&format!("--url: {wrong}"));
                    Ok(Err(ExitCode::from(EXIT_USAGE)))
                }
            };
        }
        let Some(path) = &self.config else { bail!("neither --config nor --url is given") };
        let Ok(loaded) = configuration::read(path) else {
            return Ok(Err(lifecycle::wrong_config()));
        };
        Ok(of_configuration(&loaded.config).map_err(|wrong| {
            say(&format!("{}: {wrong}", path.display()));
            lifecycle::wrong_config()
        }))
    }

    fn named(&self, url: &Url) -> anyhow::Result<Where> {
        let password = self.password_file.as_deref().map(password).transpose()?;
        let (username, tls) = (self.username.clone(), Tls { ca: self.ca.clone(), client: None });
        let transport = if url.scheme().starts_with("mqtt") {
            Transport::Mqtt(Mqtt { username, password, tls, ..plain_mqtt(url.clone()) })
        } else {
            Transport::Nats(Nats { username, password, tls, ..plain_nats(url.clone()) })
        };
        let prefix = self.topic_prefix.as_deref().unwrap_or(TOPIC_PREFIX);
        let (address, broker) = (address(&transport), broker(prefix, transport));
        Ok(Where { broker, address, names: None, discovers: false, hint: None })
    }
}

impl Where {
    /// A message of a broker; without a configuration, with its keys replaced by what sets the same
    /// on the command line.
    pub(super) fn in_its_words(&self, message: &str) -> String {
        let message = message.to_owned();
        if self.names.is_some() {
            return message;
        }
        FLAGS.iter().fold(message, |message, (key, flag)| message.replace(key, flag))
    }
}

fn of_configuration(config: &Config) -> Result<Where, String> {
    let (transport, hint) = match &config.broker.transport {
        Transport::Embedded(embedded) => {
            let Some(listener) = embedded.mqtt_listener else {
                return Err(NO_LISTENER.to_owned());
            };
            let url = Url::parse(&format!("mqtt://{}", reachable(listener)));
            let url = url.map_err(|error| format!("{listener} is no address: {error}"))?;
            (Transport::Mqtt(plain_mqtt(url)), Some("is `footman run` running with this file?"))
        }
        other => (other.clone(), None),
    };
    let polled = &config.collector;
    let servers = polled.servers.iter().map(|server| server.name.clone());
    let repository = polled.app_names.iter().map(|names| names.host.clone());
    Ok(Where {
        address: address(&transport),
        names: Some(servers.chain(repository).collect()),
        discovers: polled.discovery.is_some(),
        broker: broker(&config.broker.topic_prefix, transport),
        hint,
    })
}

const NO_LISTENER: &str = "nobody can listen to the embedded broker, whose queue is inside \
    `footman run`. Add this line below broker, and start `footman run` again:\n    \
    embedded: { mqttListener: \"127.0.0.1:1883\" }";

/// Where a listener is reached from its own machine.
fn reachable(listener: SocketAddr) -> SocketAddr {
    let ip = match listener.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, listener.port())
}

fn broker(prefix: &str, transport: Transport) -> Broker {
    // Nothing is kept by somebody who only listens.
    Broker { topic_prefix: prefix.to_owned(), transport, dead_letters_max_bytes: 0 }
}

/// A broker as it is for somebody who neither consumes nor publishes.
fn plain_mqtt(url: Url) -> Mqtt {
    Mqtt {
        url,
        username: None,
        password: None,
        tls: Tls::default(),
        groups: Vec::new(),
        consumer_slots: 1,
        session_expiry: Duration::ZERO,
    }
}

/// The same for NATS; the stream is never asked for.
fn plain_nats(url: Url) -> Nats {
    Nats {
        servers: vec![url],
        stream: String::new(),
        replicas: 1,
        max_age: Duration::ZERO,
        max_bytes: 0,
        username: None,
        password: None,
        credentials_file: None,
        tls: Tls::default(),
    }
}

fn address(transport: &Transport) -> String {
    let words = |url: &Url| {
        let default = match url.scheme() {
            "mqtt" => Some(MQTT_PORT),
            "mqtts" => Some(MQTTS_PORT),
            _ => None,
        };
        let host = url.host_str().unwrap_or_default();
        url.port().or(default).map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    };
    match transport {
        Transport::Embedded(_) => String::new(),
        Transport::Mqtt(mqtt) => words(&mqtt.url),
        Transport::Nats(nats) => nats.servers.iter().map(words).collect::<Vec<_>>().join(", "),
    }
}

fn password(file: &Path) -> anyhow::Result<Secret> {
    Secret::from_file(file).with_context(|| format!("--password-file {}", file.display()))
}

/// Reads `--url`. What is wrong is said without repeating it, as clap would: it may hold a password.
fn broker_url(text: &str) -> Result<Url, &'static str> {
    const FORM: &str = "expected mqtt://host, mqtts://host, nats://host or tls://host";
    let url = Url::parse(text).map_err(|_no_url| FORM)?;
    let is_one = matches!(url.scheme(), "mqtt" | "mqtts" | "nats" | "tls");
    if !is_one || url.host_str().is_none_or(str::is_empty) {
        return Err(FORM);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it holds a user or a password: give them with --username and --password-file");
    }
    Ok(url)
}

fn prefix(text: &str) -> Result<String, &'static str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let is_level = |level: &str| !level.is_empty() && level.chars().all(plain);
    let is_one = text.split('/').all(is_level);
    is_one
        .then(|| text.to_owned())
        .ok_or("expected letters, digits, _ and -, in levels separated by /")
}

#[cfg(test)]
pub(super) mod tests {
    use shared::config;

    use super::*;

    /// A site with the server `sense1` over the embedded broker.
    pub(crate) fn embedded(listener: Option<&str>) -> Where {
        of_text(&format!("{{ mqttListener: {} }}", listener.unwrap_or("null"))).unwrap()
    }

    fn of_text(embedded: &str) -> Result<Where, String> {
        // Files that are there are enough: nobody connects to the site.
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().display();
        let text = format!(
            "Butler-SOS:\n  broker: {{ type: embedded, embedded: {embedded} }}\n  cert: {{ clientCert: \
             {path}, clientCertKey: {path}, clientCertCA: {path} }}\n  serversToMonitor:\n    \
             servers:\n      - {{ host: \"sense1:4747\", serverName: sense1 }}\n"
        );
        let mut loaded = config::from_text(&text, Path::new("f.yaml"), []);
        if let Err(error) = &mut loaded {
            panic!("{error}");
        }
        of_configuration(&loaded.unwrap().config)
    }

    pub(crate) fn of_url(url: &str) -> Where {
        let place = Place {
            config: None,
            url: Some(url.to_owned()),
            username: Some("subscriber".to_owned()),
            password_file: None,
            ca: Some(PathBuf::from("ca.pem")),
            topic_prefix: Some("site/qlik".to_owned()),
        };
        place.find().unwrap().unwrap()
    }

    #[test]
    fn the_embedded_broker_is_reached_through_its_listener() {
        for (listener, address) in [
            ("\"127.0.0.1:1883\"", "127.0.0.1:1883"),
            ("\"0.0.0.0:1999\"", "127.0.0.1:1999"),
            ("\"[::]:1999\"", "[::1]:1999"),
        ] {
            let found = embedded(Some(listener));
            assert_eq!((found.address.as_str(), found.names.unwrap().len()), (address, 1));
            assert!(matches!(found.broker.transport, Transport::Mqtt(_)));
        }
        let error = of_text("{ mqttListener: null }").unwrap_err();
        assert!(error.contains("embedded: { mqttListener: \"127.0.0.1:1883\" }"), "{error}");
    }

    #[test]
    fn a_broker_of_the_command_line() {
        let mqtt = of_url("mqtts://broker");
        assert_eq!(mqtt.broker.topic_prefix, "site/qlik");
        let Transport::Mqtt(settings) = &mqtt.broker.transport else { panic!("{mqtt:?}") };
        assert_eq!(settings.username.as_deref(), Some("subscriber"));
        assert!(settings.tls.is_set());
        assert_eq!(mqtt.address, "broker:8883");
        let nats = of_url("tls://broker:4222");
        assert!(matches!(&nats.broker.transport, Transport::Nats(nats) if nats.servers.len() == 1));
        let said = nats.in_its_words(
            "check broker.nats.username and broker.nats.password, or \
                                      broker.nats.credentialsFile",
        );
        assert_eq!(said, "check --username and --password-file");
        let own = embedded(Some("\"127.0.0.1:1883\"")).in_its_words("see broker.mqtt.tls");
        assert_eq!(own, "see broker.mqtt.tls");
    }

    #[test]
    fn urls_that_are_none_are_not_repeated() {
        for wrong in ["http://broker", "broker:1883", "mqtt://", "mqtt://u:MARKER@broker", "MARKER"]
        {
            let said = broker_url(wrong).unwrap_err();
            assert!(
                !said.contains("MARKER") && said.contains("--") | said.contains("://"),
                "{said}"
            );
        }
        assert!(prefix("site/qlik-1").is_ok());
        assert!(["", "a//b", "#", "a.b"].into_iter().all(|text| prefix(text).is_err()));
    }
}
