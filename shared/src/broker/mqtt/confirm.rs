//! What a PUBACK means for an event, and for what is retained.

use rumqttc::v5::mqttbytes::v5::PubAckReason;

use crate::broker::PublishError;

/// An event is confirmed when somebody's session has taken it.
pub(super) fn event(reason: PubAckReason, topic: &str) -> Result<(), PublishError> {
    match reason {
        PubAckReason::NoMatchingSubscribers => Err(PublishError::Unavailable {
            why: format!("nobody is subscribed to {topic}: a broker throws such events away"),
        }),
        reason => retained(reason, topic),
    }
}

/// What is retained is confirmed when the broker has it, whoever listens.
pub(super) fn retained(reason: PubAckReason, topic: &str) -> Result<(), PublishError> {
    match reason {
        PubAckReason::Success | PubAckReason::NoMatchingSubscribers => Ok(()),
        PubAckReason::NotAuthorized => Err(PublishError::Unavailable {
            why: format!(
                "the broker's access list forbids the user of broker.mqtt.username to publish on {topic}"
            ),
        }),
        PubAckReason::TopicNameInvalid | PubAckReason::PayloadFormatInvalid => {
            Err(PublishError::Refused { why: format!("the broker says {reason:?} to {topic}") })
        }
        PubAckReason::UnspecifiedError
        | PubAckReason::ImplementationSpecificError
        | PubAckReason::PacketIdentifierInUse
        | PubAckReason::QuotaExceeded => {
            Err(PublishError::Unavailable { why: format!("the broker says {reason:?}") })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_that_nobody_takes_is_not_confirmed() {
        let reason = PubAckReason::NoMatchingSubscribers;
        assert!(matches!(event(reason, "t"), Err(PublishError::Unavailable { .. })));
        retained(reason, "t").unwrap();
    }

    #[test]
    fn a_forbidden_topic_may_be_allowed_later_and_a_wrong_one_never() {
        let forbidden = event(PubAckReason::NotAuthorized, "t");
        assert!(matches!(forbidden, Err(PublishError::Unavailable { why }) if why.contains('t')));
        let wrong = event(PubAckReason::TopicNameInvalid, "t");
        assert!(matches!(wrong, Err(PublishError::Refused { .. })));
    }
}
