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

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(body in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _either = decode(&body);
        }
    }
}
