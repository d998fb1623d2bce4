//! The live page in a real browser: it shows the site, a server turns failing and back while it is
//! watched, and nothing overflows or complains.

use std::time::Duration;

use integration_tests::chromium::{Chromium, View};
use integration_tests::nats::NatsServer;
use integration_tests::patience::eventually;
use integration_tests::programs::{FootmanRun, House};
use serde_json::{Value, json};
use simulator::{ButlerSosOptions, Endpoint, Fault, Site, SiteConfig};

const INTERVAL: Duration = Duration::from_secs(1);
const WALL: View = View { width: 1440, height: 900, dark: false, scripts: true };
const PHONE: View = View { width: 360, height: 740, dark: true, scripts: true };
/// Nothing lies beyond the edge.
const FITS: &str = "document.documentElement.scrollWidth <= document.documentElement.clientWidth";

async fn site(hurting_server_names: bool) -> Site {
    let config = SiteConfig { servers: 3, hurting_server_names, ..SiteConfig::for_test().unwrap() };
    Site::start(config).await.unwrap()
}

fn footman(site: &Site) -> FootmanRun {
    FootmanRun::prepare(|sections| {
        site.butler_sos_config(&ButlerSosOptions {
            influxdb_enable: false,
            polling_interval: INTERVAL,
            session_interval: INTERVAL,
            app_names_interval: INTERVAL,
            more: sections + "  writer: {lineProtocolFile: points.lp}\n",
            ..ButlerSosOptions::default()
        })
    })
}

async fn state(footman: &FootmanRun) -> Value {
    let (status, text) = footman.page("/api/state").await.unwrap();
    assert_eq!(status, 200, "{text}");
    serde_json::from_str(&text).unwrap()
}

/// Waits until everything of every server has been polled.
async fn polled(footman: &FootmanRun) -> Value {
    eventually("all servers polled", || async {
        let state = state(footman).await;
        let servers = state["servers"].as_array()?;
        let is_polled = |server: &Value| {
            let mut proxies = server["proxies"].as_array().unwrap().iter();
            server["cpuPercent"].is_number() && proxies.all(|proxy| proxy["sessions"].is_number())
        };
        (servers.len() == 3 && servers.iter().all(is_polled)).then_some(state)
    })
    .await
}

