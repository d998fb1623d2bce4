//! The topics of the driver itself, beside those of the events.

use crate::event::Kind;
use crate::subject::Token;

/// Version of the topics.
const VERSION: &str = "v1";
/// Events put back from the dead letters; consumed like any other kind.
const REPLAY: &str = "replay";

/// Makes topics under the configured prefix.
#[derive(Clone, Debug)]
pub(super) struct Topics {
    root: String,
}

impl Topics {
    pub(super) fn new(prefix: &str) -> Self {
        Self { root: format!("{prefix}/{VERSION}") }
    }

    /// Whether a program is there: retained `online` or `offline`.
    pub(super) fn status(&self, process: &str, instance: &str) -> String {
        format!("{}/status/{}/{}", self.root, Token::new(process), Token::new(instance))
    }

    /// The records of all slots of all groups.
    pub(super) fn slots(&self) -> String {
        format!("{}/slots/#", self.root)
    }

    /// The record of one slot.
    pub(super) fn slot(&self, group: &str, number: u16) -> String {
        format!("{}/slots/{group}/{number}", self.root)
    }

    /// Where a slot's session tells its owner that everything before has come.
    pub(super) fn end_of_slot(&self, group: &str, number: u16) -> String {
        format!("{}/slots/{group}/{number}/end", self.root)
    }

    /// The records of a group's slots and members.
    pub(super) fn group(&self, group: &str) -> String {
        format!("{}/slots/{group}/#", self.root)
    }

    /// The record of a group's member.
    pub(super) fn member(&self, group: &str, name: &str) -> String {
        format!("{}/slots/{group}/members/{name}", self.root)
    }

    /// Where a member tells itself that the retained records have all come. A level deeper than
    /// they are.
    pub(super) fn end_of_group(&self, group: &str, name: &str) -> String {
        format!("{}/slots/{group}/members/{name}/end", self.root)
    }

