//! An event as one line for people: time, kind, what it is about, and the numbers that matter.

use crossterm::style::Stylize as _;
use shared::broker::Published;
use shared::envelope::{DecodeError, Envelope};
use shared::event::{Event, Kind};
use shared::timestamp::Timestamp;

use super::filter::about;
use super::words::{self, Words};
use crate::terminal::{cut, printable};

/// The longest name of a kind.
const KIND: usize = 12;
/// The widest column of names: longer ones are cut.
const WIDEST: usize = 32;
/// What a subject may take: topics have up to 64 KiB.
const LONGEST_SUBJECT: usize = 400;

/// Makes lines whose columns stand below each other.
#[derive(Debug)]
pub(super) struct Lines {
    colours: bool,
    /// The widest name so far.
    width: usize,
}

impl Lines {
    /// With colours, unless the environment has NO_COLOR.
    pub(super) fn new(colours: bool) -> Self {
        Self { colours, width: 0 }
    }

    /// The line of an event.
    pub(super) fn event(&mut self, envelope: &Envelope) -> String {
        let about = printable(&cut(&about(envelope), WIDEST));
        self.width = self.width.max(about.chars().count().min(WIDEST));
        let kind = envelope.event.kind();
        let Words { text, trouble } = words_of(&envelope.event);
        let (time, width) = (envelope.time.to_seconds(), self.width);
        let trouble = trouble.unwrap_or_default();
        let trouble = if trouble.is_empty() { trouble } else { self.red(&trouble) };
        let first = envelope.event.kind() == Kind::FailedPolls;
        let told = [trouble.as_str(), text.as_str()];
        let [one, other] = if first { told } else { [told[1], told[0]] };
        let line = format!("{time}  {}  {about:<width$}  {one}   {other}", self.kind(kind));
        format!("{}\n", line.trim_end())
    }

    /// The line of what is no event, or none that is known here.
    pub(super) fn undecodable(
        &mut self,
        now: Timestamp,
        published: &Published,
        error: &DecodeError,
    ) -> String {
        let subject = printable(&cut(published.subject.as_topic(), LONGEST_SUBJECT));
        let why = printable(&cut(&words::undecodable(error), LONGEST_SUBJECT));
        let what = self.red(&format!("{:KIND$}", "undecodable"));
        let time = now.to_seconds();
        format!("{time}  {what}  {subject}  {why}; size {}\n", published.payload.len())
    }

    fn kind(&self, kind: Kind) -> String {
        let name = format!("{:KIND$}", kind.name());
        if !self.colours {
            return name;
        }
        match kind {
            Kind::Health => name.green().to_string(),
            Kind::Sessions => name.blue().to_string(),
            Kind::AppNames => name.cyan().to_string(),
            Kind::FailedPolls => name.red().to_string(),
            Kind::Heartbeats => name.dark_grey().to_string(),
        }
    }

    fn red(&self, text: &str) -> String {
        if self.colours { text.red().bold().to_string() } else { text.to_owned() }
    }
}

