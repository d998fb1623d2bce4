//! Why a connection is not there, in words for the person who can change it.

use rumqttc::{ConnectReturnCode, ConnectionError, StateError};

/// Who speaks to which broker, for messages: never a user name, never a secret.
#[derive(Clone, Debug)]
pub(super) struct Names {
    /// Host and port.
    pub(super) address: String,
    /// The section with `username`, `password` and `tls`.
    pub(super) section: &'static str,
}

/// The broker closed the connection, or it broke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) why: String,
    /// The broker closed the connection without a reason, which MQTT 3.1.1 has no place for.
    pub(super) is_closed: bool,
}

impl Failure {
    pub(super) fn new(why: impl Into<String>) -> Self {
        Self { why: why.into(), is_closed: false }
    }

    fn closed(names: &Names) -> Self {
        let why = format!("the broker at {} closed the connection", names.address);
        Self { why, is_closed: true }
    }

    /// What the client library says.
    pub(super) fn of(names: &Names, error: &ConnectionError) -> Self {
        let Names { address, section } = names;
        match error {
            ConnectionError::Io(error) => Self::new(format!("{address} does not answer: {error}")),
            ConnectionError::NetworkTimeout | ConnectionError::FlushTimeout => {
                Self::new(format!("{address} does not answer as an MQTT broker in time"))
            }
            ConnectionError::Tls(error) => Self::new(format!(
                "TLS with {address} failed: {error}; see {section}.tls and the broker's certificate"
            )),
            ConnectionError::ConnectionRefused(code) => Self::refused(names, *code),
            ConnectionError::NotConnAck(_) => {
                Self::new(format!("{address} does not speak MQTT 3.1.1 as it should"))
            }
            ConnectionError::MqttState(StateError::ConnectionAborted | StateError::Io(_)) => {
                Self::closed(names)
            }
            ConnectionError::MqttState(StateError::AwaitPingResp) => {
                Self::new(format!("the broker at {address} does not answer pings any more"))
            }
            ConnectionError::MqttState(error) => {
                Self::new(format!("the connection to {address} broke: {error}"))
            }
            ConnectionError::RequestsDone => Self::new("the connection was given up"),
        }
    }

    fn refused(Names { address, section }: &Names, code: ConnectReturnCode) -> Self {
        Self::new(match code {
            ConnectReturnCode::BadUserNamePassword | ConnectReturnCode::NotAuthorized => format!(
                "the broker at {address} refuses the user name or the password: check \
                 {section}.username and {section}.password"
            ),
            ConnectReturnCode::RefusedProtocolVersion => {
                format!("the broker at {address} does not speak MQTT 3.1.1")
            }
            other => format!("the broker at {address} refuses the connection: {other:?}"),
        })
    }

    /// For a connection that was closed soon after it was made, again and again.
    pub(super) fn flapping(self, client_id: &str, section: &str) -> Self {
        let Self { why, is_closed } = self;
        let why = format!(
            "{why}, again and again soon after it was made: does another program use the client id \
             {client_id} (each needs an instance name of its own)? Or may the user of \
             {section}.username not publish or subscribe what this program does, or is a message \
             too large for the broker? The broker's log tells"
        );
        Self { why, is_closed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_names_the_keys() {
        let names = Names { address: "broker:1883".to_owned(), section: "collector.example" };
        for code in [ConnectReturnCode::BadUserNamePassword, ConnectReturnCode::NotAuthorized] {
            let failure = Failure::of(&names, &ConnectionError::ConnectionRefused(code));
            assert!(failure.why.contains("broker:1883"), "{}", failure.why);
            assert!(failure.why.contains("collector.example.password"), "{}", failure.why);
        }
        let closed = ConnectionError::MqttState(StateError::ConnectionAborted);
        let closed = Failure::of(&names, &closed);
        assert!(closed.is_closed);
        let flapping = closed.flapping("qliksense-a", names.section);
        assert!(flapping.why.contains("qliksense-a") && flapping.is_closed, "{}", flapping.why);
    }
}
