//! The repository's list of apps: its answer.

use serde_json::value::RawValue;

use super::body::{self, Unusable};
use super::lenient::{Members, Rejected};

/// The repository's usual port.
const PORT: &str = "4242";

/// An app as the repository lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ListedApp {
    pub(crate) id: String,
    pub(crate) name: String,
}

/// Reads an answer; apps without an id are left out.
pub(crate) fn decode(body: &[u8]) -> Result<(Vec<ListedApp>, Rejected), Unusable> {
    let text = body::text(body);
    let raw = body::json(&text, PORT)?;
    let elements: Vec<&RawValue> = serde_json::from_str(raw.get())
        .map_err(|_no_list| Unusable::unexpected("the answer is JSON, but no list of apps"))?;
    let mut rejected = Rejected::default();
    let mut apps = Vec::with_capacity(elements.len());
    for element in elements {
        let Some(members) = Members::parse(element) else {
            rejected.0 += 1;
            continue;
        };
        let id = members.text("id", &mut rejected).filter(|id| !id.is_empty());
        let name = members.text("name", &mut rejected).unwrap_or_default();
        if let Some(id) = id {
            apps.push(ListedApp { id, name });
        }
    }
    Ok((apps, rejected))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use shared::event::Source;

    use super::*;

    #[test]
    fn a_list_as_the_repository_writes_it() {
        let body = r#"[{"id":"e7af59a0","name":"Operations \"Monitor\", 🚀","appId":"","published":true,
            "stream":{"id":"a70c","name":"Monitoring apps","privileges":null},"privileges":null},
            {"id":"x"}, {"name":"no id"}, null]"#;
        let (apps, rejected) = decode(body.as_bytes()).unwrap();
        let named =
            ListedApp { id: "e7af59a0".into(), name: "Operations \"Monitor\", 🚀".into() };
        assert_eq!(apps, [named, ListedApp { id: "x".into(), name: String::new() }]);
        assert_eq!(rejected, Rejected(3));
        assert!(decode(br#"{"value":1}"#).is_err());
    }

    #[test]
    fn a_repository_of_fifty_thousand_apps_with_long_names_is_read() {
        let app = |number: usize| {
            format!(
                r#"{{"id":"00000000-0000-0000-0000-{number:012}","name":"{number} {:x<128}","appId":"","publishTime":"2026-11-27T12:00:00.000Z","published":true,"stream":{{"id":"00000000-0000-0000-0000-{number:012}","name":"{:x<64}","privileges":null}},"savedInProductVersion":"12.2054.4","migrationHash":"cd8f0e2c6b6f8ab6a7b2c3a56e8a6c2b0f6d9a11","availabilityStatus":0,"privileges":null}}"#,
                "", ""
            )
        };
        let body = format!("[{}]", (0..50_000).map(app).collect::<Vec<_>>().join(","));
        assert!(body.len() < super::super::limit(Source::AppNames), "{} bytes", body.len());
        let (apps, rejected) = decode(body.as_bytes()).unwrap();
        assert_eq!((apps.len(), rejected), (50_000, Rejected(0)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(body in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _either = decode(&body);
        }
    }
}
