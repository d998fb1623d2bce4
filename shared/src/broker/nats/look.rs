//! A look at the server for `footman doctor`: what is there, and how it differs from what the
//! programs want. Nothing is made and nothing is changed.

use std::time::Duration;

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::ConsumerInfoErrorKind;
use async_nats::jetstream::stream::{self, DiscardPolicy, RetentionPolicy, StorageType};
use bytes::Bytes;
use serde_json::Value;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::connect::{self, ConnectError};
use super::difference::{self, Difference};
use super::layout::Layout;
use super::link::{Link, Unanswered};
use super::settings::NatsSettings;
use super::standing::Standing;
use super::streams::{Unseen, look_at};
use crate::config;
use crate::readiness::Readiness;

/// How long after the first failure other servers of the list may still answer.
const OTHERS: Duration = Duration::from_millis(700);
/// Time between two looks at how the connection stands.
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);
const BROKER: &str = "broker";

/// What a server has.
#[derive(Clone, Debug)]
pub struct Sight {
    /// The server's own name, or its identity.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its cluster, when it belongs to one.
    pub cluster: Option<String>,
    /// The largest message that it takes, in bytes.
    pub max_payload: usize,
    /// What JetStream may keep for this account.
    pub account: Looked<Account>,
    /// The stream of events.
    pub events: Looked<Stream>,
    /// The stream of dead letters.
    pub dead_letters: Looked<Stream>,
    /// The consumer of the group.
    pub consumer: Looked<Consumer>,
}

/// What a question to the server came to.
#[derive(Clone, Debug)]
pub enum Looked<T> {
    /// It is there.
    There(T),
    /// It is not there.
    Missing,
    /// This user may not ask; the subject on which the question is published.
    Forbidden(String),
    /// There was no answer that can be used.
    Failed(String),
}

/// What JetStream keeps for an account.
#[derive(Clone, Copy, Debug)]
pub struct Account {
    /// Bytes on disk that are used.
    pub used: u64,
    /// Bytes on disk that may be used; none without a limit.
    pub limit: Option<u64>,
}

/// A stream at the server.
#[derive(Clone, Debug)]
pub struct Stream {
    /// Its name.
    pub name: String,
    /// Whether it is kept on disk.
    pub on_disk: bool,
    /// How many servers are to keep it.
    pub replicas: usize,
    /// How many of them, the leader among them, have all of it now.
    pub current: usize,
    /// Whether messages are deleted as they are acked.
    pub work_queue: bool,
    /// Whether a full stream refuses what is new, rather than dropping what is old.
    pub refuses_when_full: bool,
    /// Bytes that it may take; none without a limit.
    pub max_bytes: Option<u64>,
    /// How long a message stays; none for ever.
    pub max_age: Option<Duration>,
    /// Bytes that it has.
    pub bytes: u64,
    /// Messages that it has.
    pub messages: u64,
    /// What is not as the programs would make it.
    pub differences: Vec<Difference>,
}

/// A group's consumer at the server.
#[derive(Clone, Debug)]
pub struct Consumer {
    /// Messages that wait for a delivery.
    pub waiting: u64,
    /// Deliveries that nobody has acked yet.
    pub unacked: usize,
    /// Fetches that wait for messages: writers that are there.
    pub fetching: usize,
    /// What is not as the programs would make it.
    pub differences: Vec<Difference>,
}

/// Why there is nothing to see.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// Files or addresses that no server can make up for.
    #[error(transparent)]
    Settings(#[from] ConnectError),
    /// No server let us in.
    #[error("{why}")]
    Unreachable {
        /// What the servers said, without secrets.
        why: String,
    },
}

/// Connects, looks, and leaves; each answer may take as long as `settings.timing` says, and the
/// connection as long as `patience`.
pub async fn look(
    config: &config::Nats,
    settings: &NatsSettings,
    group: &str,
    patience: Duration,
) -> Result<Sight, LookError> {
    let readiness = Readiness::default();
    let standing = std::sync::Arc::new(Standing::new(readiness.dependency(BROKER)));
    let ended = CancellationToken::new();
    let _ends_with_this = ended.clone().drop_guard();
    let link = connect::link(config, settings, &standing, &ended).await?;
    connected(&link, &readiness, patience).await?;
    let layout = Layout::new(config, settings);
    let server = link.client().server_info();
    let (wanted, wanted_dead) = (layout.events(), layout.dead_letters());
    let (account, events, dead_letters, consumer) = tokio::join!(
        account(&link),
        stream(&link, &wanted),
        stream(&link, &wanted_dead),
        consumer(&link, &layout, group)
    );
    Ok(Sight {
        name: if server.server_name.is_empty() { server.server_id } else { server.server_name },
        version: server.version,
        cluster: server.cluster.filter(|name| !name.is_empty()),
        max_payload: server.max_payload,
        account,
        events,
        dead_letters,
        consumer,
    })
}

