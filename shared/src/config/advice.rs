//! What is wrong or unwise about the configuration as a whole: where one key meets another.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use super::modes;
use super::problem::{Place, Problem};
use super::section::{Known, Section, UNKNOWN_KEY};
use super::{Collector, Config, Transport, UserIds};

/// Polls that are closer cost the site and tell nothing new: the engine's CPU is a mean of 30 s,
/// and Qlik's own repository asks each engine every 15 s.
const SHORT_INTERVAL: Duration = Duration::from_secs(5);
/// How often mosquitto writes down what it holds, as `config/brokers` sets it; by itself it is
/// half an hour.
const AUTOSAVE_INTERVAL: Duration = Duration::from_mins(1);

/// Looks at what was read, across its sections.
pub(super) fn read(root: &Section<'_>, config: &Config) {
    short_intervals(root, &config.collector);
    ports_taken_twice(root, config);
    without_effect(root, config);
    let outbox = &config.collector.outbox;
    if matches!(config.broker.transport, Transport::Mqtt(_))
        && outbox.replay_window <= AUTOSAVE_INTERVAL
    {
        let what = "is not longer than the 60 s of mosquitto's autosave_interval: what it forgets \
                    in a crash may not be here any more";
        root.again("collector").again("outbox").warn("replayWindow", what);
    }
    if root.is_thorough() {
        left_out(root, config);
    }
}

/// Says where the site is asked more often than is of use.
fn short_intervals(root: &Section<'_>, collector: &Collector) {
    let health = (!collector.servers.is_empty() || collector.discovery.is_some())
        .then_some(collector.health_interval);
    let intervals = [
        ("serversToMonitor", "pollingInterval", health),
        (
            "userSessions",
            "pollingInterval",
            collector.sessions.as_ref().map(|found| found.interval),
        ),
        ("appNames", "extractInterval", collector.app_names.as_ref().map(|found| found.interval)),
    ];
    for (section, key, interval) in intervals {
        if let Some(interval) = interval.filter(|interval| *interval < SHORT_INTERVAL) {
            let what = format!(
                "{} ms loads the site and tells nothing new: an engine's CPU is a mean of 30 s; \
                 5000 is the least that is of use, 15000 to 30000 is usual",
                interval.as_millis()
            );
            root.again(section).warn(key, what);
        }
    }
}

/// Finds pages of one program that want the same port.
fn ports_taken_twice(root: &Section<'_>, config: &Config) {
    let collector = &config.collector;
    let mut wanted = vec![("collector", "http", "listen", collector.http.listen)];
    if let Some(port) = collector.docker_health_check {
        let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
        wanted.push(("", "dockerHealthCheck", "port", address));
    }
    if let Some(prometheus) = &collector.prometheus
        && let Ok(ip) = prometheus.host.replace("localhost", "127.0.0.1").parse()
    {
        wanted.push(("", "prometheus", "port", SocketAddr::new(ip, prometheus.port)));
    }
    if let Transport::Embedded(embedded) = &config.broker.transport
        && let Some(address) = embedded.mqtt_listener
    {
        wanted.push(("broker", "embedded", "mqttListener", address));
    }
    for (index, (above, section, key, address)) in wanted.iter().enumerate() {
        let taken = wanted.iter().take(index).find(|(.., other)| overlap(address, other));
        let Some((other_above, other_section, other_key, _)) = taken else { continue };
        let dot = if other_above.is_empty() { "" } else { "." };
        let wrong = format!(
            "port {} is taken by {other_above}{dot}{other_section}.{other_key} already",
            address.port()
        );
        let section = match *above {
            "" => root.again(section),
            above => root.again(above).again(section),
        };
        section.problem(key, wrong, Some("a port of its own"));
    }
}

/// Says whether two addresses cannot be listened on at once; port 0 is any free one.
fn overlap(one: &SocketAddr, other: &SocketAddr) -> bool {
    let every = one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() == other.port() && one.port() != 0 && (every || one.ip() == other.ip())
}

/// Names the keys of ours that are filled in and make no difference, given others.
fn without_effect(root: &Section<'_>, config: &Config) {
    let collector = root.again("collector");
    if config.needs_one_process() {
        let why = "with broker.type embedded, the queue of broker.embedded is the outbox";
        collector.warn_without_effect("outbox", why);
    }
    if !root.again("mqttConfig").is_on("enable") {
        collector.warn_without_effect("predecessorTopics", "mqttConfig is not enabled");
    }
    if matches!(config.collector.user_ids, UserIds::Clear | UserIds::Drop) {
        collector.warn_without_effect("userIdKeyFile", "userIds is not hmac");
    }
    if !config.collector.reject_unauthorized {
        let why = "serversToMonitor.rejectUnauthorized is false, so nothing is verified";
        collector.warn_without_effect("servers", why);
    }
    if !root.again("influxdbConfig").is_on("enable") {
        root.again("writer").warn_without_effect("influxdb", "influxdbConfig is not enabled");
    }
}

/// Says what the file does not ask for at all, though it looks as if it did.
fn left_out(root: &Section<'_>, config: &Config) {
    let Config { collector, writer, .. } = config;
    let finds_servers = collector.discovery.is_some();
    if collector.servers.is_empty() && collector.app_names.is_none() && !finds_servers {
        let what = "nothing is polled: serversToMonitor.servers is empty, appNames and \
                    collector.discovery are off";
        root.warn("", what);
    }
    let none_has_sessions = collector.servers.iter().all(|server| server.sessions.is_none());
    if collector.sessions.is_some() && none_has_sessions && !finds_servers {
        let what = "no server has userSessions.enable: no session is polled";
        root.again("userSessions").warn("enableSessionExtract", what);
    }
    if writer.influxdb.is_none()
        && writer.line_protocol_file.is_none()
        && !root.again("influxdbConfig").is_on("enable")
    {
        let what = "points go nowhere: influxdbConfig is not enabled and writer.lineProtocolFile \
                    is null; `writer` and `footman run` will not start";
        root.warn("writer", what);
    }
}

/// Looks for unknown keys in other sections: where one of them alone knows the very name, it is
/// what was meant, rather than a name in the same section that is merely like it.
pub(super) fn look_elsewhere(problems: &mut [Problem], known: &BTreeMap<String, Known>) {
    let last = |key: &str| key.rsplit('.').next().unwrap_or_default().to_lowercase();
    for problem in problems.iter_mut().filter(|problem| problem.wrong == UNKNOWN_KEY) {
        let name = last(&problem.key);
        let mut alike =
            known.iter().filter(|(key, known)| !known.environment_only && last(key) == name);
        if let (Some((key, _)), None) = (alike.next(), alike.next()) {
            problem.nearest = Some(key.clone());
            problem.allowed = None;
        }
    }
}

/// Warns of a configuration that holds secrets and that everybody on this host can read.
pub(super) fn open_file(file: &Path) -> Option<Problem> {
    let mode = modes::open_to_everybody(file)?;
    let path = file.display();
    let wrong = format!(
        "holds secrets, and everybody on this host can read it (mode {mode:04o}): chmod 600 {path}"
    );
    let place = Place::File(file.to_owned());
    Some(Problem { key: String::new(), place, wrong, allowed: None, nearest: None })
}
