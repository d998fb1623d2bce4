//! `mosquitto-security.json`: users, roles and hashes for mosquitto's dynamic security plugin.
//!
//! mosquitto's `acl_file` says who may read and write, but lets everybody subscribe; who joins the
//! writers' shared subscription takes events from them. The plugin refuses that. It has passwords and
//! rights in one file, so here are the rights of `config/brokers/mosquitto.acl` once more, and a test
//! compares the two. Roles that are there are left as they are.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::hashes::{HashFile, Hashes, Pbkdf2, Role};

const CLIENTS: &str = "clients";
const ROLES: &str = "roles";

/// What a role may do with topics, under the default prefix and for the default group.
struct Rights {
    role: &'static str,
    publish: &'static [&'static str],
    subscribe: &'static [&'static str],
}

const RIGHTS: [Rights; 3] = [
    Rights {
        role: "collector",
        publish: &[
            "qliksense/v1/health/#",
            "qliksense/v1/sessions/#",
            "qliksense/v1/app-names/#",
            "qliksense/v1/failed-polls/#",
            "qliksense/v1/heartbeats/collector/#",
            "qliksense/v1/status/collector/#",
            "qliksense/v1/status/footman/#",
            "qliksense/v1/marks/#",
            "qliksense/v1/state/#",
            "qliksense/v1/programs/#",
            "homeassistant/#",
        ],
        subscribe: &[
            "qliksense/v1/heartbeats/#",
            "qliksense/v1/slots/#",
            "qliksense/v1/marks/#",
            "qliksense/v1/state/#",
            "qliksense/v1/programs/#",
            "homeassistant/status",
        ],
    },
    Rights {
        role: "writer",
        publish: &[
            "qliksense/v1/heartbeats/writer/#",
            "qliksense/v1/status/writer/#",
            "qliksense/v1/slots/influxdb/#",
            "qliksense/v1/dead-letters/influxdb/#",
            "qliksense/v1/replay/#",
        ],
        subscribe: &[
            "$share/influxdb/qliksense/v1/health/#",
            "$share/influxdb/qliksense/v1/sessions/#",
            "$share/influxdb/qliksense/v1/app-names/#",
            "$share/influxdb/qliksense/v1/failed-polls/#",
            "$share/influxdb/qliksense/v1/heartbeats/#",
            "$share/influxdb/qliksense/v1/replay/#",
            "$share/influxdb/qliksense/v1/slots/influxdb/witness",
            "qliksense/v1/slots/#",
            "qliksense/v1/dead-letters/influxdb/#",
        ],
    },
    Rights {
        role: "subscriber",
        publish: &["homeassistant/status"],
        subscribe: &[
            "qliksense/v1/health/#",
            "qliksense/v1/sessions/#",
            "qliksense/v1/app-names/#",
            "qliksense/v1/failed-polls/#",
            "qliksense/v1/heartbeats/#",
            "qliksense/v1/status/#",
            "qliksense/v1/state/#",
            "qliksense/v1/programs/#",
            "homeassistant/#",
        ],
    },
];

/// The file.
#[derive(Debug)]
pub(super) struct Mosquitto(Map<String, Value>);

impl Mosquitto {
    fn entries(&mut self, key: &str) -> Result<&mut Vec<Value>, String> {
        let entries = self.0.entry(key).or_insert_with(|| json!([]));
        entries.as_array_mut().ok_or_else(|| format!("`{key}` is no list"))
    }
}

impl HashFile for Mosquitto {
    const NAME: &'static str = "mosquitto-security.json";

    fn parse(text: &str) -> Result<Self, String> {
        let new = r#"{"defaultACLAccess": {"publishClientSend": false, "publishClientReceive": true,
                                           "subscribe": false, "unsubscribe": true}}"#;
        let parsed = serde_json::from_str(if text.is_empty() { new } else { text });
        parsed.map(Self).map_err(|error| {
            format!("{error}: delete the file, and run this again, or correct it by hand")
        })
    }
}

impl Hashes for Mosquitto {
    fn fits(&self, role: &Role) -> bool {
        let clients = self.0.get(CLIENTS).and_then(Value::as_array);
        let client = clients.into_iter().flatten().find(|client| is_called(client, role.user));
        let hash = client.and_then(|client| {
            let iterations = u32::try_from(client.get("iterations")?.as_u64()?).ok()?;
            let text = |key| client.get(key)?.as_str();
            Pbkdf2::parse(iterations, text("salt")?, text("password")?)
        });
        hash.is_some_and(|hash| hash.is_of(&role.password))
    }

