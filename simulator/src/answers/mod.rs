//! What each service says to a request: paths, rules, and JSON.
//!
//! Nothing here knows sockets or faults; the world and the oddities of the server go in, an answer comes out.

mod discovery;
pub(crate) mod errors;
mod filter;
mod health;
mod number;
mod repository;
mod sessions;
mod xsrf;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, StatusCode, request::Parts};
use percent_encoding::percent_decode_str;
use serde::Serialize;

use crate::{Endpoint, ledger::Facts, site::ServerState};

/// An answer before it is sent.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) content_type: &'static str,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) body: Bytes,
    pub(crate) virtual_proxy: Option<Arc<str>>,
    pub(crate) facts: Facts,
    pub(crate) chunked: bool,
}

impl Answer {
    pub(crate) fn json(value: &impl Serialize, facts: Facts) -> Self {
        match serde_json::to_vec(value) {
            Ok(body) => Self::text(StatusCode::OK, JSON, body).with_facts(facts),
            Err(error) => Self::text(StatusCode::INTERNAL_SERVER_ERROR, PLAIN, error.to_string()),
        }
    }

    pub(crate) fn text(
        status: StatusCode,
        content_type: &'static str,
        body: impl Into<Bytes>,
    ) -> Self {
        Self {
            status,
            content_type,
            headers: Vec::new(),
            body: body.into(),
            virtual_proxy: None,
            facts: Facts::None,
            chunked: false,
        }
    }

    fn with_facts(self, facts: Facts) -> Self {
        Self { facts, ..self }
    }
}

pub(crate) const JSON: &str = "application/json; charset=utf-8";
pub(crate) const PLAIN: &str = "text/plain; charset=utf-8";
pub(crate) const HTML: &str = "text/html; charset=utf-8";

/// Answers a request without a fault.
pub(crate) fn answer(
    server: &ServerState,
    endpoint: Endpoint,
    request: &Parts,
    now: Duration,
) -> Answer {
    if request.method != Method::GET {
        return errors::status(StatusCode::METHOD_NOT_ALLOWED.as_u16());
    }
    let asked = Asked::new(request);
    let mut answer = match endpoint {
        Endpoint::Engine => health::answer(server, &asked, now),
        Endpoint::Proxy => sessions::answer(server, &asked, now),
        Endpoint::Repository => repository::answer(server, &asked, now),
    };
    answer.chunked = server.oddities().has(crate::Oddity::ChunkedBody);
    answer
}

/// What a request asks for.
#[derive(Debug)]
struct Asked<'a> {
    request: &'a Parts,
    path: &'a str,
    /// Names in lower case, values decoded.
    query: Vec<(String, String)>,
}

impl<'a> Asked<'a> {
    fn new(request: &'a Parts) -> Self {
        let decoded = |text: &str| {
            let text = text.replace('+', " ");
            percent_decode_str(&text).decode_utf8_lossy().into_owned()
        };
        let query = request.uri.query().unwrap_or_default();
        let query = query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                (decoded(name).to_ascii_lowercase(), decoded(value))
            })
            .collect();
        Self { request, path: request.uri.path(), query }
    }

    /// A value of the query; names are compared without case, as Qlik Sense does.
    fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.request.headers.get(name).and_then(|value| value.to_str().ok())
    }
}
