//! Why a connection is not there, in words for the person who can change it.

use rumqttc::v5::mqttbytes::Error as PacketError;
use rumqttc::v5::mqttbytes::v5::{ConnectReturnCode, DisconnectReasonCode};
use rumqttc::v5::{ConnectionError, StateError};

/// The reason code of a packet that is too large, which the client library does not know in a
/// PUBACK: the connection ends with it, and would again with every repetition.
const PACKET_TOO_LARGE: u8 = 0x95;

/// Why a connection ended, or did not begin. Holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) why: String,
    pub(super) cause: Cause,
}

/// What differs in the handling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// Something that was published is larger than the broker allows.
    TooLarge,
    /// The broker closed the connection without a reason.
    Closed,
    /// Everything else.
    Other,
}

impl Failure {
    pub(super) fn new(why: impl Into<String>) -> Self {
        Self { why: why.into(), cause: Cause::Other }
    }

    /// What the client library says about the broker at `address`.
    pub(super) fn of(address: &str, error: &ConnectionError) -> Self {
        match error {
            ConnectionError::Io(error) => Self::new(format!("{address} does not answer: {error}")),
            ConnectionError::Timeout(_) => {
                Self::new(format!("{address} does not answer as an MQTT broker in time"))
            }
            ConnectionError::Tls(error) => Self::new(format!(
                "TLS with {address} failed: {error}; see broker.mqtt.tls and the broker's \
                 certificate"
            )),
            ConnectionError::ConnectionRefused(code) => Self::refused(address, *code),
            ConnectionError::NotConnAck(_) => {
                Self::new(format!("{address} does not speak MQTT 5 as it should"))
            }
            ConnectionError::MqttState(error) => Self::of_state(address, error),
            ConnectionError::RequestsDone => Self::new("the connection was given up"),
        }
    }

    fn refused(address: &str, code: ConnectReturnCode) -> Self {
        Self::new(match code {
            ConnectReturnCode::BadUserNamePassword | ConnectReturnCode::NotAuthorized => format!(
                "the broker at {address} refuses the user name or the password: check \
                 broker.mqtt.username and broker.mqtt.password"
            ),
            ConnectReturnCode::UnsupportedProtocolVersion
            | ConnectReturnCode::RefusedProtocolVersion => {
                format!("the broker at {address} does not speak MQTT 5")
            }
            other => format!("the broker at {address} refuses the connection: {other:?}"),
        })
    }

    fn of_state(address: &str, error: &StateError) -> Self {
        match error {
            StateError::ConnectionAborted => Self::closed(address),
            StateError::Deserialization(PacketError::Io(_)) | StateError::Io(_) => {
                Self::closed(address)
            }
            StateError::Deserialization(PacketError::InvalidConnectReturnCode(
                PACKET_TOO_LARGE,
            ))
            | StateError::ServerDisconnect {
                reason_code: DisconnectReasonCode::PacketTooLarge,
                ..
            } => Self {
                why: format!("the broker at {address} takes no event that large"),
                cause: Cause::TooLarge,
            },
            StateError::ServerDisconnect {
                reason_code: DisconnectReasonCode::SessionTakenOver,
                ..
            } => Self::new(format!(
                "another program connected to {address} with the same client id: each program \
                 needs an instance name of its own"
            )),
            StateError::ServerDisconnect { reason_code, .. } => {
                Self::new(format!("the broker at {address} ended the connection: {reason_code:?}"))
            }
            StateError::AwaitPingResp => {
                Self::new(format!("the broker at {address} does not answer pings any more"))
            }
            other => Self::new(format!("the connection to {address} broke: {other}")),
        }
    }

    fn closed(address: &str) -> Self {
        Self { why: format!("the broker at {address} closed the connection"), cause: Cause::Closed }
    }

    /// For a connection that was closed after something published on it was not allowed.
    pub(super) fn forbidden(address: &str) -> Self {
        Self::new(format!(
            "the access list of the broker at {address} forbids the user of broker.mqtt.username to \
             publish what this program publishes, and the connection was closed: does the program \
             have the user of its role? The broker's log has the topic"
        ))
    }

    /// The same, for a connection that was closed soon after it was made, again and again.
    pub(super) fn flapping(self, client_id: &str) -> Self {
        let Self { why, cause } = self;
        let why = format!(
            "{why}, again and again soon after it was made: does another program use the client id \
             {client_id}? Each program needs an instance name, each group its slots, of its own. Or \
             may the user of broker.mqtt.username not publish what this program does? The broker's \
             log tells"
        );
        Self { why, cause }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESS: &str = "broker:1883";

    #[test]
    fn credentials_that_are_refused_name_their_keys() {
        for code in [ConnectReturnCode::BadUserNamePassword, ConnectReturnCode::NotAuthorized] {
            let failure = Failure::of(ADDRESS, &ConnectionError::ConnectionRefused(code));
            assert!(failure.why.contains(ADDRESS), "{}", failure.why);
            assert!(failure.why.contains("broker.mqtt.password"), "{}", failure.why);
        }
    }

    #[test]
    fn a_packet_that_is_too_large_is_recognised_in_both_forms() {
        let unknown = PacketError::InvalidConnectReturnCode(PACKET_TOO_LARGE);
        let disconnect = StateError::ServerDisconnect {
            reason_code: DisconnectReasonCode::PacketTooLarge,
            reason_string: None,
        };
        for error in [StateError::Deserialization(unknown), disconnect] {
            let failure = Failure::of(ADDRESS, &ConnectionError::MqttState(error));
            assert_eq!(failure.cause, Cause::TooLarge);
        }
    }

    #[test]
    fn a_client_id_used_twice_is_said() {
        let failure =
            Failure::of(ADDRESS, &ConnectionError::MqttState(StateError::ConnectionAborted));
        assert_eq!(failure.cause, Cause::Closed);
        assert!(failure.flapping("qliksense-g-slot-0").why.contains("qliksense-g-slot-0"));
    }
}
