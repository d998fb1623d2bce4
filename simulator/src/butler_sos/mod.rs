//! A configuration file of Butler SOS 15 that monitors the site.
//!
//! It is complete: the predecessor itself accepts it, the sections that it reads without their being enabled included.

use std::{fmt::Write, net::IpAddr, path::Path, time::Duration};

use crate::{Endpoint, site::SiteState};

/// Texts of the file; scalars of JSON are scalars of YAML.
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
            app_names_interval: Duration::from_secs(60),
            tls_server_names: false,
            more: String::new(),
        }
    }
}

pub(crate) fn config(site: &SiteState, options: &ButlerSosOptions) -> String {
    let files = site.files();
    let mut text = HEAD.to_owned();
    let mut line = |level: usize, rest: String| {
        // Writing into a string cannot fail.
        let _ = writeln!(text, "{:width$}{rest}", "", width = level * 2);
    };

    line(1, "cert:".to_owned());
    line(2, format!("clientCert: {}", path(&files.client)));
    line(2, format!("clientCertKey: {}", path(&files.client_key)));
    line(2, format!("clientCertCA: {}", path(&files.root)));
    line(1, "influxdbConfig:".to_owned());
    line(2, format!("enable: {}", options.influxdb_enable));
    line(2, format!("host: {}", quoted(&options.influxdb_host)));
    line(2, format!("port: {}", options.influxdb_port));
    line(2, format!("version: {}", options.influxdb_version));
    line(2, "maxBatchSize: 1000".to_owned());
    let database = quoted(&options.database);
    let token = quoted(&options.token);
    line(
        2,
        format!(
            "v1Config: {{auth: {{enable: false, username: \"\", password: \"\"}}, dbName: {database}, \
             retentionPolicy: {{name: 10d, duration: 10d}}}}"
        ),
    );
    let organisation = quoted(&options.organisation);
    line(
        2,
        format!(
            "v2Config: {{org: {organisation}, bucket: {database}, description: \"\", token: {token}, \
             retentionDuration: 10d}}"
        ),
    );
    line(
        2,
        format!(
            "v3Config: {{database: {database}, description: \"\", token: {token}, \
             retentionDuration: 10d, writeTimeout: 10000, queryTimeout: 60000}}"
        ),
    );
    line(
        2,
        "includeFields: {activeDocs: true, loadedDocs: true, inMemoryDocs: true}".to_owned(),
    );
    line(1, "appNames:".to_owned());
    line(2, "enableAppNameExtract: true".to_owned());
    line(
        2,
        format!(
            "extractInterval: {}",
            options.app_names_interval.as_millis()
        ),
    );
    line(2, format!("hostIP: {}", quoted(&repository(site))));
    line(1, "userSessions:".to_owned());
    line(2, "enableSessionExtract: true".to_owned());
    line(
        2,
        format!("pollingInterval: {}", options.session_interval.as_millis()),
    );
    line(2, "excludeUser: null".to_owned());
    line(1, "serversToMonitor:".to_owned());
    line(
        2,
        format!("pollingInterval: {}", options.polling_interval.as_millis()),
    );
    line(2, "rejectUnauthorized: true".to_owned());
    line(2, "serverTagsDefinition: [site_part]".to_owned());
    line(2, "servers:".to_owned());
    for server in &site.servers {
        let host = |endpoint| quoted(server.host(endpoint).unwrap_or_default());
        let proxies: Vec<String> = site
            .config
            .virtual_proxies
            .iter()
            .map(|name| format!("{{virtualProxy: {}}}", quoted(name)))
            .collect();
        line(3, format!("- host: {}", host(Endpoint::Engine)));
        line(4, format!("serverName: {}", quoted(server.name())));
        line(
            4,
            format!("serverDescription: {}", quoted(server.description())),
        );
        line(4, "userSessions:".to_owned());
        line(5, "enable: true".to_owned());
        line(5, format!("host: {}", host(Endpoint::Proxy)));
        line(5, format!("virtualProxies: [{}]", proxies.join(", ")));
        line(
            4,
            format!("serverTags: {{site_part: {}}}", quoted(server.tag())),
        );
        line(4, "headers: null".to_owned());
    }
    if options.tls_server_names {
        line(1, "collector:".to_owned());
        line(2, "servers:".to_owned());
        for server in &site.servers {
            let host_name = quoted(server.host_name());
            line(
                3,
                format!("{}: {{tlsServerName: {host_name}}}", quoted(server.name())),
            );
        }
    }
    text.push_str(&options.more);
    text
}

/// The central node's address; the port only where it is not the usual one, which Butler SOS cannot change.
fn repository(site: &SiteState) -> String {
    let central = site.servers.first();
    let host = central
        .and_then(|server| server.host(Endpoint::Repository))
        .unwrap_or_default();
    host.strip_suffix(":4242").unwrap_or(host).to_owned()
}

fn path(path: &Path) -> String {
    quoted(&path.to_string_lossy())
}

/// A string of JSON, which every reader of YAML takes.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
