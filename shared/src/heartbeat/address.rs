//! The URL of a monitor: which kind it is, and what a good or a failing beat looks like there.
//!
//! Whoever knows the URL can beat in the program's place, so none of this can be printed but the
//! part that [`Address::place`] gives.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

use crate::secret::Secret;

/// The host of Healthchecks as a service; its own installations have `/ping/` in the path.
const HEALTHCHECKS_HOST: &str = "hc-ping.com";
/// Healthchecks keeps so much of a body.
const LONGEST_BODY: usize = 10_000;
/// Uptime Kuma shows the message in one line, and it travels in the URL.
const LONGEST_MESSAGE: usize = 250;
/// What Uptime Kuma reads from the query; its users copy URLs that hold some of it already.
const KUMA_PARAMETERS: [&str; 3] = ["status", "msg", "ping"];
/// The lengths of the groups of a UUID.
const UUID_GROUPS: [usize; 5] = [8, 4, 4, 4, 12];
/// What a name may keep in any part of a URL.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Where a program's beats go.
pub(super) struct Address {
    url: Url,
    kind: Kind,
}

/// The kinds of monitors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Counts requests; `/fail` at the end tells of a failure.
    Healthchecks,
    /// Reads the query, and answers whether it understood.
    UptimeKuma,
    /// Counts requests, and has no word for a failure.
    Other,
}

/// A request to a monitor.
pub(super) struct Call {
    /// Where to.
    pub(super) url: Url,
    /// What is posted; nothing is a GET.
    pub(super) body: Option<String>,
    /// Who answers.
    pub(super) kind: Kind,
}

impl Address {
    /// The address for one program; none when the text is no URL.
    pub(super) fn new(text: &Secret, process: &str, instance: &str) -> Option<Self> {
        let of = |encode: fn(&str) -> String| {
            let text = replaced(text.expose(), "process", &encode(process));
            Url::parse(&replaced(&text, "instance", &encode(instance))).ok()
        };
        let url = of(|name| utf8_percent_encode(name, KEPT).to_string())?;
        let kind = kind(&url);
        // A slug with a capital letter or a dot is refused.
        let url = if kind == Kind::Healthchecks { of(slug)? } else { url };
        Some(Self { url, kind })
    }

    /// What may be shown of it.
    pub(super) fn place(&self) -> String {
        self.url.origin().ascii_serialization()
    }

    /// Says that the program does its work.
    pub(super) fn good(&self) -> Call {
        let url = match self.kind {
            Kind::UptimeKuma => self.kuma("up", "OK"),
            Kind::Healthchecks | Kind::Other => self.url.clone(),
        };
        Call { url, body: None, kind: self.kind }
    }

    /// Says that it does not, and why; none where there is no way to say it.
    pub(super) fn failing(&self, why: &str) -> Option<Call> {
        let (url, body) = match self.kind {
            Kind::Healthchecks => {
                let mut url = self.url.clone();
                url.set_path(&format!("{}/fail", url.path().trim_end_matches('/')));
                (url, Some(cut(why, LONGEST_BODY)))
            }
            Kind::UptimeKuma => (self.kuma("down", &cut(why, LONGEST_MESSAGE)), None),
            Kind::Other => return None,
        };
        Some(Call { url, body, kind: self.kind })
    }

    fn kuma(&self, status: &str, message: &str) -> Url {
        let mut url = self.url.clone();
        let others: Vec<(String, String)> = url
            .query_pairs()
            .filter(|(name, _)| !KUMA_PARAMETERS.contains(&&**name))
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect();
        // With a slash at the end it answers with its start page and records nothing.
        url.set_path(self.url.path().trim_end_matches('/'));
        url.query_pairs_mut()
            .clear()
            .extend_pairs(others)
            .append_pair("status", status)
            .append_pair("msg", message)
            .append_pair("ping", "");
        url
    }
}

fn kind(url: &Url) -> Kind {
    let segments: Vec<&str> = url.path().split('/').filter(|segment| !segment.is_empty()).collect();
    let after_ping = |at: usize| segments.get(at + 1..).unwrap_or_default();
    let is_kuma = |triple: &[&str]| matches!(triple, ["api", "push", _token]);
    let pings = (0..segments.len()).filter(|at| segments.get(*at) == Some(&"ping"));
    if segments.windows(3).any(is_kuma) {
        Kind::UptimeKuma
    } else if url.host_str() == Some(HEALTHCHECKS_HOST) && is_check(&segments)
        || pings.into_iter().any(|at| is_check(after_ping(at)))
    {
        Kind::Healthchecks
    } else {
        Kind::Other
    }
}

/// A UUID, or a key and a slug.
fn is_check(segments: &[&str]) -> bool {
    match segments {
        [uuid] => is_uuid(uuid),
        [key, _slug] => !is_uuid(key),
        _ => false,
    }
}

fn is_uuid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    groups.iter().map(|group| group.len()).eq(UUID_GROUPS)
        && groups.concat().bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Puts `value` in the place of `{name}` and of `%7Bname%7D`, in any case.
fn replaced(text: &str, name: &str, value: &str) -> String {
    let marks = [format!("{{{name}}}"), format!("%7b{name}%7d")];
    // Lower case in ASCII keeps every byte in its place.
    let lower = text.to_ascii_lowercase();
    let mut found: Vec<(usize, &str)> =
        marks.iter().flat_map(|mark| lower.match_indices(mark.as_str())).collect();
    found.sort_unstable();
    let mut filled = text.to_owned();
    for (at, mark) in found.into_iter().rev() {
        filled.replace_range(at..at + mark.len(), value);
    }
    filled
}

