//! The proxy's session list as the predecessor passed it on: the array of the answer as indented
//! JSON, members and their order untouched, but without those who are left out.
//!
//! It is made only where the predecessor's topics are published. Attributes can name their user, so
//! they stay only where ids are clear.

use std::fmt;
use std::sync::Arc;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::body;
use super::sessions::{Login, Naming, Privacy};

/// Longer lists go without attributes: brokers bound what they take.
const LONGEST_WITH_ATTRIBUTES: usize = 8 << 20;
const DIRECTORY: &str = "UserDirectory";
const USER_ID: &str = "UserId";
const SESSION_ID: &str = "SessionId";

/// A session list as text. It holds user names, so no formatter shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionList(Arc<str>);

impl SessionList {
    /// Gives the text to the one place that needs it.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SessionList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionList({} bytes)", self.0.len())
    }
}

/// The list of an answer; none when it is no list.
pub(super) fn list(body: &[u8], privacy: &Privacy) -> Option<SessionList> {
    let text = body::text(body);
    let elements: Vec<Json> = serde_json::from_str(&text).ok()?;
    let naming = privacy.naming();
    let shown: Vec<Json> = elements
        .into_iter()
        .filter_map(|element| {
            let Json::Object(members) = element else { return None };
            let login = login(&members);
            (!privacy.excludes(&login)).then(|| shown(members, &login, &naming))
        })
        .collect();
    let text = serde_json::to_string_pretty(&shown).ok()?;
    if text.len() <= LONGEST_WITH_ATTRIBUTES {
        return Some(SessionList(text.into()));
    }
    let short: Vec<Json> = shown.into_iter().map(Json::without_attributes).collect();
    Some(SessionList(serde_json::to_string_pretty(&short).ok()?.into()))
}

fn login(members: &[(String, Json)]) -> Login {
    let text = |name: &str| {
        let member = members.iter().find(|(member, _)| member == name);
        member.map_or_else(String::new, |(_, value)| value.as_text())
    };
    Login { directory: text(DIRECTORY), user_id: text(USER_ID), session_id: text(SESSION_ID) }
}

/// What is shown of an element: all of it, or who and which session without a clear id.
fn shown(members: Vec<(String, Json)>, login: &Login, naming: &Naming) -> Json {
    if matches!(naming, Naming::Clear) {
        return Json::Object(members);
    }
    let text = |text: &str| Json::Text(text.to_owned());
    let id = naming.id(login).map(|id| (USER_ID.to_owned(), Json::Text(id)));
    let directory = (DIRECTORY.to_owned(), text(&login.directory));
    let session = (SESSION_ID.to_owned(), text(&login.session_id));
    Json::Object([Some(directory), id, Some(session)].into_iter().flatten().collect())
}

/// Any JSON, its members in the order of the text; of one name the last counts, in the place of the
/// first.
#[derive(Clone, Debug, PartialEq)]
enum Json {
    Null,
    Flag(bool),
    Number(serde_json::Number),
    Text(String),
    List(Vec<Self>),
    Object(Vec<(String, Self)>),
}

