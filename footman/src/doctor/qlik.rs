//! Every endpoint that would be polled: name, port, certificate, and one real request to each.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use collector::Facts;
use collector::discovery::Found;
use collector::visit::{Target, Visit, Visitor};
use jiff::Timestamp;
use shared::config::{Certificates, Config};
use shared::event::{Category, Source};
use shared::tls::{Identity, Roots, Verification};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::promise::Rate;
use super::reach::{self, Trust};
use super::report::{Area, Finding, Section};
use super::{advice, clock};

/// Ports that are looked at at once: each may need a thread for its name and its handshake.
const PORTS_AT_ONCE: usize = 16;
/// An answer that takes this part of what a poll may take is slow.
const SLOW_PART: u32 = 2;

/// What is at one port: its targets, by their place among all.
type Ports = BTreeMap<(String, u16, Verification), Vec<(usize, Target)>>;

/// Looks at all that would be polled, servers that discovery `found` included; the rate is that of the events that the answers would become.
pub(crate) async fn look(
    config: &Config,
    found: Option<&Found>,
    patience: Duration,
) -> (Vec<Section>, Rate) {
    let collector = &config.collector;
    let visitor = match Visitor::new(collector, &config.broker.topic_prefix, found, patience).await
    {
        Ok(visitor) => Arc::new(visitor),
        Err(wrong) => {
            let section = Section::new(Area::Qlik, "the servers")
                .with(Finding::fault("configuration", wrong.to_string()));
            return (vec![section], Rate::default());
        }
    };
    let mut ports = Ports::new();
    for (number, target) in visitor.targets().into_iter().enumerate() {
        let key = (target.host.clone(), target.port, target.verification.clone());
        ports.entry(key).or_default().push((number, target));
    }
    let trust = collector.certificates.clone().map(trust_of);
    let trust = match trust {
        Some(loading) => loading.await,
        None => None,
    };
    let permits = Arc::new(Semaphore::new(PORTS_AT_ONCE));
    let mut looking = JoinSet::new();
    for targets in ports.into_values() {
        let port = Port { visitor: Arc::clone(&visitor), trust: trust.clone(), targets, patience };
        let permits = Arc::clone(&permits);
        looking.spawn(async move {
            let _permit = permits.acquire().await;
            port.look().await
        });
    }
    let mut found: Vec<_> = looking.join_all().await;
    found.sort_by_key(|seen| seen.first);
    let mut rate = Rate::default();
    let sections = found.into_iter().map(|seen| {
        rate.add(seen.rate);
        seen.section
    });
    (sections.collect(), rate)
}

/// The site's authority and our certificate; without them a handshake is made with less.
async fn trust_of(files: Certificates) -> Option<Trust> {
    let load = move || {
        let roots = Roots::load(&files.ca).or_else(|_unusable| Roots::of_system()).ok()?;
        let identity = Identity::load(&files.cert, &files.key, files.passphrase.as_ref()).ok();
        Some(Trust { roots, identity, ca: Some(files.ca) })
    };
    tokio::task::spawn_blocking(load).await.ok().flatten()
}

/// One port, and what is asked there.
struct Port {
    visitor: Arc<Visitor>,
    trust: Option<Trust>,
    targets: Vec<(usize, Target)>,
    patience: Duration,
}

struct Seen {
    first: usize,
    section: Section,
    rate: Rate,
}

impl Port {
    async fn look(self) -> Seen {
        let first = self.targets.first().map_or(0, |(number, _)| *number);
        let mut seen = Seen { first, section: self.section(), rate: Rate::default() };
        let Some((_, target)) = self.targets.first() else { return seen };
        let (findings, stream) = reach::connect(&target.host, target.port, self.patience).await;
        seen.section.findings.extend(findings);
        let Some(stream) = stream else { return seen };
        let accepted = match &self.trust {
            Some(trust) => {
                let (host, how) = (&target.host, target.verification.clone());
                let looked =
                    reach::handshake(stream, host, trust.clone(), how, self.patience).await;
                note_handshake(target, trust, looked, &mut seen.section)
            }
            None => true,
        };
        if !accepted {
            seen.section.add(Finding::note("answer", "not asked for, since TLS failed"));
            return seen;
        }
        for (number, target) in &self.targets {
            if let Some(visit) = self.visitor.visit(*number).await {
                seen.rate.add(rate_of(target, &visit));
                note_visit(target, &visit, self.patience, &mut seen.section);
            }
        }
        seen
    }

