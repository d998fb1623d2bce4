//! NATS: each server's greeting, then the streams and the consumer as the programs want them.

mod streams;

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;
use shared::broker::nats::look::{self, Looked, Sight};
use shared::broker::nats::{NatsSettings, Timing};
use shared::config::{self, Broker};
use tokio::task::JoinSet;

use super::foreign::Foreign;
use super::promise::{self, NatsSeen};
use super::reach;
use super::report::{Area, Finding, Section};
use super::units;

const PORT: u16 = 4222;
/// The greeting of a server of a large cluster is some kilobytes.
const LONGEST_GREETING: u64 = 64 * 1024;
/// The largest event, with its headers.
const LARGEST_EVENT: usize = 900 * 1024;

/// Looks at everything.
pub(crate) async fn look(
    broker: &Broker,
    nats: &config::Nats,
    group: &str,
    patience: Duration,
) -> (Vec<Section>, Option<NatsSeen>) {
    let mut greeting_all = JoinSet::new();
    for (place, server) in nats.servers.iter().cloned().enumerate() {
        let nats = nats.clone();
        greeting_all.spawn(async move { (place, greeting(&server, &nats, patience).await) });
    }
    let settings = NatsSettings {
        name: super::COMMAND.to_owned(),
        topic_prefix: broker.topic_prefix.clone(),
        dead_letters_max_bytes: broker.dead_letters_max_bytes,
        timing: Timing { answer_wait: patience, ..Timing::default() },
    };
    let mut section = Section::new(Area::Broker, format!("the stream {}", nats.stream));
    let looking = look::look(nats, &settings, group, patience);
    let (mut greeted, looked) = tokio::join!(greeting_all.join_all(), looking);
    greeted.sort_by_key(|(place, _)| *place);
    let mut sections: Vec<Section> = greeted.into_iter().map(|(_, section)| section).collect();
    let seen = match looked {
        Err(error) => {
            let advice = "start a server of broker.nats.servers, or correct what is said there";
            section.add(Finding::fault("login", error.to_string()).advise(advice));
            None
        }
        Ok(sight) => {
            note(&sight, nats, group, &mut section);
            Some(seen(&sight))
        }
    };
    sections.push(section);
    (sections, seen)
}

/// What a server says before anybody has said who they are.
async fn greeting(server: &url::Url, nats: &config::Nats, patience: Duration) -> Section {
    let host = server.host_str().unwrap_or_default().to_owned();
    let port = server.port().unwrap_or(PORT);
    let mut section = Section::new(Area::Broker, format!("NATS at {host}:{port}"));
    let (findings, stream) = reach::connect(&host, port, patience).await;
    section.findings.extend(findings);
    let Some(stream) = stream else { return section };
    let read = tokio::task::spawn_blocking(move || read_greeting(stream, patience)).await;
    let (info, stream) = match read {
        Ok(Ok(read)) => read,
        Ok(Err(why)) => {
            section.add(Finding::fault("server", why).advise("correct broker.nats.servers"));
            return section;
        }
        Err(ended) => {
            section.add(Finding::fault("server", ended.to_string()));
            return section;
        }
    };
    section.add(server_finding(&info));
    let is_on = |name: &str| info.get(name).and_then(Value::as_bool).unwrap_or(false);
    let wants = nats.tls.is_set() || server.scheme() == "tls";
    if is_on("tls_required") || (wants && is_on("tls_available")) {
        let foreign = Foreign {
            host: &host,
            tls: &nats.tls,
            ca_key: "broker.nats.tls.ca",
            address_key: "broker.nats.servers",
        };
        foreign.note(stream, patience, &mut section).await;
    } else if wants {
        let seen = "the server has no TLS, and the configuration wants it";
        let advice = "add a section tls to the server, or leave broker.nats.tls and tls:// out";
        section.add(Finding::fault("tls", seen).advise(advice));
    } else if !reach::is_loopback(&host) {
        let seen = "no TLS: passwords and events cross the network in the clear";
        let advice = "add a section tls to the server, and write tls:// in broker.nats.servers";
        section.add(Finding::warning("tls", seen).advise(advice));
    }
    section
}

fn read_greeting(
    stream: TcpStream,
    patience: Duration,
) -> Result<(serde_json::Map<String, Value>, TcpStream), String> {
    let silent = |error: std::io::Error| format!("it does not greet as NATS does: {error}");
    stream.set_read_timeout(Some(patience)).map_err(silent)?;
    let mut line = String::new();
    // The server says nothing more before it is answered.
    let reading = stream.try_clone().map_err(silent)?;
    BufReader::new(reading.take(LONGEST_GREETING)).read_line(&mut line).map_err(silent)?;
    let info = line.strip_prefix("INFO ").and_then(|info| serde_json::from_str(info).ok());
    info.map(|info| (info, stream)).ok_or_else(|| "it does not greet as NATS does".to_owned())
}

fn server_finding(info: &serde_json::Map<String, Value>) -> Finding {
    let text = |name: &str| info.get(name).and_then(Value::as_str).unwrap_or("?").to_owned();
    let jetstream = info.get("jetstream").and_then(Value::as_bool).unwrap_or(false);
    let payload = info.get("max_payload").and_then(Value::as_u64).unwrap_or_default();
    let version = text("version");
    let with = if jetstream { "with JetStream" } else { "without JetStream" };
    let seen = format!(
        "nats-server {version} {with}, called {}, messages up to {}",
        text("server_name"),
        units::bytes(payload)
    );
    let finding = if !jetstream {
        let advice = "put `jetstream { store_dir: … }` into its configuration, or let another server \
                      of the cluster have it";
        Finding::warning("server", seen).advise(advice)
    } else if usize::try_from(payload).unwrap_or(usize::MAX) < LARGEST_EVENT {
        let advice = "set the server's max_payload to 1MB, its default: events have up to 900 KiB";
        Finding::warning("server", seen).advise(advice)
    } else {
        Finding::ok("server", seen)
    };
    finding.fact("version", version).fact("jetstream", jetstream).fact("maxPayload", payload)
}

fn note(sight: &Sight, nats: &config::Nats, group: &str, section: &mut Section) {
    let cluster = sight.cluster.as_ref().map(|name| format!(", cluster {name}"));
    let server = format!("{}{}", sight.name, cluster.unwrap_or_default());
    section.add(Finding::ok("login", format!("let in by {server}")));
    section.add(streams::account(&sight.account));
    streams::stream(&sight.events, &nats.stream, true, section);
    streams::stream(&sight.dead_letters, &format!("{}_DEAD", nats.stream), false, section);
    streams::consumer(&sight.consumer, group, section);
}

fn seen(sight: &Sight) -> NatsSeen {
    NatsSeen {
        stream: match &sight.events {
            Looked::There(stream) => Some(promise::StreamSeen {
                on_disk: stream.on_disk,
                replicas: stream.replicas,
                refuses_when_full: stream.refuses_when_full,
                work_queue: stream.work_queue,
                max_bytes: stream.max_bytes,
                max_age: stream.max_age,
                bytes: stream.bytes,
            }),
            _ => None,
        },
    }
}
