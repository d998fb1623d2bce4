//! The proxy's session list: its answer, who is left out of it, and the events made from it.
//!
//! Excluded users end here: nothing behind this module has heard their names.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::value::RawValue;
use shared::config::{ExcludedUser, UserIds};
use shared::event::Session;

use super::body::{self, Unusable};
use super::lenient::{Members, Rejected};
use super::pseudonym::{Key, Pseudonyms};

/// The proxy's usual port for this API.
const PORT: &str = "4243";
/// Users of one virtual proxy who are kept to be shown: more than anybody reads in a list.
const SHOWN_USERS: usize = 200;

/// Reads an answer. Attributes, which may be several kilobytes a session, are not kept.
pub(crate) fn decode(body: &[u8]) -> Result<(Vec<Login>, Rejected), Unusable> {
    let text = body::text(body);
    let raw = body::json(&text, PORT)?;
    let elements: Vec<&RawValue> = serde_json::from_str(raw.get())
        .map_err(|_no_list| Unusable::unexpected("the answer is JSON, but no list of sessions"))?;
    let mut rejected = Rejected::default();
    let mut logins = Vec::with_capacity(elements.len());
    for element in elements {
        let Some(members) = Members::parse(element) else {
            rejected.0 += 1;
            continue;
        };
        let mut text = |name| members.text(name, &mut rejected).unwrap_or_default();
        logins.push(Login {
            directory: text("UserDirectory"),
            user_id: text("UserId"),
            session_id: text("SessionId"),
        });
    }
    Ok((logins, rejected))
}

/// One session, as the proxy tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Login {
    pub(crate) directory: String,
    pub(crate) user_id: String,
    pub(crate) session_id: String,
}

/// Which users are left out, and what becomes of the names of the others.
#[derive(Debug)]
pub(crate) struct Privacy {
    excluded: HashSet<(String, String)>,
    ids: Ids,
    /// Whether the users may be shown besides being published.
    shows_users: bool,
}

/// What is published in the place of a user's id.
#[derive(Debug)]
enum Ids {
    Clear,
    Hashed(Pseudonyms),
    Dropped,
}

/// The same for the users of one poll, which are hashed with one key.
pub(super) enum Naming {
    Clear,
    Hashed(Arc<Key>),
    Dropped,
}

impl Naming {
    pub(super) fn id(&self, login: &Login) -> Option<String> {
        match self {
            Self::Clear => Some(login.user_id.clone()),
            Self::Hashed(key) => Some(key.name(&login.directory, &login.user_id)),
            Self::Dropped => None,
        }
    }

    fn key_id(&self) -> Option<String> {
        match self {
            Self::Hashed(key) => Some(key.id().to_owned()),
            Self::Clear | Self::Dropped => None,
        }
    }
}

/// What may be published of one poll.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Published {
    /// Sessions of everybody.
    pub(crate) session_count: u64,
    /// Sessions of excluded users.
    pub(crate) excluded_session_count: u64,
    /// Distinct users who are not excluded.
    pub(crate) user_count: u64,
    /// Which key the ids are hashed with, if they are.
    pub(crate) user_id_key: Option<String>,
    /// Sessions of users who are not excluded.
    pub(crate) sessions: Vec<Session>,
    /// Those users as `directory\id`, in order of appearance; their directories without ids.
    pub(crate) users: Vec<String>,
    /// The first of them, where they may be shown.
    pub(crate) shown_users: Vec<String>,
}

impl Privacy {
    pub(crate) fn new(excluded: &[ExcludedUser], user_ids: &UserIds) -> Self {
        let excluded = excluded
            .iter()
            .map(|user| (user.directory.to_lowercase(), user.user_id.to_lowercase()))
            .collect();
        let ids = match user_ids {
            UserIds::Clear => Ids::Clear,
            UserIds::Hmac { key } => Ids::Hashed(Pseudonyms::new(key)),
            UserIds::Drop => Ids::Dropped,
        };
        Self { excluded, ids, shows_users: false }
    }

    /// The same, with users that may be shown or not.
    pub(crate) fn showing_users(self, shows_users: bool) -> Self {
        Self { shows_users, ..self }
    }

