//! The predecessor's plain topics, for automations that read them: with each answer, as it was, at
//! the broker of `mqttConfig`.
//!
//! QoS 0 and not retained, as they always were. A broker that is away stops nothing: polls and
//! events go on, and when it is back it is told the newest values, not all that it missed.

mod text;

use std::collections::BTreeMap;
use std::sync::Arc;

use shared::announce::Announcer;
use shared::timestamp::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::latest::{LastAnswer, Latest, Said};

/// Publishes answers until `stop`.
pub(crate) async fn run(
    announcer: Arc<Announcer>,
    base_topic: String,
    latest: Arc<Latest>,
    stop: CancellationToken,
) {
    let mut changes = latest.changes();
    let mut published = Published::default();
    loop {
        for answer in published.news(latest.answers()) {
            publish(&announcer, &base_topic, &answer);
        }
        tokio::select! {
            () = stop.cancelled() => break,
            changed = changes.changed() => if changed.is_err() {
                // We hold what sends them.
                break;
            }
        }
    }
    announcer.close().await;
}

fn publish(announcer: &Announcer, base_topic: &str, answer: &LastAnswer) {
    match &answer.said {
        Said::Health(health) => {
            for (topic, value) in text::of_health(base_topic, health) {
                announcer.tell(topic, value, false);
            }
        }
        Said::Sessions(totals) => {
            if let Some(list) = &answer.session_list {
                let topic = text::topic_of_sessions(base_topic, totals);
                announcer.tell(topic, list.expose().to_owned(), false);
            }
        }
    }
}

/// Which answer of each endpoint was published.
#[derive(Debug, Default)]
struct Published(BTreeMap<(String, String, String), Timestamp>);

impl Published {
    /// The answers that were not; endpoints that are gone are forgotten.
    fn news(&mut self, answers: Vec<LastAnswer>) -> Vec<LastAnswer> {
        let before = std::mem::take(&mut self.0);
        let mut news = Vec::new();
        for answer in answers {
            let endpoint = endpoint(&answer.said);
            let time = answer.time;
            if before.get(&endpoint) != Some(&time) {
                news.push(answer);
            }
            self.0.insert(endpoint, time);
        }
        news
    }
}

fn endpoint(said: &Said) -> (String, String, String) {
    match said {
        Said::Health(health) => {
            (health.server.name.clone(), health.server.host.clone(), String::new())
        }
        Said::Sessions(totals) => {
            (totals.server.name.clone(), totals.host.clone(), totals.virtual_proxy.clone())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::latest::tests::sessions;

    fn answer(virtual_proxy: &str, nanos: i64) -> LastAnswer {
        let said = sessions("a", virtual_proxy, 1);
        LastAnswer::now(said, Timestamp::from_nanos(nanos), Duration::from_secs(1))
    }

    #[test]
    fn each_answer_is_news_once() {
        let mut published = Published::default();
        assert_eq!(published.news(vec![answer("/", 1), answer("/hdr", 1)]).len(), 2);
        assert_eq!(published.news(vec![answer("/", 1), answer("/hdr", 2)]).len(), 1);
        assert_eq!(published.news(vec![answer("/", 1)]).len(), 0);
        assert_eq!(published.news(vec![answer("/hdr", 2)]).len(), 1);
    }
}
