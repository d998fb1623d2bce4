//! Why an event is refused, where others than the operator at the terminal may read them.

/// After this, 1.x and 2.x repeat the line.
const UNREADABLE: &str = "unable to parse";
/// What errors of reading say before they repeat what they have read.
const REPEATED: [&str; 2] = [" string \"", "unknown variant `"];
/// Longest reason in a log line.
const MAX_LOGGED: usize = 200;

/// A reason without the data that is repeated in it, lines, values of tags and texts of an event: for
/// log lines and lists.
pub fn for_log(reason: &str) -> String {
    let mut reason = reason.to_owned();
    if let Some(at) = reason.find(UNREADABLE) {
        reason.truncate(at + UNREADABLE.len());
        reason.push_str(" a line");
    }
    for value in [" value=", " - oldest point"].into_iter().chain(REPEATED) {
        let kept = reason.find(value).unwrap_or(reason.len());
        reason.truncate(kept);
    }
    let first_line = reason.lines().next().unwrap_or_default();
    first_line.get(..first_line.floor_char_boundary(MAX_LOGGED)).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_lines_hold_no_data() {
        assert_eq!(
            for_log("partial write: unable to parse 'm,user=jane x' dropped=0"),
            "partial write: unable to parse a line"
        );
        assert_eq!(
            for_log("max-values-per-tag limit exceeded (1/1): tag=\"t\" value=\"jane\" dropped=1"),
            "max-values-per-tag limit exceeded (1/1): tag=\"t\""
        );
        assert_eq!(
            for_log(
                "partial write: dropped 1 points outside retention policy - oldest point m,u=jane"
            ),
            "partial write: dropped 1 points outside retention policy"
        );
        assert_eq!(for_log(&"ä".repeat(300)).len(), 200);
    }

    #[test]
    fn log_lines_hold_nothing_of_an_event() {
        assert_eq!(
            for_log(
                "the data cannot be read: invalid type: string \"jane\", expected u64 at line 1"
            ),
            "the data cannot be read: invalid type:"
        );
    }
}
