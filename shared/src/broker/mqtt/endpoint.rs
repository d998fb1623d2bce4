//! Where the broker is, and the options that every connection to it has in common.

use std::sync::Arc;
use std::time::Duration;

use rumqttc::NetworkOptions;
use rumqttc::v5::MqttOptions;

use super::failure::Failure;
use super::transport::TlsOfBroker;
use crate::config::Mqtt;
use crate::secret::Secret;

/// The port of MQTT.
const PORT: u16 = 1883;
/// The port of MQTT over TLS.
const TLS_PORT: u16 = 8883;
/// How long the broker may take to answer: name, TCP, TLS and CONNECT together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A peer that is gone is noticed after at most twice this.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// The largest packet that a client takes: the largest of MQTT. Without it the client library takes
/// 10 KiB, and loops over anything larger.
///
/// Events and letters are far smaller; a bound here would be one for what others publish. But the
/// broker has to leave out what exceeds it, and mosquitto 2.0.11 counts what it left out as unacked
/// for as long as the connection lives: a few such messages, and a session gets nothing any more.
/// So what others may publish is bounded at the broker (`message_size_limit`).
const MAX_PACKET_BYTES: u32 = 268_435_455;
/// Unconfirmed publishes that the event loop can hold, unless a client says otherwise. Its default
/// costs 14 MB for each client.
const MAX_INFLIGHT: u16 = 16;

/// A broker's address and what proves who we are.
#[derive(Clone, Debug)]
pub(super) struct Endpoint {
    host: String,
    port: u16,
    tls: Option<Arc<TlsOfBroker>>,
    username: Option<String>,
    password: Option<Secret>,
}

impl Endpoint {
    pub(super) fn new(broker: &Mqtt) -> Self {
        let tls = (broker.url.scheme() == "mqtts").then(|| TlsOfBroker::new(&broker.tls));
        let default_port = if tls.is_some() { TLS_PORT } else { PORT };
        Self {
            host: broker.url.host_str().unwrap_or_default().to_owned(),
            port: broker.url.port().unwrap_or(default_port),
            tls,
            username: broker.username.clone(),
            password: broker.password.clone(),
        }
    }

    /// Host and port, for people: never the credentials.
    pub(super) fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// The options of a client that leaves nothing at the broker. The password is that of its file
    /// now, and the certificates are looked at in the handshake, so that what was renewed is used
    /// from the next connection on.
    pub(super) async fn options(&self, client_id: &str) -> Result<MqttOptions, Failure> {
        let mut options = MqttOptions::new(client_id, &self.host, self.port);
        let mut network = NetworkOptions::new();
        network.set_tcp_nodelay(true);
        options
            .set_network_options(network)
            .set_connection_timeout(CONNECT_TIMEOUT.as_secs())
            .set_keep_alive(KEEP_ALIVE)
            .set_clean_start(true)
            .set_session_expiry_interval(Some(0))
            .set_max_packet_size(Some(MAX_PACKET_BYTES))
            .set_outgoing_inflight_upper_limit(MAX_INFLIGHT);
        if let Some(username) = &self.username {
            let password = self.password.as_ref().map(Secret::current);
            let password = password.as_ref().map_or("", Secret::expose);
            options.set_credentials(username, password);
        }
        if let Some(tls) = &self.tls {
            options.set_transport(tls.transport().await.map_err(Failure::new)?);
        }
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;
    use crate::config::Tls;

    fn endpoint(url: &str) -> Endpoint {
        Endpoint::new(&Mqtt {
            url: Url::parse(url).unwrap(),
            username: Some("collector".to_owned()),
            password: Some(Secret::new("MARKER")),
            tls: Tls::default(),
            groups: vec![],
            consumer_slots: 1,
            session_expiry: Duration::from_mins(1),
        })
    }

    #[tokio::test]
    async fn bounds_that_the_library_does_not_set_by_itself() {
        let options = endpoint("mqtt://broker").options("id").await.unwrap();
        assert_eq!(options.broker_address(), ("broker".to_owned(), 1883));
        assert_eq!(options.max_packet_size(), Some(MAX_PACKET_BYTES));
        assert_eq!(options.get_outgoing_inflight_upper_limit(), Some(MAX_INFLIGHT));
        assert_eq!(options.session_expiry_interval(), Some(0));
        assert!(options.clean_start());
    }

    #[test]
    fn ports_and_what_people_see() {
        assert_eq!(endpoint("mqtts://broker").address(), "broker:8883");
        let endpoint = endpoint("mqtt://user:MARKER@broker:1999");
        assert_eq!(endpoint.address(), "broker:1999");
        assert!(!format!("{endpoint:?}").contains("MARKER"));
    }
}
