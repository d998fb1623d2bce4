//! The brokers: the one that is chosen has effect, the others have none.

use std::time::Duration;

use super::{Folder, SITE, config, mistakes, site_with, warnings};
use crate::config::Transport;

#[test]
fn embedded_is_the_default() {
    let config = config(SITE);
    let Transport::Embedded(embedded) = &config.broker.transport else {
        panic!("{:?}", config.broker)
    };
    assert!(config.needs_one_process());
    assert_eq!(embedded.max_bytes, 1 << 30);
    assert_eq!(embedded.max_age, Duration::from_hours(168));
    assert_eq!(embedded.mqtt_listener, None);
    assert_eq!(config.broker.topic_prefix, "qliksense");
    assert_eq!(config.broker.dead_letters_max_bytes, 256 << 20);
    assert_eq!(config.shutdown_grace, Duration::from_secs(20));
}

#[test]
fn nats_is_read() {
    let text = site_with(
        "\
broker:
  type: nats
  topicPrefix: site/one
  nats:
    servers: [\"nats://a.example:4222\", \"tls://[::1]:4223\"]
    replicas: 3
    maxAge: 36h
    maxBytes: 2GiB
    username: collector
    password: secret
    tls: {ca: root.pem, cert: client.pem, key: client_key.pem}
",
    );
    let config = config(&text);
    assert!(!config.needs_one_process());
    assert_eq!(config.broker.topic_prefix, "site/one");
    let Transport::Nats(nats) = config.broker.transport else { panic!("no NATS") };
    assert_eq!(nats.servers.len(), 2);
    assert_eq!((nats.stream.as_str(), nats.replicas), ("QLIKSENSE", 3));
    assert_eq!((nats.max_age, nats.max_bytes), (Duration::from_hours(36), 2 << 30));
    assert_eq!(nats.password.unwrap().expose(), "secret");
    assert!(nats.tls.client.is_some());
}

#[test]
fn mqtt_is_read() {
    let text = site_with(
        "\
broker:
  type: mqtt
  mqtt:
    url: \"mqtts://m.example\"
    groups: [influxdb, second]
    consumerSlots: 8
    sessionExpiry: 1d
",
    );
    let Transport::Mqtt(mqtt) = config(&text).broker.transport else { panic!("no MQTT") };
    assert_eq!(mqtt.url.as_str(), "mqtts://m.example");
    assert_eq!(mqtt.groups, ["influxdb", "second"]);
    assert_eq!((mqtt.consumer_slots, mqtt.session_expiry), (8, Duration::from_hours(24)));
}

#[test]
fn a_broker_that_is_not_chosen_has_no_effect() {
    let text = site_with("broker: {nats: {servers: [nonsense], tls: {ca: nowhere.pem}}}\n");
    assert!(config(&text).needs_one_process());
}

#[test]
fn wrong_brokers_are_mistakes() {
    for (section, told) in [
        ("type: kafka", "type: \"kafka\" is not allowed"),
        ("topicPrefix: a..b", "topicPrefix: \"a..b\" is not allowed"),
        ("topicPrefix: ''", "topicPrefix: \"\" is not allowed"),
        ("embedded: {maxAge: 7}", "embedded.maxAge: 7 is not allowed"),
        ("embedded: {maxAge: 7 days}", "embedded.maxAge: \"7 days\" is no duration"),
        ("embedded: {maxAge: 0s}", "embedded.maxAge: \"0s\" is out of range"),
        ("embedded: {maxBytes: 1GB}", "embedded.maxBytes: \"1GB\" is no size"),
        ("embedded: {maxBytes: 1KiB}", "embedded.maxBytes: \"1KiB\" is out of range"),
        (
            "embedded: {mqttListener: 1883}",
            "embedded.mqttListener: \"1883\" is no address to listen on",
        ),
        ("type: nats\n  nats: {servers: []}", "nats.servers: is empty"),
        ("type: nats\n  nats: {servers: ['a:4222']}", "nats.servers[0]: \"a:4222\" is no such URL"),
        ("type: nats\n  nats: {replicas: 6}", "nats.replicas: 6 is not allowed"),
        (
            "type: nats\n  nats: {password: x}",
            "nats.username: is missing: a password needs its username",
        ),
        (
            "type: nats\n  nats: {tls: {cert: client.pem}}",
            "nats.tls.key: is missing: a certificate needs its key",
        ),
        ("type: mqtt\n  mqtt: {url: 'http://a'}", "mqtt.url: \"http://a\" is no such URL"),
        ("type: mqtt\n  mqtt: {groups: ['a b']}", "mqtt.groups[0]: \"a b\" is not allowed"),
        ("type: mqtt\n  mqtt: {consumerSlots: 0}", "mqtt.consumerSlots: 0 is not allowed"),
        ("deadLetters: {maxbytes: 1GiB}", "deadLetters.maxbytes: unknown key"),
        ("nats: 5", "nats: must be a section of keys and values"),
    ] {
        let text = site_with(&format!("broker:\n  {section}\n"));
        assert_eq!(mistakes(&text), [format!("broker.{told}")], "{section}");
    }
}

#[test]
fn a_password_in_a_url_is_a_mistake_that_is_not_repeated() {
    let text = site_with("broker: {type: nats, nats: {servers: ['nats://me:MARKER@a:4222']}}\n");
    let error = Folder::new().read(&text, &[]).unwrap_err().to_string();
    assert!(error.contains("keys of their own") && !error.contains("MARKER"), "{error}");
}

#[test]
fn odd_brokers_are_warned_of() {
    let tls = "broker: {type: mqtt, mqtt: {tls: {ca: root.pem}}}\n";
    assert!(warnings(&site_with(tls))[0].starts_with("broker.mqtt.tls: has no effect"));
    let group = "broker: {type: mqtt}\nwriter: {consumerGroup: second}\n";
    assert!(warnings(&site_with(group))[0].starts_with("writer.consumerGroup: "));
}

#[test]
fn home_assistant_needs_an_mqtt_broker() {
    let on = |rest: &str| format!("collector: {{homeAssistant: {{enable: true{rest}}}}}\n");
    let nats = |rest: &str| site_with(&format!("broker: {{type: nats}}\n{}", on(rest)));
    let [missing] = &mistakes(&nats(", url: null"))[..] else { panic!("one mistake") };
    assert!(missing.starts_with("collector.homeAssistant.url: is missing"), "{missing}");
    assert!(warnings(&nats(", url: 'mqtt://127.0.0.1:1883'")).is_empty());
    assert!(warnings(&site_with(&format!("broker: {{type: mqtt}}\n{}", on("")))).is_empty());
    let closed = warnings(&site_with(&on("")));
    assert!(closed[0].starts_with("collector.homeAssistant.url: is null"), "{closed:?}");
    let open = "broker: {embedded: {mqttListener: '127.0.0.1:1883'}}\n";
    assert!(warnings(&site_with(&format!("{open}{}", on("")))).is_empty());
}

#[test]
fn home_assistants_broker_is_read_with_its_own_keys() {
    let of = |keys: &str| site_with(&format!("collector: {{homeAssistant: {{{keys}}}}}\n"));
    let url = "enable: true, url: 'mqtts://ha.example'";
    let text = of(&format!("{url}, username: me, password: MARKER, tls: {{ca: root.pem}}"));
    let found = Folder::new().read(&text, &[]).unwrap().config.collector.home_assistant.unwrap();
    let broker = found.broker.unwrap();
    assert_eq!(
        (broker.url.as_str(), broker.username.as_deref()),
        ("mqtts://ha.example", Some("me"))
    );
    assert_eq!(broker.password.unwrap().expose(), "MARKER");
    assert!(broker.tls.ca.is_some() && found.discovery_prefix == "homeassistant");
    for (keys, told) in [
        ("enable: true, url: 'http://a'", "url: \"http://a\" is no such URL"),
        ("enable: true, url: 'mqtt://a', password: x", "username: is missing: a password needs"),
        ("enable: true, url: 'mqtt://a', discoveryPrefix: ''", "discoveryPrefix: \"\" is not"),
        ("enable: true, url: 'mqtt://a', discoveryPrefix: a/", "discoveryPrefix: \"a/\" is not"),
        ("enable: true, url: 'mqtt://a', discoveryPrefix: a+", "discoveryPrefix: \"a+\" is not"),
    ] {
        let [mistake] = &mistakes(&of(keys))[..] else { panic!("one mistake of {keys}") };
        assert!(mistake.starts_with(&format!("collector.homeAssistant.{told}")), "{mistake}");
    }
    let odd = warnings(&of("enable: true, url: 'mqtt://a', tls: {ca: root.pem}"));
    assert!(odd[0].starts_with("collector.homeAssistant.tls: has no effect"), "{odd:?}");
    let odd = warnings(&site_with(
        "broker: {type: mqtt}\ncollector: {homeAssistant: {enable: true, username: me}}\n",
    ));
    assert!(odd[0].starts_with("collector.homeAssistant.username: has no effect"), "{odd:?}");
    assert!(warnings(&of("url: 'http://a', password: x, discovery: devices")).is_empty());
}

#[test]
fn one_heartbeat_url_for_several_programs_is_warned_of() {
    let beat = |url: &str| {
        site_with(&format!(
            "heartbeat: {{enable: true, remoteURL: '{url}', frequency: every 1 hour}}\n\
             broker: {{type: nats}}\n"
        ))
    };
    let odd = warnings(&beat("https://hc-ping.com/a"));
    assert_eq!(odd.len(), 1);
    assert!(odd[0].starts_with("heartbeat: every program beats"), "{odd:?}");
    assert!(warnings(&beat("https://hc-ping.com/a/%7Bprocess%7D")).is_empty());
}
