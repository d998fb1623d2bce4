//! What was seen: sections by what was looked at, each with findings. The form of `--json`.
//!
//! Keys and the words of verdicts are a promise to scripts (`docs/doctor.md`); texts are for people
//! and may change.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

/// What a finding means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verdict {
    /// As it should be.
    Ok,
    /// Good to know.
    Note,
    /// It works, and may not for long, or not as well as it could.
    Warning,
    /// It does not work.
    Fault,
}

/// One thing that was seen.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Finding {
    pub(crate) verdict: Verdict,
    /// What was looked at, in one word of a fixed set.
    pub(crate) what: &'static str,
    /// What was seen.
    pub(crate) seen: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) advice: Option<String>,
    /// The same for machines.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) facts: BTreeMap<&'static str, Value>,
}

impl Finding {
    pub(crate) fn ok(what: &'static str, seen: impl Into<String>) -> Self {
        Self::new(Verdict::Ok, what, seen)
    }

    pub(crate) fn note(what: &'static str, seen: impl Into<String>) -> Self {
        Self::new(Verdict::Note, what, seen)
    }

    pub(crate) fn warning(what: &'static str, seen: impl Into<String>) -> Self {
        Self::new(Verdict::Warning, what, seen)
    }

    pub(crate) fn fault(what: &'static str, seen: impl Into<String>) -> Self {
        Self::new(Verdict::Fault, what, seen)
    }

    pub(crate) fn new(verdict: Verdict, what: &'static str, seen: impl Into<String>) -> Self {
        Self { verdict, what, seen: seen.into(), advice: None, facts: BTreeMap::new() }
    }

    /// The same with what to do.
    #[must_use]
    pub(crate) fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    /// The same with a fact for machines.
    #[must_use]
    pub(crate) fn fact(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.facts.insert(name, value.into());
        self
    }
}

/// The kinds of things that are looked at, in the order of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Area {
    Configuration,
    Certificates,
    Discovery,
    Qlik,
    Broker,
    Influxdb,
    Files,
    Heartbeats,
    Listeners,
}

impl Area {
    /// As a heading.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Configuration => "Configuration",
            Self::Certificates => "Certificates of the site",
            Self::Discovery => "Discovery",
            Self::Qlik => "Qlik Sense",
            Self::Broker => "Broker",
            Self::Influxdb => "InfluxDB",
            Self::Files => "Files",
            Self::Heartbeats => "Heartbeats",
            Self::Listeners => "Addresses",
        }
    }
}

/// Findings about one thing.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Section {
    pub(crate) area: Area,
    /// Which one: a host and port, a file, a key.
    pub(crate) subject: String,
    pub(crate) findings: Vec<Finding>,
}

impl Section {
    pub(crate) fn new(area: Area, subject: impl Into<String>) -> Self {
        Self { area, subject: subject.into(), findings: Vec::new() }
    }

    pub(crate) fn add(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// The same with a finding.
    #[must_use]
    pub(crate) fn with(mut self, finding: Finding) -> Self {
        self.add(finding);
        self
    }
}

/// What a loss would cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Survives {
    /// Nothing that was polled is lost.
    Yes,
    /// Some of it may be.
    Partly,
    /// It is lost.
    No,
    /// It depends on what cannot be seen from here.
    Unseen,
}

/// What becomes of polled events in one kind of trouble.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Promise {
    /// The trouble, in one word of a fixed set.
    pub(crate) trouble: &'static str,
    pub(crate) survives: Survives,
    pub(crate) text: String,
}

/// How often each verdict was given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Counts {
    pub(crate) ok: usize,
    pub(crate) note: usize,
    pub(crate) warning: usize,
    pub(crate) fault: usize,
}

/// Everything.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    pub(crate) footman_version: &'static str,
    /// When it was looked, in UTC.
    pub(crate) time: String,
    pub(crate) config: String,
    /// The worst that was found.
    pub(crate) verdict: Verdict,
    pub(crate) counts: Counts,
    pub(crate) sections: Vec<Section>,
    /// The servers that discovery found, as configuration to paste.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) discovered: Option<String>,
    pub(crate) promise: Vec<Promise>,
}

impl Report {
    /// Sorts what was found and counts it.
    pub(crate) fn new(
        time: String,
        config: String,
        mut sections: Vec<Section>,
        promise: Vec<Promise>,
    ) -> Self {
        sections.sort_by_key(|section| section.area);
        let mut counts = Counts::default();
        let mut worst = Verdict::Ok;
        for finding in sections.iter().flat_map(|section| &section.findings) {
            worst = worst.max(finding.verdict);
            match finding.verdict {
                Verdict::Ok => counts.ok += 1,
                Verdict::Note => counts.note += 1,
                Verdict::Warning => counts.warning += 1,
                Verdict::Fault => counts.fault += 1,
            }
        }
        let footman_version = env!("CARGO_PKG_VERSION");
        let discovered = None;
        Self {
            footman_version,
            time,
            config,
            verdict: worst,
            counts,
            sections,
            discovered,
            promise,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_form_for_machines() {
        let tls = Finding::fault("tls", "expired").advise("renew it").fact("protocol", "TLS 1.2");
        let sections = vec![
            Section::new(Area::Files, "a").with(Finding::ok("directory", "there")),
            Section::new(Area::Qlik, "sense1:4747").with(tls),
        ];
        let promise =
            vec![Promise { trouble: "diskFull", survives: Survives::Yes, text: "kept".to_owned() }];
        let report = Report::new("now".to_owned(), "f.yaml".to_owned(), sections, promise);
        assert_eq!(
            serde_json::to_value(&report).unwrap(),
            json!({
                "footmanVersion": env!("CARGO_PKG_VERSION"), "time": "now", "config": "f.yaml",
                "verdict": "fault",
                "counts": {"ok": 1, "note": 0, "warning": 0, "fault": 1},
                "sections": [
                    {"area": "qlik", "subject": "sense1:4747", "findings": [
                        {"verdict": "fault", "what": "tls", "seen": "expired",
                         "advice": "renew it", "facts": {"protocol": "TLS 1.2"}}]},
                    {"area": "files", "subject": "a", "findings": [
                        {"verdict": "ok", "what": "directory", "seen": "there"}]}],
                "promise": [{"trouble": "diskFull", "survives": "yes", "text": "kept"}],
            })
        );
    }
}
