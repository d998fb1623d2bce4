//! From a message of the server to a delivery and its place in the stream.

use async_nats::{Message, Subject as Reply};
use bytes::Bytes;

use crate::subject::Subject;

/// A delivery as the server made it.
#[derive(Debug)]
pub(super) struct Arrival {
    pub(super) subject: Subject,
    pub(super) payload: Bytes,
    pub(super) redelivered: bool,
    pub(super) place: Place,
}

/// Where a delivery lies in the stream, and how it is acked.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) reply: Reply,
    pub(super) sequence: u64,
    /// When the stream took it, in nanoseconds: with the sequence, what no other event has.
    pub(super) published: i128,
}

/// What the reply subject of a delivery begins with.
const ACK_PREFIX: &str = "$JS.ACK.";
/// Tokens after the prefix, as servers since 2.2 send them.
const TOKENS: usize = 7;
/// Tokens before those, where a server names its domain and account too.
const DOMAIN_TOKENS: usize = 2;

/// The delivery in a message; none when the message is about something else.
///
/// Who publishes may put any status into a message, so the reply subject alone tells.
pub(super) fn arrival_of(message: &Message) -> Option<Arrival> {
    let reply = message.reply.as_ref()?;
    let (deliveries, sequence, published) = parse(reply)?;
    Some(Arrival {
        subject: Subject::from_neutral(message.subject.replace('.', "/")),
        payload: message.payload.clone(),
        redelivered: deliveries > 1,
        place: Place { reply: reply.clone(), sequence, published },
    })
}

/// How often it was delivered, its sequence in the stream and when the stream took it, from
/// `$JS.ACK.[<domain>.<account>.]<stream>.<consumer>.<delivered>.<stream sequence>.<consumer
/// sequence>.<time>.<pending>[.<more>]`.
fn parse(reply: &str) -> Option<(u64, u64, i128)> {
    let tokens = reply.strip_prefix(ACK_PREFIX)?;
    let with_domain = tokens.split('.').count() >= TOKENS + DOMAIN_TOKENS;
    let mut tokens = tokens.split('.').skip(if with_domain { DOMAIN_TOKENS } else { 0 });
    let deliveries = tokens.nth(2)?.parse().ok()?;
    let sequence = tokens.next()?.parse().ok()?;
    let published = tokens.nth(1)?.parse().ok()?;
    Some((deliveries, sequence, published))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_the_reply_subject() {
        let plain = "$JS.ACK.QLIKSENSE.influxdb.3.100.7.1790230470084404000.42";
        assert_eq!(parse(plain), Some((3, 100, 1_790_230_470_084_404_000)));
        let with_domain = "$JS.ACK.hub.szMpdrwD.QLIKSENSE.influxdb.2.50.9.1790230470084404000.0";
        assert_eq!(parse(with_domain), Some((2, 50, 1_790_230_470_084_404_000)));
        let with_more = format!("{with_domain}.rand.future");
        assert_eq!(parse(&with_more), parse(with_domain));
        for other in
            ["_INBOX.a.1", "$JS.ACK.S.C.1.2", "$JS.ACK.S.C.x.1.1.1.0", "$JS.FC.S.C.1.1.1.1.1"]
        {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