    /// The group and name of a member's record.
    pub(super) fn member_of<'a>(&self, topic: &'a str) -> Option<(&'a str, &'a str)> {
        let rest = topic.strip_prefix(&self.root)?.strip_prefix("/slots/")?;
        let (group, member) = rest.split_once('/')?;
        let name = member.strip_prefix("members/")?;
        (!name.is_empty() && !name.contains('/')).then_some((group, name))
    }

    /// The group and number of a slot's record.
    pub(super) fn slot_of<'a>(&self, topic: &'a str) -> Option<(&'a str, u16)> {
        let rest = topic.strip_prefix(&self.root)?.strip_prefix("/slots/")?;
        let (group, number) = rest.split_once('/')?;
        Some((group, number.parse().ok()?))
    }

    /// What is retained, for somebody who looks: topics, and what is there. `version` is the
    /// broker's own.
    pub(super) fn looked_at(&self, version: &str) -> [(String, &'static str); 4] {
        [
            (self.slots(), "the records of slots and writers"),
            (format!("{}/status/#", self.root), "the status of programs"),
            (format!("{}/marks/#", self.root), "the marks of outboxes"),
            (version.to_owned(), "the broker's version"),
        ]
    }

    /// The process and the instance of a status, as their tokens.
    pub(super) fn program_of<'a>(&self, topic: &'a str) -> Option<(&'a str, &'a str)> {
        let rest = topic.strip_prefix(&self.root)?.strip_prefix("/status/")?;
        rest.split_once('/').filter(|(_, instance)| !instance.contains('/'))
    }

    /// Whether something is the mark of an outbox.
    pub(super) fn is_mark(&self, topic: &str) -> bool {
        topic.strip_prefix(&self.root).is_some_and(|rest| rest.starts_with("/marks/"))
    }

    /// How far the events of an outbox are confirmed.
    pub(super) fn mark(&self, instance: &str, outbox: &str) -> String {
        format!("{}/marks/{}/{}", self.root, Token::new(instance), Token::new(outbox))
    }

    /// Where a publisher tells itself that the mark, if there is one, has come.
    pub(super) fn end_of_mark(&self, instance: &str, outbox: &str) -> String {
        format!("{}/end", self.mark(instance, outbox))
    }

    /// What the members of a group share: every kind of event, and what is put back.
    pub(super) fn shared(&self, group: &str) -> Vec<String> {
        let kinds = Kind::ALL.into_iter().map(Kind::name).chain([REPLAY]);
        kinds.map(|kind| format!("$share/{group}/{}/{kind}/#", self.root)).collect()
    }

    /// A shared subscription to what nobody publishes: a broker that has forgotten it may have
    /// forgotten those to the events as well.
    pub(super) fn witness(&self, group: &str) -> String {
        format!("$share/{group}/{}/slots/{group}/witness", self.root)
    }

    /// Every event of a kind.
    pub(super) fn all_of(&self, kind: Kind) -> String {
        format!("{}/{}/#", self.root, kind.name())
    }

    /// All dead letters of a group.
    pub(super) fn dead_letters(&self, group: &str) -> String {
        format!("{}/dead-letters/{group}/+", self.root)
    }

    /// One dead letter.
    pub(super) fn dead_letter(&self, group: &str, event_id: &str) -> String {
        format!("{}/dead-letters/{group}/{}", self.root, Token::new(event_id))
    }

    /// Where a client tells itself that the retained dead letters have all come. A level deeper
    /// than they are, so that no letter is ever taken for it.
    pub(super) fn end_of_dead_letters(&self, group: &str, client: &str) -> String {
        format!("{}/dead-letters/{group}/end/{client}", self.root)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_under_the_prefix() {
        let topics = Topics::new("site/qlik");
        assert_eq!(topics.status("collector", "host.a"), "site/qlik/v1/status/collector/host%2Ea");
        assert_eq!(topics.slot("influxdb", 3), "site/qlik/v1/slots/influxdb/3");
        assert_eq!(topics.dead_letter("g", "01J/x"), "site/qlik/v1/dead-letters/g/01J%2Fx");
        assert_eq!(topics.mark("host.a", "01JD"), "site/qlik/v1/marks/host%2Ea/01JD");
        let shared = topics.shared("g");
        assert_eq!(shared.len(), 6);
        assert_eq!(shared[0], "$share/g/site/qlik/v1/health/#");
        assert_eq!(shared[5], "$share/g/site/qlik/v1/replay/#");
        assert_eq!(topics.witness("g"), "$share/g/site/qlik/v1/slots/g/witness");
    }

    #[test]
    fn records_of_slots_are_recognised() {
        let topics = Topics::new("p");
        assert_eq!(topics.slot_of(&topics.slot("influxdb", 12)), Some(("influxdb", 12)));
        for other in ["p/v1/slots/g", "p/v1/slots/g/x", "p/v1/slots/g/1/2", "q/v1/slots/g/1"] {
            assert_eq!(topics.slot_of(other), None, "{other}");
        }
        let member = topics.member("g", "writer-a");
        assert_eq!(topics.member_of(&member), Some(("g", "writer-a")));
        let others = [topics.end_of_group("g", "writer-a"), topics.end_of_slot("g", 1)];
        for other in others.into_iter().chain([topics.member("g", "")]) {
            assert_eq!((topics.member_of(&other), topics.slot_of(&other)), (None, None), "{other}");
        }
        assert_eq!(topics.slot_of(&member), None);
        assert_eq!(topics.member_of(&topics.slot("g", 1)), None);
    }

    #[test]
    fn statuses_and_marks_are_recognised() {
        let topics = Topics::new("p");
        let status = topics.status("collector", "host.a");
        assert_eq!(topics.program_of(&status), Some(("collector", "host%2Ea")));
        assert_eq!(topics.program_of("p/v1/status/collector"), None);
        assert_eq!(topics.program_of("q/v1/status/collector/a"), None);
        assert!(topics.is_mark(&topics.mark("a", "b")) && !topics.is_mark(&status));
    }
}