/// A name as Healthchecks takes it in a slug.
fn slug(name: &str) -> String {
    let kept = |c: char| {
        let c = c.to_ascii_lowercase();
        if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '-' }
    };
    name.chars().map(kept).collect()
}

/// At most `bytes` of a text, whole characters.
fn cut(text: &str, bytes: usize) -> String {
    text.get(..text.floor_char_boundary(bytes)).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const UUID: &str = "5a8ef0c2-1f2e-4a3b-9c4d-0123456789ab";

    fn address(url: &str) -> Address {
        Address::new(&Secret::new(url), "footman", "Host 1.corp").unwrap()
    }

    fn kind_of(url: &str) -> Kind {
        address(url).kind
    }

    #[test]
    fn monitors_are_known_by_their_urls() {
        for (url, kind) in [
            (format!("https://hc-ping.com/{UUID}"), Kind::Healthchecks),
            (format!("https://hc-ping.com/{UUID}/"), Kind::Healthchecks),
            ("https://hc-ping.com/k3y/footman?create=1".to_owned(), Kind::Healthchecks),
            (format!("http://hc.corp:8000/ping/{UUID}"), Kind::Healthchecks),
            (format!("http://hc.corp/monitor/ping/{UUID}/"), Kind::Healthchecks),
            ("http://hc.corp/ping/k3y/footman/".to_owned(), Kind::Healthchecks),
            ("http://hc.corp/ping/ping/ping".to_owned(), Kind::Healthchecks),
            (
                "http://kuma.corp/api/push/Abc123?status=up&msg=OK&ping=".to_owned(),
                Kind::UptimeKuma,
            ),
            ("http://corp/kuma/api/push/Abc123/".to_owned(), Kind::UptimeKuma),
            ("http://corp/api/push/".to_owned(), Kind::Other),
            (format!("http://corp/{UUID}"), Kind::Other),
            (format!("http://hc.corp/ping/{UUID}/start"), Kind::Other),
            ("http://corp/ping".to_owned(), Kind::Other),
            ("http://corp/ping/me".to_owned(), Kind::Other),
            ("http://corp/".to_owned(), Kind::Other),
            ("https://hc-ping.com.corp/k3y/footman".to_owned(), Kind::Other),
        ] {
            assert_eq!(kind_of(&url), kind, "{url}");
        }
    }

    #[test]
    fn healthchecks_has_a_word_for_failures() {
        let check = address(&format!("https://hc-ping.com/{UUID}/?rid=1"));
        assert_eq!(check.good().url.as_str(), format!("https://hc-ping.com/{UUID}/?rid=1"));
        assert!(check.good().body.is_none());
        let failing = check.failing(&"é".repeat(LONGEST_BODY)).unwrap();
        assert_eq!(failing.url.as_str(), format!("https://hc-ping.com/{UUID}/fail?rid=1"));
        assert_eq!(failing.body.unwrap().len(), LONGEST_BODY);
        let slug = address("http://hc.corp/ping/k3y/footman?create=1").failing("x").unwrap();
        assert_eq!(slug.url.as_str(), "http://hc.corp/ping/k3y/footman/fail?create=1");
    }

    #[test]
    fn uptime_kuma_reads_the_query() {
        let push = address("http://kuma.corp/api/push/Abc/?msg=mine&status=up&to=me&ping=4");
        let good = push.good().url;
        assert_eq!(good.as_str(), "http://kuma.corp/api/push/Abc?to=me&status=up&msg=OK&ping=");
        let down = push.failing("no poll & no write").unwrap();
        assert!(down.body.is_none());
        assert_eq!(down.url.query(), Some("to=me&status=down&msg=no+poll+%26+no+write&ping="));
    }

    #[test]
    fn other_monitors_are_told_good_things_alone() {
        let other = address("http://corp/alive?a=b");
        assert_eq!(other.good().url.as_str(), "http://corp/alive?a=b");
        assert!(other.failing("no poll").is_none());
    }

    #[test]
    fn urls_may_name_the_program() {
        for mark in ["%7Bprocess%7D-%7binstance%7d", "{process}-{instance}", "{Process}-{INSTANCE}"]
        {
            let other = address(&format!("http://corp/beats/{mark}?who={mark}"));
            let name = "footman-Host%201.corp";
            assert_eq!(other.good().url.as_str(), format!("http://corp/beats/{name}?who={name}"));
            let check = address(&format!("http://corp/ping/k3y/{mark}"));
            assert_eq!(check.good().url.path(), "/ping/k3y/footman-host-1-corp");
        }
    }

    #[test]
    fn names_are_no_part_of_the_syntax() {
        let evil = Address::new(&Secret::new("http://corp/{process}"), "a/../b?c#{process}", "");
        assert_eq!(evil.unwrap().good().url.as_str(), "http://corp/a%2F..%2Fb%3Fc%23%7Bprocess%7D");
    }

    #[test]
    fn little_of_it_is_shown() {
        let place = address("https://user:pw@kuma.corp:3001/api/push/Abc?x=y").place();
        assert_eq!(place, "https://kuma.corp:3001");
    }
}
