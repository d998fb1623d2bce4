//! What a stream or a consumer at the server has that was not asked for.

use std::fmt::{self, Debug, Display};

use async_nats::jetstream::consumer::{self, pull};
use async_nats::jetstream::stream;

/// A setting that is not the one asked for. It is reported, never changed: somebody may have
/// chosen it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The stream or consumer.
    pub object: String,
    /// The setting, as the server names it.
    pub setting: &'static str,
    /// What the server has.
    pub found: String,
    /// What was asked for.
    pub wanted: String,
}

impl Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { object, setting, found, wanted } = self;
        write!(f, "{object} has {setting} {found} where Footman wants {wanted}")
    }
}

/// Collects the differences of one stream or consumer.
struct Comparison {
    object: String,
    differences: Vec<Difference>,
}

impl Comparison {
    fn of(object: String) -> Self {
        Self { object, differences: Vec::new() }
    }

    fn compare<T: Debug + PartialEq>(&mut self, setting: &'static str, found: &T, wanted: &T) {
        if found != wanted {
            self.differences.push(Difference {
                object: self.object.clone(),
                setting,
                found: format!("{found:?}"),
                wanted: format!("{wanted:?}"),
            });
        }
    }
}

/// The differences of a stream.
pub(super) fn of_stream(found: &stream::Config, wanted: &stream::Config) -> Vec<Difference> {
    let mut comparison = Comparison::of(format!("the stream {}", wanted.name));
    let sorted = |subjects: &[String]| {
        let mut subjects = subjects.to_vec();
        subjects.sort();
        subjects
    };
    comparison.compare("subjects", &sorted(&found.subjects), &sorted(&wanted.subjects));
    comparison.compare("retention", &found.retention, &wanted.retention);
    comparison.compare("storage", &found.storage, &wanted.storage);
    comparison.compare("discard", &found.discard, &wanted.discard);
    comparison.compare("max_bytes", &found.max_bytes, &wanted.max_bytes);
    comparison.compare("max_age", &found.max_age, &wanted.max_age);
    comparison.compare("num_replicas", &found.num_replicas, &wanted.num_replicas);
    comparison.compare("duplicate_window", &found.duplicate_window, &wanted.duplicate_window);
    comparison.compare("max_msgs", &found.max_messages, &wanted.max_messages);
    let per_subject = (&found.max_messages_per_subject, &wanted.max_messages_per_subject);
    comparison.compare("max_msgs_per_subject", per_subject.0, per_subject.1);
    let per_subject = (&found.discard_new_per_subject, &wanted.discard_new_per_subject);
    comparison.compare("discard_new_per_subject", per_subject.0, per_subject.1);
    comparison.compare("max_msg_size", &found.max_message_size, &wanted.max_message_size);
    comparison.compare("no_ack", &found.no_ack, &wanted.no_ack);
    comparison.compare("sealed", &found.sealed, &wanted.sealed);
    comparison.compare("mirror", &found.mirror.is_some(), &false);
    comparison.differences
}

/// The differences of a group's consumer.
pub(super) fn of_consumer(
    group: &str,
    found: &consumer::Config,
    wanted: &pull::Config,
) -> Vec<Difference> {
    let mut comparison = Comparison::of(format!("the consumer {group}"));
    comparison.compare("deliver_subject", &found.deliver_subject, &None);
    comparison.compare("deliver_policy", &found.deliver_policy, &wanted.deliver_policy);
    comparison.compare("ack_policy", &found.ack_policy, &wanted.ack_policy);
    comparison.compare("ack_wait", &found.ack_wait, &wanted.ack_wait);
    comparison.compare("max_deliver", &found.max_deliver, &wanted.max_deliver);
    comparison.compare("max_ack_pending", &found.max_ack_pending, &wanted.max_ack_pending);
    comparison.compare("filter_subject", &found.filter_subject, &wanted.filter_subject);
    comparison.compare("headers_only", &found.headers_only, &wanted.headers_only);
    comparison.compare("max_batch", &found.max_batch, &wanted.max_batch);
    comparison.compare("max_expires", &found.max_expires, &wanted.max_expires);
    comparison.compare("backoff", &found.backoff, &wanted.backoff);
    comparison.compare("mem_storage", &found.memory_storage, &wanted.memory_storage);
    comparison.differences
}
