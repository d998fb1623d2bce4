//! The clock of this machine against what servers say in `Date`.

use std::time::Duration;

use shared::timestamp::Timestamp;

use super::report::Finding;

/// Beyond this, points of different machines do not fit together on a dashboard.
const WARN_BEYOND: f64 = 5.0;
/// Beyond this, certificates, tokens and retention are at risk.
const FAULT_BEYOND: f64 = 60.0;
/// The answer has whole seconds.
const WHOLE_SECOND: f64 = 1.0;

/// Compares the clocks: an answer that came at `now`, after `waited`, said `date`. None when the
/// date cannot be read.
pub(crate) fn compare(date: &str, now: Timestamp, waited: Duration) -> Option<Finding> {
    let said = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(date).ok()?;
    let ours = now.nanos() as f64 / 1e9;
    let theirs = said.as_nanosecond() as f64 / 1e9;
    // It was written at some moment of that second, and of the time that we waited.
    let ahead = ours - (theirs + WHOLE_SECOND / 2.0);
    let unsure = WHOLE_SECOND / 2.0 + waited.as_secs_f64();
    let at_least = (ahead.abs() - unsure).max(0.0);
    let direction = if ahead > 0.0 { "ahead of" } else { "behind" };
    let seen = format!("this machine's clock is {:.0} s {direction} the server's", ahead.abs());
    let finding = if at_least > FAULT_BEYOND {
        Finding::fault("clock", seen)
    } else if at_least > WARN_BEYOND {
        Finding::warning("clock", seen)
    } else {
        let within = "this machine's clock and the server's agree within their second";
        return Some(Finding::ok("clock", within).fact("aheadSeconds", rounded(ahead)));
    };
    let advice = "set both clocks by the same time server: points carry this machine's time";
    Some(finding.advise(advice).fact("aheadSeconds", rounded(ahead)))
}

fn rounded(seconds: f64) -> f64 {
    (seconds * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::super::report::Verdict;
    use super::*;

    #[test]
    fn what_a_difference_means() {
        let date = "Sat, 21 Nov 2026 08:15:30 GMT";
        let verdict = |now: &str, waited_ms| {
            let now = Timestamp::parse(now).unwrap();
            compare(date, now, Duration::from_millis(waited_ms)).unwrap().verdict
        };
        assert_eq!(verdict("2026-11-21T08:15:30.900Z", 10), Verdict::Ok);
        assert_eq!(verdict("2026-11-21T08:15:35.900Z", 10), Verdict::Ok);
        assert_eq!(verdict("2026-11-21T08:15:37.000Z", 10), Verdict::Warning);
        assert_eq!(verdict("2026-11-21T08:15:37.000Z", 4_000), Verdict::Ok, "it may be the wait");
        assert_eq!(verdict("2026-11-21T08:15:20.000Z", 10), Verdict::Warning);
        assert_eq!(verdict("2026-11-21T08:16:40.000Z", 10), Verdict::Fault);
        assert_eq!(verdict("2026-11-21T06:15:30.000Z", 10), Verdict::Fault);
        assert_eq!(compare("soon", Timestamp::now(), Duration::ZERO), None);
        let behind =
            compare(date, Timestamp::parse("2026-11-21T08:14:00Z").unwrap(), Duration::ZERO);
        let seen = behind.unwrap().seen;
        assert!(seen.contains("behind"), "{seen}");
    }
}
