//! What to do about an attempt to connect that failed: the client's words name the fault, these the
//! key to look at.

/// Servers of different ages complain about a missing certificate in either way.
const CLIENT_CERTIFICATE: &str = "the server wants a client certificate that it accepts: \
                                  broker.nats.tls.cert and broker.nats.tls.key";

/// Parts of the client's words, and the next step.
const HINTS: [(&str, &str); 8] = [
    (
        "authorization violation",
        "check broker.nats.username and broker.nats.password, or broker.nats.credentialsFile",
    ),
    ("failed signing nonce", "check the file broker.nats.credentialsFile"),
    ("UnknownIssuer", "the file broker.nats.tls.ca has to hold the server's authority"),
    (
        "BadSignature",
        "broker.nats.tls.ca names an authority of the same name that did not sign the server's \
         certificate",
    ),
    ("NotValidForName", "broker.nats.servers has to name the server as its certificate does"),
    ("Expired", "the server's certificate has to be renewed, or the clocks differ"),
    ("CertificateRequired", CLIENT_CERTIFICATE),
    ("BadCertificate", CLIENT_CERTIFICATE),
];

/// The words of a failure, with the next step where there is one.
pub(super) fn with_hint(failure: &str) -> String {
    // The client calls everything below it an IO error.
    let failure = failure.strip_prefix("IO error: ").unwrap_or(failure);
    match HINTS.iter().find(|(part, _)| failure.contains(part)) {
        Some((_, step)) => format!("{failure} ({step})"),
        None => failure.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_with_a_next_step_have_it() {
        let shown = with_hint("IO error: invalid peer certificate: UnknownIssuer");
        assert!(shown.starts_with("invalid peer certificate: UnknownIssuer (the file broker."));
        assert_eq!(with_hint("timed out"), "timed out");
    }
}