    pub(super) fn naming(&self) -> Naming {
        match &self.ids {
            Ids::Clear => Naming::Clear,
            Ids::Hashed(pseudonyms) => Naming::Hashed(pseudonyms.key()),
            Ids::Dropped => Naming::Dropped,
        }
    }

    /// What may be published of these logins.
    pub(crate) fn apply(&self, logins: Vec<Login>) -> Published {
        let session_count = logins.len() as u64;
        let mut users: Vec<String> = Vec::new();
        let mut distinct: HashSet<(String, String)> = HashSet::new();
        let mut shown: HashSet<String> = HashSet::new();
        let mut sessions = Vec::with_capacity(logins.len());
        let naming = self.naming();
        for login in logins {
            if self.excludes(&login) {
                continue;
            }
            let user_id = naming.id(&login);
            let user = match &user_id {
                Some(id) => format!("{}\\{id}", login.directory),
                None => login.directory.clone(),
            };
            if shown.insert(user.clone()) {
                users.push(user);
            }
            distinct.insert((login.directory.clone(), login.user_id));
            sessions.push(Session {
                user_directory: login.directory,
                user_id,
                session_id: login.session_id,
            });
        }
        Published {
            session_count,
            excluded_session_count: session_count - sessions.len() as u64,
            user_count: distinct.len() as u64,
            user_id_key: naming.key_id(),
            sessions,
            shown_users: if self.shows_users {
                users.iter().take(SHOWN_USERS).cloned().collect()
            } else {
                Vec::new()
            },
            users,
        }
    }

