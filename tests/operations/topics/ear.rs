//! A client that hears everything, and says what a test has it say.

use bytes::Bytes;
use integration_tests::patience::PATIENCE;
use serde_json::Value;
use shared::announce::{Address, Announcer, AnnouncerSettings, Will};
use shared::config::Tls;
use tokio::time::Instant;
use ulid::Ulid;

/// One connection to a broker of MQTT, and what it has heard so far.
pub(crate) struct Ear {
    pub(crate) client: Announcer,
    heard: Vec<(String, Bytes)>,
}

impl Ear {
    /// Hears all topics of the broker at a port, retained ones first.
    pub(crate) fn at(port: u16) -> Self {
        Self::with_will(port, None)
    }

    /// The same, and the broker says something when the connection breaks.
    pub(crate) fn with_will(port: u16, will: Option<(&str, &'static str)>) -> Self {
        let client = Announcer::start(AnnouncerSettings {
            name: "test",
            section: "test",
            address: Address { host: "127.0.0.1".to_owned(), port, is_tls: false },
            username: None,
            password: None,
            tls: Tls::default(),
            client_id: format!("ear-{}", Ulid::generate()),
            will: will.map(|(topic, says)| Will {
                topic: topic.to_owned(),
                online: Bytes::from_static(b"online"),
                offline: Bytes::from_static(says.as_bytes()),
            }),
            listens_to: vec!["#".to_owned()],
        });
        Self { client, heard: Vec::new() }
    }

    /// Waits until a message comes of which `wanted` makes something.
    pub(crate) async fn until<T>(
        &mut self,
        what: &str,
        mut wanted: impl FnMut(&str, &[u8]) -> Option<T>,
    ) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let next = tokio::time::timeout_at(deadline, self.client.heard()).await;
            let Ok(Some((topic, payload))) = next else {
                let topics: Vec<_> = self.heard.iter().map(|(topic, _)| topic).collect();
                panic!("waited {PATIENCE:?} in vain for: {what}; heard {topics:?}")
            };
            let found = wanted(&topic, &payload);
            self.heard.push((topic, payload));
            if let Some(found) = found {
                return found;
            }
        }
    }

    /// Waits for this payload on a topic.
    pub(crate) async fn text(&mut self, topic: &str, payload: &str) {
        let what = format!("{payload:?} on {topic}");
        self.until(&what, |heard, said| {
            (heard == topic && said == payload.as_bytes()).then_some(())
        })
        .await;
    }

    /// Waits for a JSON object on a topic that is as wanted.
    pub(crate) async fn json(&mut self, topic: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        self.until(topic, |heard, said| {
            let said = serde_json::from_slice(said).ok().filter(|_| heard == topic)?;
            wanted(&said).then_some(said)
        })
        .await
    }

    /// Everything that came on a topic, as text.
    pub(crate) fn heard(&self, topic: &str) -> Vec<String> {
        let payloads = self.heard.iter().filter(|(heard, _)| heard == topic);
        payloads.map(|(_, payload)| String::from_utf8_lossy(payload).into_owned()).collect()
    }

    /// Everything that came, as text.
    pub(crate) fn everything(&self) -> String {
        let line = |(topic, said): &(String, Bytes)| {
            [topic.as_str(), " ", &String::from_utf8_lossy(said)].concat()
        };
        self.heard.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    /// All topics that were heard.
    pub(crate) fn topics(&self) -> Vec<&str> {
        self.heard.iter().map(|(topic, _)| topic.as_str()).collect()
    }
}