impl Json {
    fn as_text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number(number) => number.to_string(),
            _ => String::new(),
        }
    }

    fn without_attributes(self) -> Self {
        let Self::Object(mut members) = self else { return self };
        members.retain(|(name, _)| [DIRECTORY, USER_ID, SESSION_ID].contains(&name.as_str()));
        Self::Object(members)
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Flag(flag) => serializer.serialize_bool(*flag),
            Self::Number(number) => number.serialize(serializer),
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(list) => list.serialize(serializer),
            Self::Object(members) => {
                let mut map = serializer.serialize_map(Some(members.len()))?;
                for (name, value) in members {
                    map.serialize_entry(name, value)?;
                }
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Json, E> {
        Ok(Json::Flag(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Json, E> {
        Ok(Json::Number(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Json, E> {
        Ok(Json::Number(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Json, E> {
        Ok(serde_json::Number::from_f64(number).map_or(Json::Null, Json::Number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(element) = access.next_element()? {
            list.push(element);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
        let mut members: Vec<(String, Json)> = Vec::new();
        while let Some((name, value)) = access.next_entry::<String, Json>()? {
            match members.iter_mut().find(|(member, _)| *member == name) {
                Some((_, before)) => *before = value,
                None => members.push((name, value)),
            }
        }
        Ok(Json::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use shared::config::{ExcludedUser, UserIds};
    use shared::secret::Secret;

    use super::*;

    const ANSWER: &str = "[{\"UserDirectory\":\"LAB\",\"UserId\":\"goran\",\"Attributes\":[],\
        \"SessionId\":\"s1\"},{\"UserDirectory\":\"LAB\",\"UserId\":\"anna\",\"Attributes\":\
        [{\"group\":\"Everyone\"},{}],\"SessionId\":\"s2\",\"NewUser\":false,\"n\":1.5}]";

    fn text(excluded: &[(&str, &str)], user_ids: &UserIds) -> String {
        let excluded: Vec<ExcludedUser> = excluded
            .iter()
            .map(|&(directory, user_id)| ExcludedUser {
                directory: directory.to_owned(),
                user_id: user_id.to_owned(),
            })
            .collect();
        let list = list(ANSWER.as_bytes(), &Privacy::new(&excluded, user_ids)).unwrap();
        assert_eq!(format!("{list:?}"), format!("SessionList({} bytes)", list.expose().len()));
        list.expose().to_owned()
    }

    #[test]
    fn the_array_of_the_answer_as_the_predecessor_indents_it() {
        let wanted = r#"[
  {
    "UserDirectory": "LAB",
    "UserId": "goran",
    "Attributes": [],
    "SessionId": "s1"
  },
  {
    "UserDirectory": "LAB",
    "UserId": "anna",
    "Attributes": [
      {
        "group": "Everyone"
      },
      {}
    ],
    "SessionId": "s2",
    "NewUser": false,
    "n": 1.5
  }
]"#;
        assert_eq!(text(&[], &UserIds::Clear), wanted);
        assert_eq!(text(&[("lab", "GORAN"), ("LAB", "anna")], &UserIds::Clear), "[]");
    }

    #[test]
    fn ids_that_are_hashed_or_dropped_take_the_attributes_with_them() {
        let key = Secret::from("0123456789abcdef");
        let hashed = text(&[("lab", "goran")], &UserIds::Hmac { key });
        let list: Vec<serde_json::Map<String, serde_json::Value>> =
            serde_json::from_str(&hashed).unwrap();
        assert_eq!(list.len(), 1);
        assert_eq!(list[0]["UserId"].as_str().unwrap().len(), 32);
        assert_eq!(list[0].len(), 3);
        let dropped = text(&[], &UserIds::Drop);
        assert!(!dropped.contains("UserId\"") && dropped.contains("\"SessionId\": \"s2\""));
        for shown in [hashed, dropped] {
            assert!(!shown.contains("goran") && !shown.contains("anna"), "{shown}");
            assert!(!shown.contains("Everyone"), "{shown}");
        }
    }

    #[test]
    fn a_name_that_is_written_twice_excludes_nobody_less() {
        let twice =
            br#"[{"UserDirectory":"x","UserId":"x","UserDirectory":"LAB","UserId":"goran"}]"#;
        let excluded = [ExcludedUser { directory: "LAB".to_owned(), user_id: "goran".to_owned() }];
        let list = list(twice, &Privacy::new(&excluded, &UserIds::Clear)).unwrap();
        assert_eq!(list.expose(), "[]");
    }

    #[test]
    fn a_long_list_goes_without_attributes() {
        let attribute = "x".repeat(LONGEST_WITH_ATTRIBUTES);
        let long = format!(
            r#"[{{"UserDirectory":"A","UserId":"b","Attributes":["{attribute}"],"SessionId":"s"}}]"#
        );
        let list = list(long.as_bytes(), &Privacy::new(&[], &UserIds::Clear)).unwrap();
        assert!(list.expose().len() < 200);
        assert!(list.expose().contains("\"SessionId\": \"s\""));
    }
}