    pub(super) fn excludes(&self, login: &Login) -> bool {
        // Qlik Sense takes names in any case, so a user may appear in several.
        !self.excluded.is_empty()
            && self
                .excluded
                .contains(&(login.directory.to_lowercase(), login.user_id.to_lowercase()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use shared::secret::Secret;

    use super::*;

    const SAMPLE: &str = r#"[
        {"UserDirectory":"LAB","UserId":"goran","Attributes":[],"SessionId":"53f3a3fb"},
        {"UserDirectory":"LAB","UserId":"goran","Attributes":[{"group":"Everyone"},{"roles":""}],"SessionId":"s2"},
        {"UserDirectory":"INTERNAL","UserId":"sa_api","Attributes":null,"SessionId":"s3","NewUser":false}]"#;

    fn login(directory: &str, user_id: &str, session_id: &str) -> Login {
        Login {
            directory: directory.to_owned(),
            user_id: user_id.to_owned(),
            session_id: session_id.to_owned(),
        }
    }

    fn excluding(directory: &str, user_id: &str) -> [ExcludedUser; 1] {
        [ExcludedUser { directory: directory.to_owned(), user_id: user_id.to_owned() }]
    }

    #[test]
    fn a_list_as_the_proxy_writes_it() {
        let (logins, rejected) = decode(SAMPLE.as_bytes()).unwrap();
        assert_eq!(
            logins,
            [
                login("LAB", "goran", "53f3a3fb"),
                login("LAB", "goran", "s2"),
                login("INTERNAL", "sa_api", "s3"),
            ]
        );
        assert_eq!(rejected, Rejected(0));
        assert_eq!(decode(b"[]").unwrap().0, []);
    }

    #[test]
    fn bad_members_cost_themselves() {
        let body = br#"[{"UserDirectory":"A","UserId":7,"SessionId":null},5,{"UserId":"b"}]"#;
        let (logins, rejected) = decode(body).unwrap();
        assert_eq!(logins, [login("A", "7", ""), login("", "b", "")]);
        assert_eq!(rejected, Rejected(4));
    }

    #[test]
    fn answers_that_are_no_list() {
        for body in [&b"{}"[..], b"<html>", b"", b"\"text\"", b"7"] {
            let wrong = decode(body).unwrap_err();
            assert_eq!(wrong.category, shared::event::Category::UNEXPECTED_BODY);
        }
        assert_eq!(decode(b"[{").unwrap_err().category, shared::event::Category::DECODE);
    }

    #[test]
    fn excluded_users_are_counted_and_nowhere_else() {
        let (logins, _) = decode(SAMPLE.as_bytes()).unwrap();
        let privacy = Privacy::new(&excluding("lab", "GORAN"), &UserIds::Clear);
        let published = privacy.apply(logins);
        assert_eq!(published.session_count, 3);
        assert_eq!(published.excluded_session_count, 2);
        assert_eq!(published.user_count, 1);
        assert_eq!(published.users, ["INTERNAL\\sa_api"]);
        assert!(!format!("{published:?}").contains("goran"));
    }

    #[test]
    fn users_are_kept_to_be_shown_where_that_is_allowed_and_never_too_many() {
        let logins = |count: usize| -> Vec<Login> {
            (0..count).map(|number| login("LAB", &format!("u{number}"), "s")).collect()
        };
        let hidden = Privacy::new(&[], &UserIds::Clear);
        assert!(hidden.apply(logins(3)).shown_users.is_empty());
        let shown = Privacy::new(&excluding("lab", "U1"), &UserIds::Clear).showing_users(true);
        assert_eq!(shown.apply(logins(3)).shown_users, ["LAB\\u0", "LAB\\u2"]);
        assert_eq!(shown.apply(logins(1_000)).shown_users.len(), SHOWN_USERS);
        let dropped = Privacy::new(&[], &UserIds::Drop).showing_users(true);
        assert_eq!(dropped.apply(logins(3)).shown_users, ["LAB"]);
    }

    #[test]
    fn dropped_ids_leave_the_directory_and_the_counts() {
        let (logins, _) = decode(SAMPLE.as_bytes()).unwrap();
        let published = Privacy::new(&[], &UserIds::Drop).apply(logins);
        assert_eq!((published.session_count, published.user_count), (3, 2));
        assert_eq!(published.users, ["LAB", "INTERNAL"]);
        assert_eq!(published.sessions[0].user_id, None);
        assert_eq!(published.user_id_key, None);
        assert!(!format!("{published:?}").contains("goran"));
    }

    #[test]
    fn hashed_ids_are_the_same_for_the_same_user_after_the_true_names_were_excluded() {
        let user_ids = UserIds::Hmac { key: Secret::from("0123456789abcdef") };
        let privacy = Privacy::new(&excluding("internal", "SA_API"), &user_ids);
        let (mut logins, _) = decode(SAMPLE.as_bytes()).unwrap();
        logins.push(login("lab", "GORAN", "s4"));
        let published = privacy.apply(logins);
        assert_eq!((published.session_count, published.excluded_session_count), (4, 1));
        let ids: HashSet<_> = published.sessions.iter().map(|session| &session.user_id).collect();
        assert_eq!((published.sessions.len(), ids.len()), (3, 1));
        let id = published.sessions[0].user_id.clone().unwrap();
        assert_eq!(id.len(), 32);
        assert_eq!(published.users, [format!("LAB\\{id}"), format!("lab\\{id}")]);
        assert_eq!(published.user_id_key.as_ref().map(String::len), Some(8));
        let shown = format!("{published:?} {privacy:?}").to_lowercase();
        assert!(!shown.contains("goran"), "{shown}");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(body in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _either = decode(&body);
        }

        #[test]
        fn any_list_is_read(body in r#"\[(\{("UserDirectory"|"UserId"|"SessionId"|"x"):("[a-z\\]{0,3}"|-?[0-9]{1,4}(e[0-9]{1,4})?|null|\[\])\},?){0,4}\]?"#) {
            let _either = decode(body.as_bytes());
        }

        #[test]
        fn counts_add_up(users in proptest::collection::vec((0..3_u8, 0..3_u8), 0..40)) {
            let logins: Vec<Login> = users
                .iter()
                .enumerate()
                .map(|(n, (directory, user))| login(&directory.to_string(), &user.to_string(), &n.to_string()))
                .collect();
            let published = Privacy::new(&excluding("0", "0"), &UserIds::Clear).apply(logins);
            prop_assert_eq!(published.session_count, users.len() as u64);
            prop_assert_eq!(published.sessions.len() as u64 + published.excluded_session_count, users.len() as u64);
            prop_assert_eq!(published.users.len() as u64, published.user_count);
        }
    }
}
