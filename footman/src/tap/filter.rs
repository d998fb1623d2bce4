//! Which events are wanted: by the true name of what they are about. Pure.
//!
//! Kinds are chosen by the subscription itself.

use shared::envelope::Envelope;
use shared::event::Event;
use shared::subject::{Subject, Token};

/// The servers that were asked for; everything when there are none.
#[derive(Debug)]
pub(super) struct Servers {
    names: Vec<String>,
}

impl Servers {
    pub(super) fn new(names: Vec<String>) -> Self {
        Self { names }
    }

    /// The names as they were typed.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether something is wanted. What cannot be decoded has no name, so its subject counts.
    pub(super) fn want(&self, subject: &Subject, envelope: Option<&Envelope>) -> bool {
        if self.names.is_empty() {
            return true;
        }
        let Some(envelope) = envelope else {
            let level = level_of_server(subject);
            return self
                .names
                .iter()
                .any(|name| Token::new(name).as_str().eq_ignore_ascii_case(level));
        };
        let about = about(envelope).to_lowercase();
        self.names.iter().any(|name| name.to_lowercase() == about)
    }
}

/// What an event is about, by its true name.
pub(super) fn about(envelope: &Envelope) -> String {
    match &envelope.event {
        Event::Health(health) => health.server.name.clone(),
        Event::Sessions(sessions) => sessions.server.name.clone(),
        Event::AppNames(names) => names.repository.clone(),
        Event::FailedPoll(failed) => failed.server.name.clone(),
        Event::Heartbeat(beat) => format!("{}/{}", beat.process, beat.instance),
    }
}

/// The level behind the kind, without the number of a server whose name another one has.
fn level_of_server(subject: &Subject) -> &str {
    let Some((_, rest)) = subject.as_topic().split_once("/v1/") else { return "" };
    let level = rest.split('/').nth(1).unwrap_or_default();
    match level.rsplit_once('~') {
        Some((name, number)) if number.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => level,
    }
}

#[cfg(test)]
mod tests {
    use super::super::line::tests::{beat, failed, health};
    use super::*;

    fn wants(names: &[&str], envelope: &Envelope) -> bool {
        let servers = Servers::new(names.iter().map(|&name| name.to_owned()).collect());
        servers.want(&Subject::from_neutral("p/v1/health/x".to_owned()), Some(envelope))
    }

    #[test]
    fn names_are_those_of_the_payload_in_any_case() {
        let [one, ascii] = [health("Åsa.corp"), health("sense1")];
        assert!(wants(&[], &one) && wants(&["åSA.corp"], &one) && wants(&["a", "SENSE1"], &ascii));
        assert!(!wants(&["sense"], &ascii) && !wants(&["sense11"], &ascii));
        assert!(wants(&["sense1"], &failed("sense1")) && !wants(&["sense1"], &beat("w")));
        assert!(wants(&["Writer/w"], &beat("w")));
    }

    #[test]
    fn what_cannot_be_decoded_is_told_by_its_subject() {
        let wants = |name: &str, topic: &str| {
            let subject = Subject::from_neutral(topic.to_owned());
            Servers::new(vec![name.to_owned()]).want(&subject, None)
        };
        assert!(wants("sense1.corp", "p/v1/health/sense1%2Ecorp"));
        assert!(wants("Sense1", "p/q/v1/sessions/sense1~2/default"));
        assert!(!wants("sense1", "p/v1/health/sense2") && !wants("sense1", "elsewhere"));
        assert!(Servers::new(Vec::new()).want(&Subject::from_neutral("x".to_owned()), None));
    }
}
