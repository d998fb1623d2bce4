//! A claim in the README's table without its test counts as absent.

use std::path::Path;

/// Every `[`name`](tests/…)` of a text.
fn claims(text: &str) -> Vec<(String, String)> {
    let mut claims = Vec::new();
    for part in text.split("[`").skip(1) {
        let Some((name, rest)) = part.split_once("`](") else { continue };
        let Some((path, _)) = rest.split_once(')') else { continue };
        if path.starts_with("tests/") {
            claims.push((name.to_owned(), path.to_owned()));
        }
    }
    claims
}

#[test]
fn every_claim_of_the_readme_has_its_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let claims = claims(&readme);
    assert!(claims.len() > 20, "the table is missing");
    for (name, path) in claims {
        let test = std::fs::read_to_string(root.join(&path)).unwrap_or_default();
        let is_there =
            test.contains(&format!("fn {name}(")) || test.contains(&format!("=> {name}"));
        assert!(is_there, "{path} has no test {name}");
    }
}
