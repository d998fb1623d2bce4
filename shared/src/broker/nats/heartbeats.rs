//! Hears the heartbeats of all programs by a plain subscription, which takes nothing from anybody.

use std::sync::Arc;

use futures::StreamExt as _;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::Shared;
use crate::broker::HeartbeatSubscription;

/// Begins to listen; what does not fit into the subscription is not heard.
pub(super) fn subscribe(shared: Arc<Shared>) -> HeartbeatSubscription {
    let (heard, received) = mpsc::channel(HeartbeatSubscription::ROOM);
    let listening = tokio::spawn(async move {
        let client = shared.link.client();
        // Asked for again by the client with each connection.
        let Ok(mut messages) = client.subscribe(shared.layout.heartbeats()).await else { return };
        while let Some(message) = messages.next().await {
            let _full = heard.try_send(message.payload);
        }
    });
    HeartbeatSubscription::new(received, AbortOnDropHandle::new(listening))
}
