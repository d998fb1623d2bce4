//! What went wrong with a poll: its cause in a category, in a code, and in words for an admin.
//!
//! Categories and codes are the predecessor's, where it had them, so that dashboards go on
//! counting; the words are what a log line and an event say, and never hold a part of a body.

use std::error::Error;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use reqwest::header::LOCATION;
use reqwest::{Response, StatusCode};
use shared::event::Category;
use shared::tls::Certificate;

use super::Request;
use super::resolver::LookupFailed;
use super::tls_failure;

/// A poll without an answer that could be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) category: Category,
    pub(crate) code: Option<Box<str>>,
    pub(crate) syscall: Option<&'static str>,
    pub(crate) remote: Option<SocketAddr>,
    pub(crate) http_status: Option<u16>,
    /// In words that an admin understands, without a period.
    pub(crate) message: Box<str>,
}

impl Failure {
    pub(crate) fn new(category: Category, message: impl Into<Box<str>>) -> Self {
        Self {
            category,
            code: None,
            syscall: None,
            remote: None,
            http_status: None,
            message: message.into(),
        }
    }

    pub(super) fn timeout(allowed: Duration) -> Self {
        let message = format!(
            "no answer within {} ms: the server or its network is down or overloaded, or a \
             firewall drops the packets",
            allowed.as_millis()
        );
        Self::new(Category::TIMEOUT, message).code("ECONNABORTED")
    }

    pub(super) fn too_large(limit: usize) -> Self {
        let message = format!("the answer is larger than {} MiB", limit / (1024 * 1024));
        Self::new(Category::TOO_LARGE, message)
    }

    pub(super) fn certificate_unreadable(why: &str) -> Self {
        let message = format!("our certificate cannot be used: {why}");
        Self::new(Category::CERTIFICATE_UNREADABLE, message)
    }

    /// Whether the other side closed the connection.
    pub(super) fn is_reset(&self) -> bool {
        self.category == Category::CONNECTION_RESET
    }

    fn code(mut self, code: &str) -> Self {
        self.code = Some(code.into());
        self
    }

    fn syscall(mut self, syscall: &'static str, remote: Option<SocketAddr>) -> Self {
        self.syscall = Some(syscall);
        self.remote = remote;
        self
    }
}

/// Where a request went, for what is said about its failure.
#[derive(Clone, Debug)]
pub(super) struct Context<'a> {
    /// The server under whose name `collector.servers` says how to verify it.
    pub(super) server: Option<&'a str>,
    pub(super) host: &'a str,
    pub(super) address: Option<SocketAddr>,
    /// The certificate that the host presented last, if it presented any.
    pub(super) presented: Option<Certificate>,
}

/// The failure of a request that got no answer, or not the whole of it.
pub(super) fn of_transport(error: &reqwest::Error, context: &Context<'_>) -> Failure {
    let connecting = error.is_connect();
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(this) = cause {
        if let Some(failure) = known(this, connecting, context) {
            return failure;
        }
        cause = this.source();
    }
    Failure::new(Category::UNKNOWN, format!("the request failed: {}", chain(error)))
}

