//! Every secret of a configuration, so that none leaves with a report.

use shared::config::{Config, Transport, UserIds, Version};
use shared::secret::Secret;

/// What stands in place of a secret.
const HIDDEN: &str = "***";
/// A shorter one may be a word that stands here anyway, and hiding it would tell which.
const SHORTEST: usize = 8;

/// All of them.
pub(crate) fn of(config: &Config) -> impl Iterator<Item = &Secret> {
    let collector = &config.collector;
    let certificates = collector.certificates.as_ref();
    let broker = match &config.broker.transport {
        Transport::Embedded(_) => None,
        Transport::Nats(nats) => nats.password.as_ref(),
        Transport::Mqtt(mqtt) => mqtt.password.as_ref(),
    };
    let influxdb = config.writer.influxdb.as_ref().and_then(|influxdb| match &influxdb.version {
        Version::V1 { credentials, .. } => credentials.as_ref().map(|(_, password)| password),
        Version::V2 { token, .. } | Version::V3 { token, .. } => Some(token),
    });
    let heartbeats = [&config.heartbeat, &collector.heartbeat, &config.writer.heartbeat];
    let key = match &collector.user_ids {
        UserIds::Hmac { key } => Some(key),
        UserIds::Clear | UserIds::Drop => None,
    };
    let topics = collector.predecessor_topics.as_ref();
    let headers = collector.servers.iter().flat_map(|server| &server.headers);
    certificates
        .and_then(|files| files.passphrase.as_ref())
        .into_iter()
        .chain(broker)
        .chain(influxdb)
        .chain(heartbeats.into_iter().flatten().map(|heartbeat| &heartbeat.url))
        .chain(key)
        .chain(topics.and_then(|topics| topics.password.as_ref()))
        .chain(collector.http.password_hash.as_ref())
        .chain(headers.map(|(_, value)| value))
        .filter(|secret| !secret.is_empty())
}

/// A text in which no secret stands, since servers may repeat what they were told, and nothing that
/// steers a terminal, since anybody may be at the other end.
pub(crate) fn hushed(text: &str, config: &Config) -> String {
    let text = text.replace(|c: char| c.is_control() && c != '\n', " ");
    of(config).filter(|secret| secret.expose().len() >= SHORTEST).fold(text, |text, secret| {
        if text.contains(secret.expose()) { text.replace(secret.expose(), HIDDEN) } else { text }
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn what_a_server_repeats_is_not_told_on() {
        let text = "Butler-SOS:\n  broker: {type: nats, nats: {username: me, password: MARKER-1}}\n  \
                    heartbeat: {enable: true, remoteURL: 'http://a/MARKER-2', frequency: every 1 \
                    hour}\n  collector: {heartbeat: {enable: true, remoteURL: 'http://b/MARKER-3', \
                    frequency: every 1 hour}}\n";
        let config = shared::config::from_text(text, Path::new("f.yaml"), []).unwrap().config;
        assert_eq!(of(&config).count(), 3);
        let said = "no MARKER-1 at http://a/MARKER-2 nor at http://b/MARKER-3";
        assert_eq!(hushed(said, &config), "no *** at *** nor at ***");
        assert_eq!(hushed("a\u{1b}[31m\r\nb", &config), "a [31m \nb");
    }
}
