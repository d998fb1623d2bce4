//! Which broker is told the latest of everything. Pure.

use std::net::SocketAddr;

use shared::announce::Address;
use shared::config::{Config, Tls, Transport};
use shared::program::reachable;
use shared::secret::Secret;
use url::Url;

/// The port of MQTT.
const PORT: u16 = 1883;
/// The port of MQTT over TLS.
const TLS_PORT: u16 = 8883;

/// The listener of the embedded broker, which takes nothing from others.
#[derive(Clone, Debug)]
pub struct OwnListener {
    /// Where it listens.
    pub address: SocketAddr,
    /// By which it knows us.
    pub password: Secret,
}

/// A broker, and who we are there.
#[derive(Clone, Debug)]
pub(super) struct Destination {
    /// The section of the configuration that says so.
    pub(super) section: &'static str,
    pub(super) address: Address,
    pub(super) username: Option<String>,
    pub(super) password: Option<Secret>,
    pub(super) tls: Tls,
    /// Whether our own publisher is connected there too, and says itself that we are online.
    pub(super) has_status: bool,
}

/// The broker of state topics and of Home Assistant: its own where one is named, else that of the
/// events, as far as it speaks MQTT.
pub(super) fn destination(config: &Config, own: Option<OwnListener>) -> Option<Destination> {
    if let Some(broker) =
        config.collector.home_assistant.as_ref().and_then(|told| told.broker.as_ref())
    {
        return Some(Destination {
            section: "collector.homeAssistant",
            address: address(&broker.url),
            username: broker.username.clone(),
            password: broker.password.clone(),
            tls: broker.tls.clone(),
            has_status: false,
        });
    }
    match &config.broker.transport {
        Transport::Mqtt(mqtt) => Some(Destination {
            section: "broker.mqtt",
            address: address(&mqtt.url),
            username: mqtt.username.clone(),
            password: mqtt.password.clone(),
            tls: mqtt.tls.clone(),
            has_status: true,
        }),
        Transport::Embedded(_) => own.map(|own| {
            let listens = reachable(own.address);
            Destination {
                section: "broker.embedded.mqttListener",
                address: Address {
                    host: listens.ip().to_string(),
                    port: listens.port(),
                    is_tls: false,
                },
                username: Some(OWN_USER.to_owned()),
                password: Some(own.password),
                tls: Tls::default(),
                has_status: false,
            }
        }),
        // Over NATS nothing is retained.
        Transport::Nats(_) => None,
    }
}

/// Our name at the listener of the embedded broker, where the password alone counts.
const OWN_USER: &str = "footman";

fn address(url: &Url) -> Address {
    let is_tls = url.scheme() == "mqtts";
    let host = url.host_str().unwrap_or_default();
    Address {
        host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
        port: url.port().unwrap_or(if is_tls { TLS_PORT } else { PORT }),
        is_tls,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use shared::config::from_text;

    use super::*;

    fn of(text: &str, own: Option<OwnListener>) -> Option<Destination> {
        let text = format!("Butler-SOS:\n  {text}\n");
        let config = from_text(&text, Path::new("test.yaml"), []).unwrap().config;
        destination(&config, own)
    }

    #[test]
    fn the_broker_of_the_events_where_it_speaks_mqtt() {
        let found = of("broker: {type: mqtt, mqtt: {url: 'mqtts://broker'}}", None).unwrap();
        assert_eq!(found.section, "broker.mqtt");
        assert_eq!((found.address.port, found.address.is_tls), (8883, true));
        assert!(found.has_status);
        let found = of("broker: {type: mqtt, mqtt: {url: 'mqtt://[::1]:1999'}}", None).unwrap();
        assert_eq!((found.address.host.as_str(), found.address.port), ("::1", 1999));
        assert!(of("broker: {type: nats}", None).is_none());
        assert!(of("broker: {type: embedded}", None).is_none());
    }

    #[test]
    fn the_listener_of_the_embedded_broker_is_reached_on_this_host() {
        let own = OwnListener {
            address: "0.0.0.0:1883".parse().unwrap(),
            password: Secret::new("MARKER"),
        };
        let found = of("broker: {type: embedded}", Some(own)).unwrap();
        assert_eq!(found.address.host, "127.0.0.1");
        assert!(!found.has_status && found.password.is_some());
        assert!(!format!("{found:?}").contains("MARKER"));
    }
}