/// Waits for a connection, or for the reason why there is none.
async fn connected(
    link: &Link,
    readiness: &Readiness,
    patience: Duration,
) -> Result<(), LookError> {
    let began = Instant::now();
    let untold = why_not(readiness);
    let mut failed = None;
    loop {
        if link.is_connected() {
            return Ok(());
        }
        let why = why_not(readiness);
        if failed.is_none() && why != untold {
            failed = Some(Instant::now());
        }
        let over = began.elapsed() >= patience
            || failed.is_some_and(|failed: Instant| failed.elapsed() >= OTHERS);
        if over {
            let why = match failed {
                Some(_) => why.unwrap_or_default(),
                None => {
                    format!("no answer from {} within {:?}", link.addresses(), began.elapsed())
                }
            };
            return Err(LookError::Unreachable { why });
        }
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
}

fn why_not(readiness: &Readiness) -> Option<String> {
    readiness.report().dependencies.get(BROKER).and_then(|broker| broker.why.clone())
}

/// Read by hand, since the client does not understand what a 2.9 server says here.
async fn account(link: &Link) -> Looked<Account> {
    let subject = "$JS.API.INFO";
    match link.ask(subject, link.client().request(subject, Bytes::new())).await {
        Ok(answer) => account_of(&answer.payload),
        Err(Unanswered::Denied) => Looked::Forbidden(subject.to_owned()),
        Err(unanswered) => Looked::Failed(unanswered.words(subject)),
    }
}

fn account_of(payload: &[u8]) -> Looked<Account> {
    let said: Value = serde_json::from_slice(payload).unwrap_or_default();
    let Some(used) = said.get("storage").and_then(Value::as_u64) else {
        let why = said.pointer("/error/description").and_then(Value::as_str);
        return Looked::Failed(why.unwrap_or("the server answers something else").to_owned());
    };
    // Without a limit it is -1, and 0 where limits are those of tiers.
    let limit = said.pointer("/limits/max_storage").and_then(Value::as_u64);
    Looked::There(Account { used, limit: limit.filter(|limit| *limit > 0) })
}

async fn stream(link: &Link, wanted: &stream::Config) -> Looked<Stream> {
    match look_at(link, &wanted.name).await {
        Ok(info) => Looked::There(seen(&info, wanted)),
        Err(Unseen::Missing) => Looked::Missing,
        Err(Unseen::Denied) => Looked::Forbidden(format!("$JS.API.STREAM.INFO.{}", wanted.name)),
        Err(Unseen::Disconnected) => Looked::Failed("the connection was lost".to_owned()),
        Err(Unseen::Failed(why)) => Looked::Failed(why),
    }
}

fn seen(info: &stream::Info, wanted: &stream::Config) -> Stream {
    let config = &info.config;
    let followers = info.cluster.iter().flat_map(|cluster| &cluster.replicas);
    Stream {
        name: config.name.clone(),
        on_disk: config.storage == StorageType::File,
        replicas: config.num_replicas,
        current: 1 + followers.filter(|peer| peer.current && !peer.offline).count(),
        work_queue: config.retention == RetentionPolicy::WorkQueue,
        refuses_when_full: config.discard == DiscardPolicy::New,
        max_bytes: u64::try_from(config.max_bytes).ok(),
        max_age: Some(config.max_age).filter(|age| !age.is_zero()),
        bytes: info.state.bytes,
        messages: info.state.messages,
        differences: difference::of_stream(config, wanted),
    }
}

async fn consumer(link: &Link, layout: &Layout, group: &str) -> Looked<Consumer> {
    let subject = format!("$JS.API.CONSUMER.INFO.{}.{group}", layout.stream);
    let question = async {
        match link.jetstream().get_stream_no_info(&layout.stream).await {
            Ok(stream) => stream.consumer_info(group).await,
            Err(_invalid_name) => Err(ConsumerInfoErrorKind::InvalidName.into()),
        }
    };
    match link.ask(&subject, question).await {
        Ok(info) => Looked::There(Consumer {
            waiting: info.num_pending,
            unacked: info.num_ack_pending,
            fetching: info.num_waiting,
            differences: difference::of_consumer(group, &info.config, &layout.consumer(group)),
        }),
        Err(Unanswered::Denied) => Looked::Forbidden(subject),
        Err(Unanswered::Failed(error)) => match error.kind() {
            ConsumerInfoErrorKind::NotFound | ConsumerInfoErrorKind::StreamNotFound => {
                Looked::Missing
            }
            ConsumerInfoErrorKind::JetStream(refusal)
                if refusal.error_code() == ErrorCode::CONSUMER_NOT_FOUND =>
            {
                Looked::Missing
            }
            _ => Looked::Failed(error.to_string()),
        },
        Err(unanswered @ (Unanswered::Disconnected | Unanswered::Deaf(_))) => {
            Looked::Failed(unanswered.words(&subject))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_with_and_without_a_limit() {
        let account = |text: &str| match account_of(text.as_bytes()) {
            Looked::There(Account { used, limit }) => Ok((used, limit)),
            other => Err(format!("{other:?}")),
        };
        assert_eq!(account(r#"{"storage":7,"limits":{"max_storage":-1}}"#), Ok((7, None)));
        assert_eq!(account(r#"{"storage":7,"limits":{"max_storage":9}}"#), Ok((7, Some(9))));
        let refused = r#"{"error":{"code":503,"description":"JetStream not enabled"}}"#;
        assert!(account(refused).unwrap_err().contains("not enabled"));
        assert!(account("x").is_err());
    }
}