    fn section(&self) -> Section {
        let mut names = Vec::new();
        for (_, target) in &self.targets {
            let name = match target.source {
                Source::Health => format!("{}, engine", target.server),
                Source::Sessions => format!("{}, proxy", target.server),
                Source::AppNames => "repository".to_owned(),
            };
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let at = self.targets.first().map(|(_, target)| format!("{}:{}", target.host, target.port));
        Section::new(Area::Qlik, format!("{} at {}", names.join(", "), at.unwrap_or_default()))
    }
}

/// Says what was shown, and whether it is accepted.
fn note_handshake(
    target: &Target,
    trust: &Trust,
    looked: Result<shared::tls::Handshake, String>,
    section: &mut Section,
) -> bool {
    let handshake = match looked {
        Ok(handshake) => handshake,
        Err(why) => {
            section
                .add(Finding::fault("tls", why).advise("see the key cert and collector.servers"));
            return false;
        }
    };
    let (shown, certificate) = reach::shown(&handshake, Timestamp::now());
    section.findings.extend(shown);
    match &handshake.outcome {
        Ok(()) => {
            section.add(verified(target));
            true
        }
        Err(error) => {
            let ours = trust.authorities();
            let advice::Advice { seen, todo } =
                advice::of(error, target, certificate.as_ref(), ours.as_deref());
            section.add(Finding::fault("tls", seen).advise(todo));
            false
        }
    }
}

fn verified(target: &Target) -> Finding {
    match &target.verification {
        Verification::Full => Finding::ok("tls", "verified: chain and name"),
        Verification::As(name) => {
            Finding::ok("tls", format!("verified: chain, and the name {name}"))
        }
        Verification::Chain => Finding::note(
            "tls",
            "verified by its chain alone: any certificate of the site would do",
        ),
        Verification::None => Finding::warning("tls", "not verified: any server would do")
            .advise("set serversToMonitor.rejectUnauthorized to true, and no verify: none"),
    }
}

fn note_visit(target: &Target, visit: &Visit, patience: Duration, section: &mut Section) {
    let now = shared::timestamp::Timestamp::now();
    let path = url_path(&target.url);
    let took = visit.duration;
    let answer = match &visit.outcome {
        Ok(facts) => {
            let seen = format!("{path}: JSON in {} ms: {}", took.as_millis(), words(facts));
            let slow = took * SLOW_PART > patience;
            let finding =
                if slow { Finding::warning("answer", seen) } else { Finding::ok("answer", seen) };
            finding.fact("bytes", visit.bytes.unwrap_or_default())
        }
        Err(failed) => {
            let seen = format!("{path}: {}", failed.message);
            let finding = Finding::fault("answer", seen).advise(todo(target, &failed.category));
            match failed.http_status {
                Some(status) => finding.fact("httpStatus", status),
                None => finding,
            }
        }
    };
    let milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    section.add(answer.fact("url", target.url.clone()).fact("durationMs", milliseconds));
    let clock = visit.date.as_deref().and_then(|date| clock::compare(date, now, took));
    if let Some(clock) = clock
        && !section.findings.iter().any(|finding| finding.what == "clock")
    {
        section.add(clock);
    }
}

fn todo(target: &Target, category: &Category) -> String {
    if *category == Category::UNEXPECTED_BODY || *category == Category::RATE_LIMITED {
        return advice::right_port(target);
    }
    if *category == Category::NOT_FOUND {
        return match &target.virtual_proxy {
            Some(prefix) => format!(
                "write the prefix of a virtual proxy that this proxy has in place of {prefix:?}, or {}",
                advice::right_port(target)
            ),
            None => advice::right_port(target),
        };
    }
    if *category == Category::AUTH_ERROR || *category == Category::CERTIFICATE_ERROR {
        return "export the certificates of this site again in the QMC, and name them in cert"
            .to_owned();
    }
    if *category == Category::TIMEOUT {
        return "look at the load of that server; --timeout and collector.pollTimeout give it longer"
            .to_owned();
    }
    if *category == Category::CERTIFICATE_UNREADABLE {
        return "see the certificates of the site above".to_owned();
    }
    "look at the service on that server, and at its log".to_owned()
}

fn words(facts: &Facts) -> String {
    match facts {
        Facts::Health { cpu_percent, sessions, apps_in_memory, saturated, .. } => {
            let cpu = cpu_percent.map_or("?".to_owned(), |cpu| format!("{cpu:.0}"));
            let sessions = sessions.map_or("?".to_owned(), |sessions| sessions.to_string());
            let saturated = if *saturated == Some(true) { ", saturated" } else { "" };
            format!("CPU {cpu} %, {sessions} sessions, {apps_in_memory} apps in memory{saturated}")
        }
        Facts::Sessions { sessions, .. } => format!("{sessions} sessions"),
        Facts::AppNames { apps, .. } => format!("{apps} apps"),
    }
}

fn rate_of(target: &Target, visit: &Visit) -> Rate {
    // App names are published in full once a day; what is new in between is little.
    match target.source {
        Source::AppNames => Rate::default(),
        Source::Health | Source::Sessions => Rate::of(visit.bytes.unwrap_or(0), target.interval),
    }
}

fn url_path(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.find('/').and_then(|start| rest.get(start..)).unwrap_or(rest)
}
