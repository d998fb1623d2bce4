//! A configuration file of Butler SOS 15 that monitors the site.
//!
//! It is complete: the predecessor itself accepts it, the sections that it reads without their being enabled included.

use std::{net::IpAddr, time::Duration};

use crate::{CertificateFiles, Endpoint, Server, site::SiteState};

/// The sections that say nothing about the site.
const HEAD: &str = include_str!("head.yaml");

/// Where the monitored values go, and how often they are asked for.
#[derive(Clone, Debug)]
pub struct ButlerSosOptions {
    /// The version of InfluxDB: 1, 2 or 3.
    pub influxdb_version: u8,
    /// InfluxDB's host.
    pub influxdb_host: String,
    /// InfluxDB's port.
    pub influxdb_port: u16,
    /// The database of versions 1 and 3, the bucket of version 2.
    pub database: String,
    /// The organisation of version 2.
    pub organisation: String,
    /// The token of versions 2 and 3.
    pub token: String,
    /// Whether points are written at all.
    pub influxdb_enable: bool,
    /// How often engines are asked.
    pub polling_interval: Duration,
    /// How often proxies are asked.
    pub session_interval: Duration,
    /// How often the repository is asked.
    pub app_names_interval: Duration,
    /// Whether Footman's section `collector.servers` names the certificates' host names, which are then verified.
    pub tls_server_names: bool,
    /// Text that is added under the root `Butler-SOS`, indented by two spaces.
    pub more: String,
}

impl Default for ButlerSosOptions {
    /// InfluxDB 1 on this machine, asked every 30 seconds.
    fn default() -> Self {
        Self {
            influxdb_version: 1,
            influxdb_host: IpAddr::from([127, 0, 0, 1]).to_string(),
            influxdb_port: 8086,
            database: "senseops".to_owned(),
            organisation: "footman".to_owned(),
            token: "token".to_owned(),
            influxdb_enable: true,
            polling_interval: Duration::from_secs(30),
            session_interval: Duration::from_secs(30),
            app_names_interval: Duration::from_mins(1),
            tls_server_names: false,
            more: String::new(),
        }
    }
}

pub(crate) fn config(site: &SiteState, options: &ButlerSosOptions) -> String {
    let mut text = HEAD.to_owned();
    text.push_str(&certificates(site.files()));
    text.push_str(&influxdb(options));
    text.push_str(&polling(site, options));
    for server in &site.servers {
        text.push_str(&monitored(server, &site.config.virtual_proxies));
    }
    if options.tls_server_names {
        text.push_str("  collector:\n    servers:\n");
        for server in &site.servers {
            let (name, host_name) = (quoted(server.name()), quoted(server.host_name()));
            let line = format!("      {name}: {{tlsServerName: {host_name}}}\n");
            text.push_str(&line);
        }
    }
    text.push_str(&options.more);
    text
}

fn certificates(files: &CertificateFiles) -> String {
    let [client, key, root] =
        [&files.client, &files.client_key, &files.root].map(|path| quoted(&path.to_string_lossy()));
    format!(
        "  cert:
    clientCert: {client}
    clientCertKey: {key}
    clientCertCA: {root}
"
    )
}

fn influxdb(options: &ButlerSosOptions) -> String {
    let ButlerSosOptions { influxdb_enable, influxdb_port, influxdb_version, .. } = options;
    let host = quoted(&options.influxdb_host);
    let database = quoted(&options.database);
    let organisation = quoted(&options.organisation);
    let token = quoted(&options.token);
    format!(
        "  influxdbConfig:
    enable: {influxdb_enable}
    host: {host}
    port: {influxdb_port}
    version: {influxdb_version}
    maxBatchSize: 1000
    v1Config:
      auth: {{enable: false, username: \"\", password: \"\"}}
      dbName: {database}
      retentionPolicy: {{name: 10d, duration: 10d}}
    v2Config: {{org: {organisation}, bucket: {database}, description: \"\", token: {token}, retentionDuration: 10d}}
    v3Config: {{database: {database}, description: \"\", token: {token}, retentionDuration: 10d, writeTimeout: 10000, queryTimeout: 60000}}
    includeFields: {{activeDocs: true, loadedDocs: true, inMemoryDocs: true}}
"
    )
}

/// Everything up to the list of servers, which comes last.
fn polling(site: &SiteState, options: &ButlerSosOptions) -> String {
    let repository = quoted(&repository(site));
    let app_names = options.app_names_interval.as_millis();
    let sessions = options.session_interval.as_millis();
    let health = options.polling_interval.as_millis();
    format!(
        "  appNames:
    enableAppNameExtract: true
    extractInterval: {app_names}
    hostIP: {repository}
  userSessions:
    enableSessionExtract: true
    pollingInterval: {sessions}
    excludeUser: null
  serversToMonitor:
    pollingInterval: {health}
    rejectUnauthorized: true
    serverTagsDefinition: [site_part]
    servers:
"
    )
}

fn monitored(server: &Server, virtual_proxies: &[String]) -> String {
    let host = |endpoint| quoted(server.host(endpoint).unwrap_or_default());
    let (engine, proxy) = (host(Endpoint::Engine), host(Endpoint::Proxy));
    let (name, description) = (quoted(server.name()), quoted(server.description()));
    let tag = quoted(server.tag());
    let virtual_proxies: Vec<String> =
        virtual_proxies.iter().map(|name| format!("{{virtualProxy: {}}}", quoted(name))).collect();
    let virtual_proxies = virtual_proxies.join(", ");
    format!(
        "      - host: {engine}
        serverName: {name}
        serverDescription: {description}
        userSessions:
          enable: true
          host: {proxy}
          virtualProxies: [{virtual_proxies}]
        serverTags: {{site_part: {tag}}}
        headers: null
"
    )
}

/// The central node's address; the port only where it is not the usual one, which Butler SOS cannot change.
fn repository(site: &SiteState) -> String {
    let central = site.servers.first();
    let host = central.and_then(|server| server.host(Endpoint::Repository)).unwrap_or_default();
    host.strip_suffix(":4242").unwrap_or(host).to_owned()
}

/// A string of JSON, which every reader of YAML takes.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
