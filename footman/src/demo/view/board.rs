//! The latest of every server, as text. Pure: outcomes in, lines out.

use std::collections::BTreeMap;

use collector::{Facts, Outcome};
use shared::event::Source;

use super::Flow;

/// What a cell shows that nothing is known of.
const UNKNOWN: &str = "-";
const HEADER: &str = "  SERVER                    STATE                CPU   IN MEMORY   SESSIONS   USERS   LAST POLL";

/// The latest of every server, in the site's order.
#[derive(Debug)]
pub(super) struct Board {
    rows: Vec<Row>,
    apps: Option<usize>,
}

#[derive(Debug, Default)]
struct Row {
    name: String,
    /// Why the engine's last poll failed, or none.
    trouble: Option<String>,
    polled: bool,
    cpu_percent: Option<f64>,
    apps_in_memory: Option<usize>,
    /// By virtual proxy.
    sessions: BTreeMap<String, (u64, u64)>,
    duration_ms: Option<u128>,
}

impl Board {
    pub(super) fn new(servers: Vec<String>) -> Self {
        let row = |name| Row { name, ..Row::default() };
        Self { rows: servers.into_iter().map(row).collect(), apps: None }
    }

    /// Takes an outcome in.
    pub(super) fn note(&mut self, outcome: &Outcome) {
        if let Ok(Facts::AppNames { apps, .. }) = &outcome.result {
            self.apps = Some(*apps);
            return;
        }
        let Some(row) = self.rows.iter_mut().find(|row| row.name == outcome.server.name) else {
            return;
        };
        match &outcome.result {
            Ok(Facts::Health { cpu_percent, apps_in_memory, .. }) => {
                row.polled = true;
                row.trouble = None;
                row.cpu_percent = *cpu_percent;
                row.apps_in_memory = Some(*apps_in_memory);
                row.duration_ms = Some(outcome.duration.as_millis());
            }
            Ok(Facts::Sessions { sessions, users }) => {
                let proxy = outcome.virtual_proxy.clone().unwrap_or_default();
                row.sessions.insert(proxy, (*sessions, *users));
            }
            Ok(Facts::AppNames { .. }) => {}
            Err(failed) if outcome.source == Source::Health => {
                row.trouble = Some(failed.category.name().replace('_', " "));
                row.cpu_percent = None;
                row.apps_in_memory = None;
                row.duration_ms = None;
            }
            Err(_) => {
                row.sessions.remove(outcome.virtual_proxy.as_deref().unwrap_or_default());
            }
        }
    }

    /// The table of a terminal.
    pub(super) fn table(&self, flow: &Flow) -> Vec<String> {
        let mut lines = vec![HEADER.to_owned()];
        lines.extend(self.rows.iter().map(Row::table_line));
        lines.push(String::new());
        lines.push(format!(
            "  polls {} ({} failed)  ->  events {} ({} waiting)  ->  stored {} as {} points, {} dead \
             letters",
            flow.polls, flow.failed, flow.events, flow.waiting, flow.stored, flow.points,
            flow.dead_letters
        ));
        let apps = self.apps.map_or_else(|| UNKNOWN.to_owned(), |apps| apps.to_string());
        lines.push(format!("  apps known by name: {apps}"));
        lines
    }

    /// One line for logs and pipes.
    pub(super) fn line(&self, flow: &Flow) -> String {
        let servers: Vec<String> = self.rows.iter().map(Row::brief).collect();
        format!(
            "{} | polls {} ({} failed), events {} ({} waiting), stored {} as {} points",
            servers.join(", "),
            flow.polls,
            flow.failed,
            flow.events,
            flow.waiting,
            flow.stored,
            flow.points
        )
    }
}

impl Row {
    fn state(&self) -> &str {
        match &self.trouble {
            Some(trouble) => trouble,
            None if self.polled => "ok",
            None => "not polled yet",
        }
    }

    fn table_line(&self) -> String {
        let cell = |value: Option<String>| value.unwrap_or_else(|| UNKNOWN.to_owned());
        let cpu = cell(self.cpu_percent.map(|cpu| format!("{cpu:.0} %")));
        let apps = cell(self.apps_in_memory.map(|apps| format!("{apps} apps")));
        let (sessions, users) =
            self.sessions.values().fold((0, 0), |sum, proxy| (sum.0 + proxy.0, sum.1 + proxy.1));
        let polled = !self.sessions.is_empty();
        let sessions = cell(polled.then(|| sessions.to_string()));
        let users = cell(polled.then(|| users.to_string()));
        let took = cell(self.duration_ms.map(|ms| format!("{ms} ms")));
        format!(
            "  {:<24}  {:<18}  {cpu:>5}  {apps:>10}  {sessions:>9}  {users:>6}  {took:>10}",
            shortened(&self.name, 24),
            shortened(self.state(), 18)
        )
    }

    fn brief(&self) -> String {
        let cpu = self.cpu_percent.map(|cpu| format!(" cpu {cpu:.0} %")).unwrap_or_default();
        format!("{} {}{cpu}", shortened(&self.name, 24), self.state())
    }
}

/// Text of at most `width` characters, on one line.
fn shortened(text: &str, width: usize) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().count() <= width {
        return text;
    }
    let mut short: String = text.chars().take(width.saturating_sub(1)).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use collector::FailedOutcome;
    use shared::event::{Category, Server};
    use shared::timestamp::Timestamp;

    use super::*;

    fn outcome(source: Source, result: Result<Facts, FailedOutcome>) -> Outcome {
        let server = Server { name: "sense1".to_owned(), ..Server::default() };
        Outcome {
            server: Arc::new(server),
            source,
            virtual_proxy: (source == Source::Sessions).then(|| "/".to_owned()),
            time: Timestamp::now(),
            duration: Duration::from_millis(12),
            interval: Duration::from_secs(5),
            recorded: true,
            result,
        }
    }

    fn health() -> Facts {
        Facts::Health {
            cpu_percent: Some(7.4),
            sessions: Some(3),
            users: Some(2),
            apps_in_memory: 5,
            saturated: Some(false),
        }
    }

    fn flow() -> Flow {
        Flow { polls: 9, failed: 1, events: 8, waiting: 2, stored: 6, points: 54, dead_letters: 0 }
    }

    #[test]
    fn a_server_is_shown_and_its_trouble_comes_and_goes() {
        let mut board = Board::new(vec!["sense1".to_owned()]);
        assert!(board.table(&flow())[1].contains("not polled yet"));
        board.note(&outcome(Source::Health, Ok(health())));
        board.note(&outcome(Source::Sessions, Ok(Facts::Sessions { sessions: 4, users: 3 })));
        let line = board.table(&flow())[1].clone();
        for part in ["sense1", "ok", "7 %", "5 apps", "4", "12 ms"] {
            assert!(line.contains(part), "{part}: {line}");
        }
        let failed = FailedOutcome {
            category: Category::CONNECTION_REFUSED,
            message: String::new(),
            ticks: 1,
        };
        board.note(&outcome(Source::Health, Err(failed)));
        assert!(board.line(&flow()).starts_with("sense1 connection refused | polls 9 (1 failed)"));
        board.note(&outcome(Source::Health, Ok(health())));
        assert!(board.line(&flow()).starts_with("sense1 ok cpu 7 %"));
    }

    #[test]
    fn long_and_multi_line_names_stay_in_their_column() {
        assert_eq!(shortened("a\nb", 24), "a b");
        assert_eq!(shortened(&"ä".repeat(30), 24).chars().count(), 24);
    }
}
