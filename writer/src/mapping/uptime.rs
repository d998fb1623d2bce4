//! How long an engine runs, as the predecessor's text, but true in every time zone.

use shared::timestamp::Timestamp;

const SECONDS_PER_MINUTE: u64 = 60;
const SECONDS_PER_HOUR: u64 = 3600;
const SECONDS_PER_DAY: u64 = 86_400;

/// `{D} days, {H}h {MM}m {SS}s` from `started` to `now`.
///
/// A start in the future, where the clocks disagree, counts as now.
pub(super) fn uptime(started: Timestamp, now: Timestamp) -> String {
    let seconds = now.since(started).as_secs();
    format!(
        "{} days, {}h {:02}m {:02}s",
        seconds / SECONDS_PER_DAY,
        seconds % SECONDS_PER_DAY / SECONDS_PER_HOUR,
        seconds % SECONDS_PER_HOUR / SECONDS_PER_MINUTE,
        seconds % SECONDS_PER_MINUTE,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(now: &str, started: &str) -> String {
        let [started, now] = [started, now].map(|text| Timestamp::parse(text).unwrap());
        uptime(started, now)
    }

    #[test]
    fn days_hours_and_the_future() {
        let started = "2024-05-09T15:41:01Z";
        assert_eq!(at("2024-05-10T16:42:06Z", started), "1 days, 1h 01m 05s");
        assert_eq!(at("2024-06-20T15:41:01Z", started), "42 days, 0h 00m 00s");
        assert_eq!(at("2024-05-10T15:41:00Z", started), "0 days, 23h 59m 59s");
        assert_eq!(at("2024-05-09T00:00:00Z", started), "0 days, 0h 00m 00s");
    }
}
