//! What can go wrong with an endpoint, by order.
//!
//! A fault is set on one endpoint of one server while the site runs, and connections that are already open feel it too.
//! What an endpoint says *wrongly by nature* is an [`Oddity`](crate::Oddity); a fault is what keeps a poll from succeeding.

use std::{fmt, str::FromStr};

use serde::{Serialize, Serializer};

use crate::endpoint::UnknownName;

/// The failing of one endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The listening socket is closed, and so is every open connection: the service is stopped.
    Refused,
    /// New connections, and open ones at their next request, end with a TCP reset.
    Reset,
    /// The request is read and never answered.
    Hang,
    /// The connection is accepted and not a byte is ever sent, not even of TLS.
    HangInHandshake,
    /// The right answer, one byte each [`SLOW_DRIP_PAUSE`](crate::SLOW_DRIP_PAUSE).
    SlowDrip,
    /// An error status with the text that Qlik Sense sends with it.
    Status(u16),
    /// A redirect to itself without end, as a proxy does that wants a login.
    Redirect,
    /// The login page as HTML, with status 200.
    LoginPage,
    /// The first half of the JSON as a complete HTTP answer.
    TruncatedJson,
    /// Sound JSON that is not what was asked for.
    WrongJson,
    /// Status 200 and no byte.
    EmptyBody,
    /// The connection is closed in the middle of the body that was announced.
    CutShort,
    /// The right answer followed by white space, [`HUGE_ANSWER_BYTES`](crate::HUGE_ANSWER_BYTES) in all.
    Huge,
    /// The server shows a certificate that has expired.
    ExpiredCertificate,
    /// The server shows a certificate that is not valid yet, as one made by a machine whose clock is ahead.
    FutureCertificate,
    /// The server shows a certificate of another site's authority (root.pem of the wrong site).
    OtherAuthority,
    /// The server shows a certificate of an authority with the right name and another key, as after a new installation.
    SameNameAuthority,
    /// The server shows a certificate for another host name.
    OtherName,
    /// The server shows a certificate for its short machine name, as some sites do.
    ShortName,
    /// The server shows a certificate without alternative names, as very old sites do.
    CommonNameOnly,
}

impl Fault {
    /// The faults that need no number, and the statuses that Qlik Sense is known to answer.
    pub const ALL: [Fault; 25] = [
        Fault::Refused,
        Fault::Reset,
        Fault::Hang,
        Fault::HangInHandshake,
        Fault::SlowDrip,
        Fault::Status(401),
        Fault::Status(403),
        Fault::Status(404),
        Fault::Status(429),
        Fault::Status(500),
        Fault::Status(503),
        Fault::Redirect,
        Fault::LoginPage,
        Fault::TruncatedJson,
        Fault::WrongJson,
        Fault::EmptyBody,
        Fault::CutShort,
        Fault::Huge,
        Fault::ExpiredCertificate,
        Fault::FutureCertificate,
        Fault::OtherAuthority,
        Fault::SameNameAuthority,
        Fault::OtherName,
        Fault::ShortName,
        Fault::CommonNameOnly,
    ];

    /// Whether the fault shows in the certificate, that is in new connections alone.
    ///
    /// Setting or clearing such a fault closes the open connections of the endpoint.
    pub fn is_of_certificate(self) -> bool {
        matches!(
            self,
            Fault::ExpiredCertificate
                | Fault::FutureCertificate
                | Fault::OtherAuthority
                | Fault::SameNameAuthority
                | Fault::OtherName
                | Fault::ShortName
                | Fault::CommonNameOnly
        )
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Fault::Refused => "refused",
            Fault::Reset => "reset",
            Fault::Hang => "hang",
            Fault::HangInHandshake => "hang-in-handshake",
            Fault::SlowDrip => "slow-drip",
            Fault::Status(status) => return write!(f, "{status}"),
            Fault::Redirect => "redirect",
            Fault::LoginPage => "login-page",
            Fault::TruncatedJson => "truncated-json",
            Fault::WrongJson => "wrong-json",
            Fault::EmptyBody => "empty-body",
            Fault::CutShort => "cut-short",
            Fault::Huge => "huge",
            Fault::ExpiredCertificate => "expired-certificate",
            Fault::FutureCertificate => "future-certificate",
            Fault::OtherAuthority => "other-authority",
            Fault::SameNameAuthority => "same-name-authority",
            Fault::OtherName => "other-name",
            Fault::ShortName => "short-name",
            Fault::CommonNameOnly => "common-name-only",
        };
        f.write_str(name)
    }
}

impl FromStr for Fault {
    type Err = UnknownName;

    /// Reads what [`Fault`]'s `Display` writes; any status from 400 to 599 is a fault.
    fn from_str(text: &str) -> Result<Self, UnknownName> {
        if let Ok(status) = text.parse::<u16>()
            && (400..600).contains(&status)
        {
            return Ok(Fault::Status(status));
        }
        Fault::ALL
            .into_iter()
            .find(|fault| fault.to_string() == text)
            .ok_or_else(|| UnknownName { text: text.to_owned(), kind: "fault" })
    }
}

impl Serialize for Fault {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_reads_what_it_writes() {
        for fault in Fault::ALL {
            assert_eq!(fault.to_string().parse(), Ok(fault));
        }
        assert!("200".parse::<Fault>().is_err());
        assert!("none".parse::<Fault>().is_err());
    }
}
