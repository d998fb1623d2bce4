//! A poll that failed or was skipped, with its cause.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{Poll, Server, Source};

/// A poll without an answer that could be used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct FailedPoll {
    /// The server polled; for app names the repository's host.
    pub server: Server,
    /// The poll.
    pub poll: Poll,
    /// The API polled.
    pub source: Source,
    /// The virtual proxy, for sessions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub virtual_proxy: Option<String>,
    /// The `host:port` polled, as configured.
    pub host: String,
    /// The URL polled, without its query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The cause.
    pub category: Category,
    /// The cause in the terms of the operating system or the TLS library, e.g. `ECONNREFUSED`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The answer's HTTP status, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_status: Option<u16>,
    /// The time allowed, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// The address that was connected to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote_address: Option<String>,
    /// The port that was connected to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote_port: Option<u16>,
    /// The system call that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub syscall: Option<String>,
    /// The cause in words an admin understands.
    pub message: String,
    /// Ticks that this event stands for.
    pub ticks: u64,
}

/// The cause of a failed poll. Subscribers may meet causes that they do not know yet.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Category(Cow<'static, str>);

impl Category {
    /// No answer within the time allowed.
    pub const TIMEOUT: Self = Self::known("timeout");
    /// Nothing listens at that port.
    pub const CONNECTION_REFUSED: Self = Self::known("connection_refused");
    /// The name does not resolve.
    pub const HOST_NOT_FOUND: Self = Self::known("host_not_found");
    /// The connection was closed by the other side.
    pub const CONNECTION_RESET: Self = Self::known("connection_reset");
    /// The machine or its network cannot be reached.
    pub const UNREACHABLE: Self = Self::known("unreachable");
    /// HTTP 401 or 403.
    pub const AUTH_ERROR: Self = Self::known("auth_error");
    /// HTTP 404.
    pub const NOT_FOUND: Self = Self::known("not_found");
    /// HTTP 429.
    pub const RATE_LIMITED: Self = Self::known("rate_limited");
    /// HTTP 500 and above.
    pub const HTTP_5XX: Self = Self::known("http_5xx");
    /// Any other HTTP status that is no success.
    pub const HTTP_4XX: Self = Self::known("http_4xx");
    /// TLS or certificates.
    pub const CERTIFICATE_ERROR: Self = Self::known("certificate_error");
    /// Our own certificate files cannot be read.
    pub const CERTIFICATE_UNREADABLE: Self = Self::known("certificate_unreadable");
    /// An answer that is not what this API gives, e.g. a login page or a redirect.
    pub const UNEXPECTED_BODY: Self = Self::known("unexpected_body");
    /// JSON that cannot be read.
    pub const DECODE: Self = Self::known("decode");
    /// An answer, or an event made from it, beyond the size limit.
    pub const TOO_LARGE: Self = Self::known("too_large");
    /// The previous poll still ran.
    pub const SKIPPED: Self = Self::known("skipped");
    /// The collector was killed while the poll was open.
    pub const INTERRUPTED: Self = Self::known("interrupted");
    /// The outbox had no room.
    pub const OUTBOX_FULL: Self = Self::known("outbox_full");
    /// Anything else.
    pub const UNKNOWN: Self = Self::known("unknown");

    const fn known(name: &'static str) -> Self {
        Self(Cow::Borrowed(name))
    }

    /// The category's name in events, fields and metrics.
    pub fn name(&self) -> &str {
        &self.0
    }
}
