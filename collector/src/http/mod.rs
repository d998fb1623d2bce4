//! One GET over mutual TLS: from a request to the whole body of a 200, or a failure with its cause.
//!
//! Nothing here knows what an answer means, nor when it is asked for. Redirects are not followed:
//! Qlik's services send none, and a login page behind one is no answer.

mod certificates;
mod clients;
mod failure;
mod resolver;
mod tls_failure;

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{DATE, HeaderMap, HeaderValue};
use reqwest::{Client, Response, StatusCode, Url};
use shared::event::Category;
use shared::tls::Verification;

pub(crate) use clients::{Chosen, ClientSettings, Clients};
use failure::Context;
pub(crate) use failure::Failure;

/// How much of the text of an error is read before its connection is given up: reading it all is
/// what keeps the connection usable.
const DRAINED_BYTES: usize = 64 * 1024;
/// What is reserved before an answer of unknown length is read.
const USUAL_ANSWER_BYTES: usize = 4 * 1024;

/// A request and its bounds.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) url: &'a Url,
    pub(crate) headers: &'a HeaderMap,
    /// For everything from the connection to the last byte.
    pub(crate) timeout: Duration,
    /// Bytes of the body.
    pub(crate) limit: usize,
    /// The host as configured, for messages.
    pub(crate) host: &'a str,
    /// The server under whose name `collector.servers` says how to verify it, for messages.
    pub(crate) server: Option<&'a str>,
}

/// Sends a request and reads its answer; `verification` is what `chosen` was chosen for.
pub(crate) async fn get(
    clients: &Clients,
    chosen: &Chosen,
    verification: &Verification,
    request: &Request<'_>,
) -> Result<Bytes, Failure> {
    exchange(clients, chosen, verification, request).await.outcome
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Exchange {
    /// The clock of the server, when it said so.
    pub(crate) date: Option<HeaderValue>,
    /// The whole body of a 200, or what went wrong.
    pub(crate) outcome: Result<Bytes, Failure>,
}

/// The same, for those who also want to know when the server thinks that it answered.
pub(crate) async fn exchange(
    clients: &Clients,
    chosen: &Chosen,
    verification: &Verification,
    request: &Request<'_>,
) -> Exchange {
    let mut date = None;
    let answered = async {
        let failure = match answer(clients, &chosen.client, request, &mut date).await {
            Err(failure) if failure.category == Category::CERTIFICATE_ERROR => failure,
            other => return other,
        };
        match clients.renewed(verification, chosen).await {
            Some(client) => answer(clients, &client, request, &mut date).await,
            None => Err(failure),
        }
    };
    let outcome = match tokio::time::timeout(request.timeout, answered).await {
        Ok(answer) => answer,
        Err(_elapsed) => Err(Failure::timeout(request.timeout)),
    };
    Exchange { date, outcome }
}

async fn answer(
    clients: &Clients,
    client: &Client,
    request: &Request<'_>,
    date: &mut Option<HeaderValue>,
) -> Result<Bytes, Failure> {
    let send = || client.get(request.url.clone()).headers(request.headers.clone()).send();
    let classify = |error: &reqwest::Error| {
        let context = Context {
            server: request.server,
            host: request.host,
            address: clients.address_of(request.url),
            presented: clients.presented_by(request.url),
        };
        failure::of_transport(error, &context)
    };
    let response = match send().await {
        Ok(response) => response,
        // A connection that was kept alive may close at the very moment it is used. Asking again
        // is harmless; a server that closes every connection fails the second time too.
        Err(error) if !error.is_connect() && classify(&error).is_reset() => {
            send().await.map_err(|error| classify(&error))?
        }
        Err(error) => return Err(classify(&error)),
    };
    *date = response.headers().get(DATE).cloned();
    if response.status() != StatusCode::OK {
        let failure = failure::of_status(&response, request);
        drain(response).await;
        return Err(failure);
    }
    body(response, request.limit).await.map_err(|error| match error {
        BodyError::TooLarge => Failure::too_large(request.limit),
        BodyError::Broken(error) => classify(&error),
    })
}

enum BodyError {
    TooLarge,
    Broken(reqwest::Error),
}

async fn body(mut response: Response, limit: usize) -> Result<Bytes, BodyError> {
    let announced = response.content_length().and_then(|length| usize::try_from(length).ok());
    if announced.is_some_and(|length| length > limit) {
        return Err(BodyError::TooLarge);
    }
    let mut body = BytesMut::with_capacity(announced.unwrap_or(USUAL_ANSWER_BYTES));
    while let Some(chunk) = response.chunk().await.map_err(BodyError::Broken)? {
        if body.len() + chunk.len() > limit {
            return Err(BodyError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

async fn drain(mut response: Response) {
    let mut left = DRAINED_BYTES;
    while let Ok(Some(chunk)) = response.chunk().await {
        let Some(less) = left.checked_sub(chunk.len()) else { return };
        left = less;
    }
}
