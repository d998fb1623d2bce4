//! The names that Home Assistant knows things by: topics, and ids of entities.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

/// Bytes of the digest that are kept: enough that no two names of a site share it.
const DIGEST_BYTES: usize = 4;

/// A token of a subject as a level of a discovery topic, which takes letters, digits, `_` and `-`
/// alone. A token that has more gets a digest, so that no two make the same level.
pub(super) fn level(token: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !token.is_empty() && token.chars().all(is_plain) {
        return token.to_owned();
    }
    let mut level = String::with_capacity(token.len() + 2 * DIGEST_BYTES + 1);
    let mut rest = token.chars();
    while let Some(c) = rest.next() {
        if is_plain(c) {
            level.push(c);
            continue;
        }
        if c == '%' {
            // The two digits of an escape tell people nothing.
            rest.next();
            rest.next();
        }
        if !level.ends_with('_') {
            level.push('_');
        }
    }
    level.push('-');
    for byte in Sha256::digest(token.as_bytes()).iter().take(DIGEST_BYTES) {
        // Writing to a String cannot fail.
        let _written = write!(level, "{byte:02x}");
    }
    level
}

/// A name as the end of an entity's id: lower case, and `_` for everything but letters and digits.
/// None for a name in another script, which Home Assistant spells in Latin letters itself.
pub(super) fn slug(name: &str) -> Option<String> {
    if !name.is_ascii() {
        return None;
    }
    let mut slug = String::with_capacity(name.len());
    for c in name.chars() {
        if c.is_ascii_alphanumeric() {
            slug.push(c.to_ascii_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('_') {
            slug.push('_');
        }
    }
    let slug = slug.trim_end_matches('_');
    (!slug.is_empty()).then(|| slug.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use shared::subject::Token;

    use super::*;

    #[test]
    fn levels_of_tokens() {
        for (token, wanted) in [("sense1", "sense1"), ("Sense_1-a", "Sense_1-a")] {
            assert_eq!(level(token), wanted);
        }
        for (token, begins) in [
            ("sense1%2Ecorp%2Ecom", "sense1_corp_com-"),
            ("Z%C3%BCrich", "Z_rich-"),
            ("sense1~2", "sense1_2-"),
            ("site/a", "site_a-"),
            ("%", "_-"),
            ("", "-"),
        ] {
            let level = level(token);
            assert!(level.starts_with(begins) && level.len() == begins.len() + 8, "{level}");
        }
    }

    #[test]
    fn slugs_of_names() {
        for (name, wanted) in [
            ("CPU", Some("cpu")),
            ("Memory free", Some("memory_free")),
            ("sense1.corp.com (prod)", Some("sense1_corp_com_prod")),
            ("Zürich", None),
            ("...", None),
            ("", None),
        ] {
            assert_eq!(slug(name).as_deref(), wanted, "{name}");
        }
    }

    proptest! {
        #[test]
        fn no_two_names_make_one_level(a in ".{0,60}", b in ".{0,60}") {
            let level = |name: &str| level(Token::new(name).as_str());
            prop_assert_eq!(a == b, level(&a) == level(&b));
        }
    }
}
