//! Names with `*` in them, as `collector.discovery.exclude` has them.

/// Whether a pattern means a text, whatever the case of either; `*` stands for any characters.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.to_lowercase(), text.to_lowercase());
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut left) = text.strip_prefix(first) else { return false };
    let mut pieces: Vec<&str> = rest.split('*').collect();
    let last = pieces.pop().unwrap_or_default();
    // Each piece as early as possible leaves the most for those that follow.
    for piece in pieces {
        match left.split_once(piece) {
            Some((_, after)) => left = after,
            None => return false,
        }
    }
    left.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_whole_or_with_gaps() {
        for (pattern, text) in [
            ("sense1", "SENSE1"),
            ("DEV-*", "dev-node"),
            ("*.dev.corp.com", "sense1.dev.corp.com"),
            ("sense*:4747", "sense1:4747"),
            ("*", ""),
            ("a*b*c", "a-b-b-c"),
            ("**", "x"),
            ("*aab", "aaab"),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("sense1", "sense11"),
            ("", "a"),
            ("dev-*", "my-dev-node"),
            ("a*a", "a"),
            ("a*b*c", "a-c-b"),
            ("*x", "xy"),
        ] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }
}