    fn set(&mut self, role: &Role) -> Result<(), String> {
        let Pbkdf2 { salt, hash, iterations } = Pbkdf2::of(&role.password);
        let (salt, hash) = (STANDARD.encode(salt), STANDARD.encode(hash));
        let clients = self.entries(CLIENTS)?;
        match clients.iter_mut().find(|client| is_called(client, role.user)) {
            Some(Value::Object(client)) => {
                client.insert("password".to_owned(), hash.into());
                client.insert("salt".to_owned(), salt.into());
                client.insert("iterations".to_owned(), iterations.into());
            }
            _ => clients.push(json!({
                "username": role.user, "password": hash, "salt": salt, "iterations": iterations,
                "roles": [{ "rolename": role.user }],
            })),
        }
        let roles = self.entries(ROLES)?;
        let is_there = roles
            .iter()
            .any(|found| found.get("rolename").and_then(Value::as_str) == Some(role.user));
        if !is_there {
            let rights = RIGHTS.iter().filter(|rights| rights.role == role.user);
            roles.extend(rights.map(Rights::to_json));
        }
        Ok(())
    }

    fn text(&self) -> Result<String, String> {
        serde_json::to_string_pretty(&self.0).map_err(|error| error.to_string())
    }
}

impl Rights {
    fn to_json(&self) -> Value {
        let allow = |kind: &'static str| move |topic: &&str| json!({ "acltype": kind, "topic": topic, "allow": true });
        let publish = self.publish.iter().map(allow("publishClientSend"));
        let subscribe = self.subscribe.iter().map(allow("subscribePattern"));
        json!({ "rolename": self.role, "acls": publish.chain(subscribe).collect::<Vec<_>>() })
    }
}

fn is_called(client: &Value, user: &str) -> bool {
    client.get("username").and_then(Value::as_str) == Some(user)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use shared::secret::Secret;

    use super::*;

    const ACL: &str = include_str!("../../../config/brokers/mosquitto.acl");

    #[test]
    fn clients_and_roles_of_others_stay() {
        let role = |password: &str| Role { user: "writer", password: Secret::new(password) };
        let mut file = Mosquitto::parse("").unwrap();
        assert!(!file.fits(&role("first")));
        file.set(&role("first")).unwrap();
        file.entries(CLIENTS).unwrap().push(json!({ "username": "mine" }));
        file.entries(ROLES).unwrap()[0]["acls"] = json!([]);
        let mut again = Mosquitto::parse(&file.text().unwrap()).unwrap();
        assert!(again.fits(&role("first")) && !again.fits(&role("second")));
        again.set(&role("second")).unwrap();
        assert!(again.fits(&role("second")));
        assert_eq!(again.entries(CLIENTS).unwrap().len(), 2);
        assert_eq!(again.entries(ROLES).unwrap()[0]["acls"], json!([]));
        assert!(Mosquitto::parse("{").unwrap_err().contains("delete the file"));
    }

    /// What the access list lets a user read and write. A shared subscription is read by its topics.
    #[test]
    fn the_same_rights_as_the_access_list() {
        let mut listed: BTreeSet<(&str, &str, &str)> = BTreeSet::new();
        let mut user = "";
        for line in ACL.lines() {
            match line.split(' ').collect::<Vec<_>>()[..] {
                ["user", name] => user = name,
                ["topic", "readwrite", topic] => {
                    listed.extend([(user, "read", topic), (user, "write", topic)]);
                }
                ["topic", way, topic] => {
                    listed.insert((user, way, topic));
                }
                _ => assert!(line.is_empty() || line.starts_with('#'), "{line}"),
            }
        }
        let mut rights = BTreeSet::new();
        for Rights { role, publish, subscribe } in &RIGHTS {
            rights.extend(publish.iter().map(|topic| (*role, "write", *topic)));
            rights.extend(subscribe.iter().filter(|topic| !topic.ends_with("/witness")).map(
                |topic| (*role, "read", topic.strip_prefix("$share/influxdb/").unwrap_or(topic)),
            ));
        }
        assert_eq!(listed, rights);
    }
}