fn words_of(event: &Event) -> Words {
    match event {
        Event::Health(health) => words::health(health),
        Event::Sessions(sessions) => words::sessions(sessions),
        Event::AppNames(names) => words::app_names(names),
        Event::FailedPoll(failed) => words::failed_poll(failed),
        Event::Heartbeat(beat) => words::heartbeat(beat),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn decoded(kind: &str, data: &Value) -> Envelope {
        Envelope::decode(text(kind, data).as_bytes()).unwrap()
    }

    fn text(kind: &str, data: &Value) -> String {
        let event = json!({
            "specversion": "1.0", "id": "01JD", "source": "/footman/collector/host1",
            "type": format!("qliksense.{kind}.v1"), "subject": "x",
            "time": "2026-11-21T08:15:30.123456789Z", "data": data,
        });
        event.to_string()
    }

    fn poll() -> Value {
        json!({"scheduled": "2026-11-21T08:15:30Z", "durationMs": 12, "intervalMs": 30_000})
    }

    fn server(name: &str) -> Value {
        json!({"name": name, "host": "sense1.corp.com:4747"})
    }

    pub(crate) fn health(name: &str) -> Envelope {
        decoded(
            "health",
            &json!({
                "server": server(name), "poll": poll(),
                "health": {
                    "cpu": {"total": 7}, "mem": {"committed": 812.4, "free": 9_216},
                    "session": {"active": 3, "total": 12}, "saturated": false,
                },
            }),
        )
    }

    pub(crate) fn failed(name: &str) -> Envelope {
        decoded(
            "failed-polls",
            &json!({
                "server": server(name), "poll": poll(), "source": "sessions", "virtualProxy": "/hdr",
                "host": "h:4243", "url": "https://h:4243/qps/hdr/session", "category": "timeout",
                "message": "no answer within 5 s", "ticks": 3,
            }),
        )
    }

    pub(crate) fn beat(instance: &str) -> Envelope {
        decoded("heartbeats", &beat_data(instance, true))
    }

    pub(crate) fn beat_text() -> String {
        text("heartbeats", &beat_data("host1", false))
    }

    pub(crate) fn sessions_text() -> String {
        text("sessions", &sessions_data(3))
    }

    fn beat_data(instance: &str, honest: bool) -> Value {
        json!({
            "process": "writer", "instance": instance, "version": "0.1.0",
            "started": "2026-11-21T08:00:00Z", "uptimeS": 930, "honest": honest,
            "why": (!honest).then_some("InfluxDB is away"), "memory": {},
            "counters": {"stored": 1_234, "backlog": 5, "dead_lettered": 0},
        })
    }

    fn sessions(count: u64) -> Envelope {
        decoded("sessions", &sessions_data(count))
    }

    fn sessions_data(count: u64) -> Value {
        json!({
            "server": server("sense1"), "poll": poll(), "virtualProxy": "/hdr", "host": "h:4243",
            "part": 1, "parts": 2, "sessionCount": count, "excludedSessionCount": 1,
            "userCount": 1, "users": ["CORP\\jane"],
            "sessions": [{"userDirectory": "CORP", "userId": "jane", "sessionId": "MARKER"}],
        })
    }

    fn app_names(apps: &Value) -> Envelope {
        decoded(
            "app-names",
            &json!({
                "repository": "qrs.corp", "poll": poll(), "part": 1, "parts": 1, "full": false,
                "apps": apps,
            }),
        )
    }

    #[test]
    fn each_kind_has_its_line() {
        let mut lines = Lines::new(false);
        let apps = json!([
            {"id": "1", "name": "Sales", "change": "new"}, {"id": "2", "name": "Old", "change": "gone"},
            {"id": "3", "name": "Costs", "change": "new"}, {"id": "4", "name": "Stays"},
        ]);
        let events = [
            health("sense1"),
            beat("host1"),
            decoded("heartbeats", &beat_data("host1", false)),
            sessions(8),
            failed("sense1"),
            app_names(&apps),
            app_names(&json!([])),
        ];
        let shown = events.iter().map(|event| lines.event(event)).collect::<String>();
        let time = "2026-11-21T08:15:30Z";
        let expected = [
            "health        sense1  cpu   7%   committed   812 MiB   free   9.0 GiB   sessions   12, \
             3 active",
            "heartbeats    writer/host1  honest   stored 1234   backlog 5",
            "heartbeats    writer/host1  stored 1234   backlog 5   NOT HONEST: InfluxDB is away",
            "sessions      sense1        /hdr             8 sessions     1 users   1 excluded   part \
             1 of 2",
            "failed-polls  sense1        timeout   sessions /hdr   no answer within 5 s   \
             https://h:4243/qps/hdr/session   3 ticks",
            "app-names     qrs.corp      2 new: Sales, Costs; 1 gone: Old",
            "app-names     qrs.corp      no change",
        ];
        assert_eq!(shown, expected.map(|line| format!("{time}  {line}\n")).concat());
    }

    #[test]
    fn nobody_is_named_and_no_terminal_obeys() {
        let mut lines = Lines::new(false);
        let shown = lines.event(&sessions(1));
        assert!(!shown.contains("jane") && !shown.contains("CORP") && !shown.contains("MARKER"));
        let evil = "\u{1b}]0;x\u{7}\u{9b}2J\nz\u{202e}";
        let mut poll = failed(evil);
        if let Event::FailedPoll(failed) = &mut poll.event {
            for text in [&mut failed.message, &mut failed.host] {
                evil.clone_into(text);
            }
            failed.url = Some(evil.to_owned());
            failed.virtual_proxy = Some(evil.to_owned());
        }
        let apps = json!([{"id": "1", "name": evil, "change": "new"}]);
        for event in [poll, health(evil), beat(evil), app_names(&apps)] {
            let line = lines.event(&event);
            let shown = line.trim_end_matches('\n');
            assert!(
                !shown.chars().any(char::is_control) && !shown.contains('\u{202e}'),
                "{line:?}"
            );
            assert!(line.contains("\\u{1b}"), "{line}");
        }
    }

    #[test]
    fn names_and_messages_have_a_longest_form() {
        let mut lines = Lines::new(false);
        let line = lines.event(&health(&"x".repeat(10_000)));
        assert!(line.contains(&format!("{}…  cpu", "x".repeat(31))), "{line}");
        let apps: Vec<Value> = (0..500)
            .map(|id| json!({"id": id.to_string(), "name": "n".repeat(9_000), "change": "new"}))
            .collect();
        assert!(lines.event(&app_names(&json!(apps))).len() < 500);
    }

    #[test]
    fn what_is_no_event_is_shown_with_its_subject_and_not_with_what_it_holds() {
        let mut lines = Lines::new(false);
        let subject = shared::subject::Subject::from_neutral("p/v1/health/\u{1b}x".to_owned());
        let payload = br#"{"specversion":"1.0","id":"1","source":"s","type":"qliksense.health.v1",
            "time":"2026-11-21T08:15:30Z","data":{"server":"jane"}}"#;
        let published = Published { subject, payload: payload.to_vec().into() };
        let error = Envelope::decode(payload).unwrap_err();
        let now = Timestamp::parse("2026-11-21T08:15:31Z").unwrap();
        let line = lines.undecodable(now, &published, &error);
        let beginning = "2026-11-21T08:15:31Z  undecodable   p/v1/health/\\u{1b}x  the data of the \
                         health event cannot be read (line 1, column ";
        assert!(line.starts_with(beginning), "{line}");
        assert!(line.ends_with(&format!("; size {}\n", payload.len())), "{line}");
        assert!(!line.contains("jane"), "{line}");
    }

    #[test]
    fn colours_are_codes_around_the_same_words() {
        crossterm::style::force_color_output(true);
        let saturated = |colours| {
            let mut event = health("sense1");
            if let Event::Health(health) = &mut event.event {
                health.health.saturated = Some(true);
            }
            Lines::new(colours).event(&event)
        };
        assert!(saturated(false).ends_with("active   SATURATED\n"), "{}", saturated(false));
        assert!(saturated(true).contains("\u{1b}["), "{}", saturated(true));
    }
}
