//! What the broker says to a subscription.

use rumqttc::v5::mqttbytes::v5::{SubAck, SubscribeReasonCode};

use super::failure::Failure;

/// A subscription stands when every filter of it was granted.
pub(super) fn check(suback: &SubAck, what: &str) -> Result<(), Failure> {
    let refused =
        suback.return_codes.iter().find(|code| !matches!(code, SubscribeReasonCode::Success(_)));
    match refused {
        None => Ok(()),
        Some(SubscribeReasonCode::NotAuthorized) => Err(Failure::new(format!(
            "the broker's access list forbids the user of broker.mqtt.username to subscribe to {what}"
        ))),
        Some(SubscribeReasonCode::SharedSubscriptionsNotSupported) => {
            Err(Failure::new("the broker has no shared subscriptions, which writers need"))
        }
        Some(code) => {
            Err(Failure::new(format!("the broker refuses the subscription to {what}: {code:?}")))
        }
    }
}
