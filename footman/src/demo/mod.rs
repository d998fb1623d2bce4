//! `footman demo`: a simulated site and the whole pipeline, with nothing to configure.

mod site;
mod view;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use shared::config::{self, LogLevel};
use shared::instance::Instance;
use shared::lifecycle;
use shared::logging;
use tokio_util::sync::CancellationToken;

use crate::cli::DemoArgs;
use crate::pipeline::{self, Pipeline};
use site::DemoSite;

const INSTANCE: &str = "demo";
/// The ports that the pages and the MQTT listener take when they are free.
const PAGE_PORT: u16 = 9701;
const MQTT_PORT: u16 = 1883;

/// Where the demo keeps its things.
#[derive(Clone, Debug)]
struct Places {
    directory: PathBuf,
}

impl Places {
    fn certificates(&self) -> PathBuf {
        self.directory.join("certificates")
    }

    fn configuration(&self) -> PathBuf {
        self.directory.join("footman.yaml")
    }

    fn queue(&self) -> PathBuf {
        self.directory.join("queue")
    }

    fn points(&self) -> PathBuf {
        self.directory.join("points.lp")
    }

    fn logs(&self) -> PathBuf {
        self.directory.join("log")
    }
}

/// Runs the demo until Ctrl-C, or for the time asked for.
pub(crate) async fn demo(args: DemoArgs) -> anyhow::Result<ExitCode> {
    std::fs::create_dir_all(&args.data)
        .with_context(|| format!("{} cannot be made (--data)", args.data.display()))?;
    let directory = std::path::absolute(&args.data)?;
    let places = Places { directory };
    let instance = Instance::take(pipeline::PROCESS, Some(INSTANCE));
    let _logs =
        logging::init_files_only(&places.logs(), LogLevel::Info, pipeline::PROCESS, INSTANCE)?;
    let shutdown = CancellationToken::new();
    lifecycle::shut_down_on_signals(shutdown.clone())?;
    if let Some(duration) = args.duration {
        let shutdown = shutdown.clone();
        tokio::spawn(async move {
            tokio::time::sleep(duration).await;
            shutdown.cancel();
        });
    }

    view::say("Starting a simulated Qlik Sense site of three servers ...");
    let site = DemoSite::start(&places.certificates()).await?;
    let text = site.configuration(&places, page_address(), mqtt_address());
    std::fs::write(places.configuration(), &text)?;
    let name = places.configuration();
    let loaded = config::from_text(&text, &name, std::iter::empty())
        .context("the demo's own configuration is wrong")?;
    let pipeline = Pipeline::start(Arc::new(loaded.config), instance).await?;

    view::say(&introduction(&places, &pipeline, args.duration.is_none()));
    let view = pipeline.view();
    let stop_view = shutdown.child_token();
    let shown = tokio::spawn(view::show(view, site.names(), stop_view.clone()));
    let trouble = tokio::spawn(site.clone().misbehave(shutdown.clone()));
    let ended = pipeline.until(shutdown.clone()).await;
    shutdown.cancel();
    // The view ends by itself now, and draws its last state.
    let last_words = shown.await.unwrap_or_default();
    let _ended = trouble.await;
    view::say(&last_words);
    view::say(&format!("The points are in {}.", shortened(&places.points())));
    ended.map(|()| ExitCode::SUCCESS)
}

fn introduction(places: &Places, pipeline: &Pipeline, endless: bool) -> String {
    let mut lines = vec![
        "Health, sessions and app names are polled every few seconds; sense3 misbehaves on purpose."
            .to_owned(),
        String::new(),
        format!("  points         {}   (InfluxDB line protocol)", shortened(&places.points())),
        format!("  configuration  {}", shortened(&places.configuration())),
        format!("  log            {}", shortened(&places.logs())),
        format!("  live page      http://{}/", pipeline.page()),
        format!("  state          http://{}/readyz and /metrics", pipeline.page()),
    ];
    if let Some(address) = pipeline.mqtt() {
        lines.push(format!(
            "  subscribe      mosquitto_sub -h {} -p {} -v -t 'qliksense/v1/#'",
            address.ip(),
            address.port()
        ));
    }
    if endless {
        lines.push("  end            Ctrl-C".to_owned());
    }
    lines.push(String::new());
    lines.join("\n")
}

/// A path as it would be typed here.
fn shortened(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(here).unwrap_or(path).display().to_string()
}

fn page_address() -> SocketAddr {
    preferred(PAGE_PORT)
}

fn mqtt_address() -> SocketAddr {
    preferred(MQTT_PORT)
}

/// The port on the loopback interface, or any free one when somebody has it.
fn preferred(port: u16) -> SocketAddr {
    let wanted = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    TcpListener::bind(wanted)
        .or_else(|_taken| TcpListener::bind(any))
        .and_then(|listener| listener.local_addr())
        .unwrap_or(any)
}