/// The address of the page.
fn url(footman: &FootmanRun) -> String {
    format!("http://127.0.0.1:{}/", footman.port())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_shows_the_site_and_what_becomes_of_it() {
    let site = site(true).await;
    let mut footman = footman(&site);
    footman.start().await;
    let shown = polled(&footman).await;
    let names: Vec<&str> = site.servers().iter().map(simulator::Server::name).collect();
    let mut browser = Chromium::start();
    let wall = browser.open(&url(&footman), WALL).await;
    let phone = browser.open(&url(&footman), PHONE).await;
    let still = browser.open(&url(&footman), View { scripts: false, ..PHONE }).await;

    // The servers are there under their true names, whatever is in these, and without markup.
    let seen = "[...document.querySelectorAll('#rows b')].map((name) => name.textContent)";
    let found = browser.evaluate(&wall, seen).await;
    let in_order: Vec<&Value> =
        shown["servers"].as_array().unwrap().iter().map(|server| &server["name"]).collect();
    let mut sorted = names.clone();
    sorted.sort_unstable();
    let mut found: Vec<&str> = found.as_array().unwrap().iter().filter_map(Value::as_str).collect();
    found.sort_unstable();
    assert_eq!((found, in_order.len()), (sorted, 3));
    // Without scripts the values are those of its loading, and right.
    for value in ["cpu", "mem", "engine", "proxy", "apps", "poll"] {
        let cells = format!(
            "[...document.querySelectorAll('#rows .{value}')].filter((cell) => /[0-9]/.test(cell.textContent)).length === 3"
        );
        assert_eq!(browser.evaluate(&still, &cells).await, Value::Bool(true), "{value}");
    }
    let footer = browser.evaluate(&still, "document.querySelector('footer').innerText").await;
    assert!(footer.as_str().unwrap().contains("Scripts are off"), "{footer}");
    // Dark and light, as the person likes it.
    let back = "getComputedStyle(document.documentElement).backgroundColor";
    let (light, dark) = (browser.evaluate(&wall, back).await, browser.evaluate(&phone, back).await);
    assert_eq!((light, dark), (json!("rgb(243, 245, 247)"), json!("rgb(16, 21, 27)")));

    // A server fails while it is watched: first in the list, in colour, in words, in the title.
    browser.until(&wall, "document.getElementById('live').textContent === 'Live'").await;
    site.set_fault(1, Endpoint::Engine, Some(Fault::Refused)).await.unwrap();
    browser.until(&wall, "document.querySelector('#rows > tr').className === 'bad'").await;
    let first = "document.querySelector('#rows > tr').innerText";
    let row = browser.evaluate(&wall, first).await.as_str().unwrap().to_owned();
    for text in [names[1], "failing", "Health failing for ", "nothing listens at"] {
        assert!(row.contains(text), "{text:?} is not in {row}");
    }
    browser.until(&wall, "document.title === '1 failing · Footman'").await;
    browser.until(&wall, "document.getElementById('icon').href.endsWith('/assets/bad.svg')").await;
    let news = browser.evaluate(&wall, "document.getElementById('news').textContent").await;
    assert!(news.as_str().unwrap().contains(": failing"), "{news}");
    browser.until(&phone, "document.querySelector('#rows > tr').className === 'bad'").await;
    for tab in [&wall, &phone, &still] {
        assert_eq!(browser.evaluate(tab, FITS).await, Value::Bool(true));
    }
    assert_eq!(
        browser.evaluate(&still, "document.querySelectorAll('.bad').length").await,
        json!(0)
    );
    // And back.
    site.set_fault(1, Endpoint::Engine, None).await.unwrap();
    for tab in [&wall, &phone] {
        browser.until(tab, "document.querySelectorAll('#rows > tr:not(.bad)').length === 3").await;
    }
    browser.until(&wall, "!document.title.includes('failing')").await;
    assert_eq!(browser.complaints(), Vec::<String>::new());

    // Footman ends: the open pages do not hold it up (they give up by themselves after 15 s), and
    // they say that what they show is old.
    let drained = tokio::time::timeout(Duration::from_secs(12), footman.process().terminate());
    assert!(drained.await.expect("the end is not held up").success());
    browser.until(&wall, "!document.getElementById('lost').hidden").await;
    browser.until(&wall, "document.title.startsWith('No connection')").await;
    footman.start().await;
    browser.until(&wall, "document.getElementById('lost').hidden").await;
    browser.until(&wall, "!document.documentElement.classList.contains('lost')").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_collector_shows_the_programs_of_the_bus() {
    let (site, server) = (site(false).await, NatsServer::start().await);
    let house = House::new(|directory| {
        let more = format!(
            "  broker: {{type: nats, nats: {{servers: [\"nats://127.0.0.1:{}\"]}}}}\n  collector: \
             {{outbox: {{directory: \"{}\"}}}}\n  writer: {{lineProtocolFile: points.lp}}\n",
            server.port(),
            directory.join("outbox").display()
        );
        site.butler_sos_config(&ButlerSosOptions {
            influxdb_enable: false,
            polling_interval: INTERVAL,
            session_interval: INTERVAL,
            app_names_interval: INTERVAL,
            more,
            ..ButlerSosOptions::default()
        })
    });
    let (mut collector, mut writer) = (house.collector("c"), house.writer("w"));
    collector.start().await;
    writer.start().await;
    eventually("a heartbeat of both, and stored events", || async {
        let state = state(&collector).await;
        let heard = state["programs"].as_array()?.clone();
        let beats = |process: &str, instance: &str| {
            heard.iter().any(|program| {
                program["process"] == process
                    && program["instance"] == instance
                    && program["honest"] == true
            })
        };
        let both = beats("collector", collector.instance()) && beats("writer", writer.instance());
        let has_stored = state["pipeline"]["stored"].as_u64().is_some_and(|stored| stored > 0);
        (both && has_stored && state["pipeline"]["confirmed"].as_u64()? > 0).then_some(())
    })
    .await;
    let (_, text) = collector.page("/").await.unwrap();
    assert!(text.contains(writer.instance()), "{text}");
    // A writer has no such page.
    assert_eq!(writer.page("/").await.unwrap().0, 404);
}

/// Names of users that the site has told, long enough to be no part of anything else.
fn users(site: &Site) -> Vec<String> {
    let entries = site.ledger().entries();
    let sessions = entries.iter().filter_map(|entry| entry.facts.sessions()).flatten();
    let names = sessions.map(|session| session.user_id.to_string());
    let is_plain =
        |name: &String| name.chars().all(|one| one.is_ascii_alphanumeric() || one == '.');
    names.filter(is_plain).filter(|name| name.len() > 5).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_are_named_and_doors_opened_only_where_the_configuration_says_so() {
    let site = site(false).await;
    let mut footman = footman(&site);
    footman.start().await;
    polled(&footman).await;
    let told = users(&site);
    assert!(!told.is_empty());
    for path in ["/", "/api/state"] {
        let (_, text) = footman.page(path).await.unwrap();
        let named: Vec<_> = told.iter().filter(|name| text.contains(name.as_str())).collect();
        assert!(named.is_empty(), "{path} names {named:?}");
    }
    footman.kill();

    let hash = hash(&footman, "open sesame 12").await;
    let variables = [
        ("FOOTMAN__COLLECTOR__HTTP__SHOW_USERS", "true"),
        ("FOOTMAN__COLLECTOR__HTTP__PASSWORD_HASH", hash.as_str()),
    ];
    footman.start_with(&variables).await;
    for path in ["/", "/api/state", "/events", "/assets/page.js"] {
        assert_eq!(footman.page(path).await.unwrap().0, 401, "{path}");
    }
    for path in ["/healthz", "/metrics"] {
        assert_eq!(footman.page(path).await.unwrap().0, 200, "{path}");
    }
    let client = reqwest::Client::new();
    eventually("named users", || async {
        let request = client.get(format!("{}api/state", url(&footman)));
        let answer = request.basic_auth("anybody", Some("open sesame 12")).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200);
        let text = answer.text().await.unwrap();
        users(&site).iter().any(|name| text.contains(name.as_str())).then_some(())
    })
    .await;
    let wrong = client.get(url(&footman)).basic_auth("anybody", Some("open sesame 13"));
    assert_eq!(wrong.send().await.unwrap().status().as_u16(), 401);
    assert!(!footman.printed().contains("sesame"));
}

/// The hash that `footman secrets --hash` makes.
async fn hash(footman: &FootmanRun, password: &str) -> String {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    let mut command = Command::new(integration_tests::programs::program("footman"));
    command.args(["secrets", "--hash"]).current_dir(footman.directory());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    writeln!(child.stdin.take().unwrap(), "{password}").unwrap();
    let output = tokio::task::spawn_blocking(move || child.wait_with_output()).await.unwrap();
    String::from_utf8(output.unwrap().stdout).unwrap().trim().to_owned()
}
