//! `footman doctor`: goes and looks at everything that the configuration names, and changes nothing.
//!
//! One file for each thing that is looked at; each gives sections of findings. All of them look at
//! the same time, within bounds, and none ends because another found a fault. At the end stands
//! the promise in force, computed from what was seen.

mod advice;
mod certificates;
mod clock;
mod discovery;
mod disk;
mod embedded;
mod files;
mod foreign;
mod heartbeats;
mod influxdb;
mod listeners;
mod mqtt;
mod nats;
mod promise;
mod qlik;
mod reach;
mod report;
mod secrets;
mod text;
mod units;

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use shared::config::{Config, Loaded, Problem, Transport};
use shared::lifecycle::{self, EXIT_FAILED};
use shared::timestamp::Timestamp;

use crate::cli::duration;
use crate::configuration;
use crate::terminal::columns;
use promise::{BrokerSeen, Rate, Seen};
use report::{Area, Finding, Report, Section, Verdict};
use text::Style;

/// How this command calls itself at brokers.
const COMMAND: &str = "doctor";
/// How long one answer may take, unless the operator says otherwise.
const PATIENCE: &str = "10s";

/// What `doctor` may be told.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// The configuration: one YAML file, that of Butler SOS 15 or Footman's own.
    #[arg(long, short, value_name = "FILE")]
    config: PathBuf,
    /// Print JSON, for machines.
    #[arg(long)]
    json: bool,
    /// How long a name, a connection or an answer may take, e.g. 10s.
    #[arg(long, value_name = "TIME", default_value = PATIENCE, value_parser = duration)]
    timeout: Duration,
}

/// Looks, prints what was seen, and says whether something is wrong.
pub(crate) async fn run(args: DoctorArgs) -> anyhow::Result<ExitCode> {
    let Ok(loaded) = configuration::read(&args.config) else {
        return Ok(lifecycle::wrong_config());
    };
    let report = Box::pin(look(loaded, &args)).await;
    let mut output = std::io::stdout().lock();
    let shown = if args.json {
        serde_json::to_string_pretty(&report)? + "\n"
    } else {
        let colours = output.is_terminal();
        let width = columns().unwrap_or(text::WIDTH);
        text::text(&report, Style { width, colours })
    };
    // Nobody may read any more, as behind `| head`.
    let _gone = output.write_all(shown.as_bytes());
    let is_wrong = report.verdict == Verdict::Fault;
    Ok(if is_wrong { ExitCode::from(EXIT_FAILED) } else { ExitCode::SUCCESS })
}

async fn look(loaded: Loaded, args: &DoctorArgs) -> Report {
    let now = Timestamp::now();
    let Loaded { config, warnings, files } = loaded;
    let config = Arc::new(config);
    let patience = args.timeout;
    let of_files = {
        let (config, path) = (Arc::clone(&config), args.config.clone());
        tokio::task::spawn_blocking(move || {
            let mut sections = files::look(&config, &files, &path);
            sections.extend(listeners::look(&config, patience));
            sections
        })
    };
    let (mut sections, site, (known, (qlik, rate)), (broker, broker_seen), influxdb) = tokio::join!(
        async { of_files.await.unwrap_or_default() },
        site(&config),
        async {
            let (known, found) = discovery::look(&config, patience).await;
            let enabled = found.as_ref().filter(|_| config.collector.discovery.is_some());
            let qlik = qlik::look(&config, enabled, patience).await;
            ((known, found), qlik)
        },
        broker(&config, patience),
        async {
            match &config.writer.influxdb {
                Some(influxdb) => influxdb::look(influxdb, patience).await,
                None => Section::new(Area::Influxdb, "InfluxDB")
                    .with(Finding::note("server", "influxdbConfig is not enabled")),
            }
        }
    );
    sections.extend(of_configuration(&warnings));
    sections.extend(site);
    let (known, found) = known;
    sections.extend(known);
    sections.extend(qlik);
    sections.extend(broker);
    sections.push(influxdb);
    sections.extend(heartbeats::look(&config, now));
    let promise = promise::promise(&config, &seen(&config, broker_seen, rate));
    let file = args.config.display().to_string();
    let mut report = Report::new(now.to_seconds(), file, sections, promise);
    report.discovered =
        found.filter(|found| !found.servers.is_empty()).map(|found| found.as_yaml());
    hush(&mut report, &config);
    report
}

/// What the programs would warn of at their start.
fn of_configuration(warnings: &[Problem]) -> Option<Section> {
    let mut section = Section::new(Area::Configuration, "what `footman check` warns of");
    for warning in warnings {
        section
            .add(Finding::warning("setting", warning.to_string()).fact("key", warning.key.clone()));
    }
    (!section.findings.is_empty()).then_some(section)
}

async fn site(config: &Config) -> Option<Section> {
    let files = config.collector.certificates.clone()?;
    let now = jiff::Timestamp::now();
    let looking = tokio::task::spawn_blocking(move || certificates::look(&files, now));
    looking.await.ok()
}

async fn broker(config: &Config, patience: Duration) -> (Vec<Section>, BrokerSeen) {
    match &config.broker.transport {
        Transport::Embedded(embedded) => {
            let embedded = embedded.clone();
            let looked = tokio::task::spawn_blocking(move || embedded::look(&embedded)).await;
            match looked {
                Ok((section, seen)) => (vec![section], BrokerSeen::Embedded(seen)),
                // A thread that ended early; nothing is known of a broker then.
                Err(_ended) => (Vec::new(), BrokerSeen::Nats(None)),
            }
        }
        Transport::Nats(nats) => {
            let group = &config.writer.consumer_group;
            let (sections, seen) =
                Box::pin(nats::look(&config.broker, nats, group, patience)).await;
            (sections, BrokerSeen::Nats(seen))
        }
        Transport::Mqtt(mqtt) => {
            let (sections, seen) = mqtt::look(&config.broker, mqtt, patience).await;
            (sections, BrokerSeen::Mqtt(seen))
        }
    }
}

fn seen(config: &Config, broker: BrokerSeen, rate: Rate) -> Seen {
    let outbox = &config.collector.outbox.directory;
    Seen { broker, rate, outbox_free: disk::free(outbox), outbox_used: disk::bytes_below(outbox) }
}

/// Takes out what is secret, should somebody have repeated it.
fn hush(report: &mut Report, config: &Config) {
    for section in &mut report.sections {
        section.subject = secrets::hushed(&section.subject, config);
        for finding in &mut section.findings {
            for fact in finding.facts.values_mut() {
                if let serde_json::Value::String(text) = fact {
                    *text = secrets::hushed(text, config);
                }
            }
            finding.seen = secrets::hushed(&finding.seen, config);
            finding.advice = finding.advice.as_ref().map(|advice| secrets::hushed(advice, config));
        }
    }
}
