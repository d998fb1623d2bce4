//! The known name that is most like an unknown one.

/// How alike two names must be to be worth a question, from 0 to 1.
const LIKE_ENOUGH: f64 = 0.6;

/// Finds the name that is most like another, ignoring case; none when nothing is like it.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase();
    known
        .into_iter()
        .map(|known| (strsim::normalized_damerau_levenshtein(&name, &known.to_lowercase()), known))
        .filter(|(likeness, _)| *likeness >= LIKE_ENOUGH)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_mistakes_are_recognised() {
        let known = ["remoteURL", "frequency", "enable"];
        assert_eq!(nearest("remoteUrl", known), Some("remoteURL"));
        assert_eq!(nearest("frequncy", known), Some("frequency"));
        assert_eq!(nearest("password", known), None);
    }
}
