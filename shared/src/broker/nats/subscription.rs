//! Hears what is published by plain subscriptions, which take nothing from anybody: no consumer is
//! made, and the stream keeps and deletes events as if nobody listened.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_nats::Subscriber;
use async_trait::async_trait;
use futures::StreamExt as _;
use futures::stream::{SelectAll, select_all};
use tokio_util::task::AbortOnDropHandle;

use super::Shared;
use crate::broker::subscription::{Ear, Listening, Room, Subscription};
use crate::event::Kind;
use crate::subject::Subject;

/// Begins to listen.
pub(super) fn subscribe(shared: Arc<Shared>, kinds: &[Kind], room: Room) -> Subscription {
    let (ear, subscription) = Subscription::open(room);
    let kinds = kinds.to_vec();
    let task = tokio::spawn(async move {
        // Without a client there will never be anything to hear.
        if let Ok(messages) = messages(&shared, &kinds).await {
            listen(&shared, &kinds, messages, &ear).await;
        }
    });
    subscription.kept_by(Task { _running: AbortOnDropHandle::new(task) })
}

/// The connection ends with the last handle to it, and the server notices.
struct Task {
    _running: AbortOnDropHandle<()>,
}

#[async_trait]
impl Listening for Task {}

/// Subscribes to each kind; the client asks for it again with each connection.
async fn messages(
    shared: &Shared,
    kinds: &[Kind],
) -> Result<SelectAll<Subscriber>, async_nats::SubscribeError> {
    let mut subscribers = Vec::new();
    for kind in kinds {
        subscribers.push(shared.link.client().subscribe(shared.layout.all_of(*kind)).await?);
    }
    Ok(select_all(subscribers))
}

async fn listen(shared: &Shared, kinds: &[Kind], mut messages: SelectAll<Subscriber>, ear: &Ear) {
    let mut refusals = shared.link.refusals();
    // Some may have come before this.
    refusals.mark_changed();
    loop {
        tokio::select! {
            message = messages.next() => {
                let Some(message) = message else { return };
                let subject = Subject::from_neutral(message.subject.replace('.', "/"));
                ear.hear(subject, message.payload);
            }
            Ok(()) = refusals.changed() => {
                let is_refused = |kind: &&Kind| shared.link.is_unheard(&shared.layout.all_of(**kind));
                let refused: BTreeSet<Kind> = kinds.iter().filter(is_refused).copied().collect();
                ear.may_not_hear(refused);
            }
        }
    }
}