/// The failure that one link of the chain of causes stands for, if it is one that says enough.
fn known(
    cause: &(dyn Error + 'static),
    connecting: bool,
    context: &Context<'_>,
) -> Option<Failure> {
    if let Some(error) = cause.downcast_ref::<rustls::Error>() {
        return Some(tls_failure::of(error, context));
    }
    if let Some(LookupFailed(error)) = cause.downcast_ref::<LookupFailed>() {
        return Some(of_lookup(error, context));
    }
    if let Some(error) = cause.downcast_ref::<hyper::Error>() {
        return of_http(error, context);
    }
    let error = cause.downcast_ref::<io::Error>()?;
    // An error within an io::Error is no source of it, so it is looked into by hand.
    let inner = error.get_ref().and_then(|inner| {
        let inner: &(dyn Error + 'static) = inner;
        known(inner, connecting, context)
    });
    inner.or_else(|| of_io(error, connecting, context))
}

fn of_http(error: &hyper::Error, context: &Context<'_>) -> Option<Failure> {
    if error.is_incomplete_message() {
        return Some(reset(false, context));
    }
    if error.is_parse() {
        let message = format!("{} does not answer in HTTP: is the port right?", context.host);
        return Some(Failure::new(Category::UNEXPECTED_BODY, message));
    }
    None
}

fn of_lookup(error: &io::Error, context: &Context<'_>) -> Failure {
    // The system says the difference in words alone.
    let temporary = error.to_string().contains("emporary");
    let code = if temporary { "EAI_AGAIN" } else { "ENOTFOUND" };
    let message = if temporary {
        format!("the name server does not answer for {}", context.host)
    } else {
        format!("the name {} does not resolve: check it and the name server", context.host)
    };
    Failure::new(Category::HOST_NOT_FOUND, message).code(code).syscall("getaddrinfo", None)
}

fn of_io(error: &io::Error, connecting: bool, context: &Context<'_>) -> Option<Failure> {
    let syscall = if connecting { "connect" } else { "read" };
    let remote = context.address;
    let unreachable = |code| {
        let message = format!("{} cannot be reached: its machine or network is down", context.host);
        Failure::new(Category::UNREACHABLE, message).code(code).syscall(syscall, remote)
    };
    Some(match error.kind() {
        ErrorKind::ConnectionRefused => {
            let message = format!(
                "nothing listens at {}: is the Qlik Sense service running, and the port right?",
                context.host
            );
            Failure::new(Category::CONNECTION_REFUSED, message)
                .code("ECONNREFUSED")
                .syscall("connect", remote)
        }
        ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::BrokenPipe
        | ErrorKind::UnexpectedEof => reset(connecting, context),
        ErrorKind::HostUnreachable => unreachable("EHOSTUNREACH"),
        ErrorKind::NetworkUnreachable => unreachable("ENETUNREACH"),
        ErrorKind::NetworkDown => unreachable("ENETDOWN"),
        ErrorKind::TimedOut => {
            let message = format!("{} does not react", context.host);
            Failure::new(Category::TIMEOUT, message).code("ETIMEDOUT").syscall(syscall, remote)
        }
        _ => {
            let number = error.raw_os_error()?;
            Failure::new(Category::UNKNOWN, format!("the operating system says: {error}"))
                .code(&format!("errno {number}"))
                .syscall(syscall, remote)
        }
    })
}

fn reset(connecting: bool, context: &Context<'_>) -> Failure {
    let message = if connecting {
        format!("{} closed the connection before TLS was set up", context.host)
    } else {
        format!("{} closed the connection before its answer was complete", context.host)
    };
    Failure::new(Category::CONNECTION_RESET, message)
        .code("ECONNRESET")
        .syscall("read", context.address)
}

/// The failure of an answer that is not 200.
pub(super) fn of_status(response: &Response, request: &Request<'_>) -> Failure {
    let status = response.status();
    let (category, code) = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            (Category::AUTH_ERROR, Some("ERR_BAD_REQUEST"))
        }
        StatusCode::NOT_FOUND => (Category::NOT_FOUND, Some("ERR_BAD_REQUEST")),
        StatusCode::TOO_MANY_REQUESTS => (Category::RATE_LIMITED, Some("ERR_BAD_REQUEST")),
        status if status.is_server_error() => (Category::HTTP_5XX, Some("ERR_BAD_RESPONSE")),
        status if status.is_client_error() => (Category::HTTP_4XX, Some("ERR_BAD_REQUEST")),
        _ => (Category::UNEXPECTED_BODY, None),
    };
    let message = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => format!(
            "HTTP {status}: the client certificate is not accepted; is it exported from this site?"
        ),
        StatusCode::NOT_FOUND => format!(
            "HTTP {status}: {} does not know this path; check the port and the virtual proxy",
            request.host
        ),
        StatusCode::TOO_MANY_REQUESTS => format!("HTTP {status}: polled too often"),
        status if status.is_redirection() => {
            let to = redirected_to(response);
            format!("HTTP {status} to {to}: that looks like the proxy's port for people")
        }
        status if status.is_server_error() => {
            format!("HTTP {status}: the service is there and cannot answer")
        }
        _ => format!("HTTP {status} in place of an answer"),
    };
    let mut failure = Failure::new(category, message);
    failure.code = code.map(Box::from);
    failure.http_status = Some(status.as_u16());
    failure
}

/// Where a redirect leads: the host alone, since the rest may hold a ticket.
fn redirected_to(response: &Response) -> String {
    let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
    let target = location.and_then(|location| response.url().join(location).ok());
    let host = target.as_ref().and_then(reqwest::Url::host_str);
    host.unwrap_or("nowhere").to_owned()
}

/// The whole chain of causes in one line.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = String::new();
    let mut cause = error.source();
    while let Some(this) = cause {
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&this.to_string());
        cause = this.source();
    }
    text
}

#[cfg(test)]
mod tests;
