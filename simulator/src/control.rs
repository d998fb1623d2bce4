//! The control listener: plain HTTP, so that the site can be steered with curl.
//!
//! `GET /ledger` (JSON lines; `?drain=true` takes them), `GET /state`, and with their parameters in the query
//! `POST /fault`, `POST /oddity`, `POST /node`, `POST /restart` and `POST /close`. Servers count from 1 here, as in their names.

use std::{io, net::SocketAddr, str::FromStr, sync::Arc};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{Endpoint, Fault, ListedNode, Oddity, SiteError, site::SiteState};

/// A refusal in words for whoever typed the request.
type Refusal = (StatusCode, String);

/// Opens the listener and returns its address.
pub(crate) async fn start(
    site: Arc<SiteState>,
    address: SocketAddr,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) -> Result<SocketAddr, SiteError> {
    let failed = |source: io::Error| SiteError::Bind { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    let stop = stop.clone();
    let connections = tasks.clone();
    tasks.spawn(async move {
        let accepting = async {
            // An error of accept is of one connection; a listener on loopback does not run out of descriptors alone.
            while let Ok((stream, _)) = listener.accept().await {
                let (site, stop) = (site.clone(), stop.clone());
                connections.spawn(async move {
                    stop.run_until_cancelled(serve(site, stream)).await;
                });
            }
        };
        stop.run_until_cancelled(accepting).await;
    });
    Ok(bound)
}

async fn serve(site: Arc<SiteState>, stream: TcpStream) {
    let answering = service_fn(|request| respond(site.clone(), request));
    // How a connection ends is the client's business.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), answering).await;
}

async fn respond(
    site: Arc<SiteState>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, http::Error> {
    let asked = Asked { query: request.uri().query().unwrap_or_default() };
    let (status, text) = match steer(&site, request.method(), request.uri().path(), &asked).await {
        Ok(text) => (StatusCode::OK, text),
        Err((status, text)) => (status, format!("{text}\n")),
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    let json = if status == StatusCode::OK { "application/json" } else { "text/plain" };
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(json));
    Ok(response)
}

async fn steer(
    site: &SiteState,
    method: &Method,
    path: &str,
    asked: &Asked<'_>,
) -> Result<String, Refusal> {
    match (method.as_str(), path) {
        ("GET", "/state") => Ok(format!("{}\n", state(site))),
        ("GET", "/ledger") => ledger(site, asked.flag("drain")?),
        ("POST", "/fault") => {
            let (server, endpoint) = (asked.server()?, asked.needed("endpoint")?);
            let fault = match asked.value("fault") {
                Some("none") => None,
                _ => Some(asked.needed::<Fault>("fault")?),
            };
            let count = asked.given("count")?;
            site.set_fault(server, endpoint, fault, count).await.map_err(refused)?;
            Ok(DONE.to_owned())
        }
        ("POST", "/oddity") => {
            let (server, oddity) = (asked.server()?, asked.needed::<Oddity>("oddity")?);
            let on = asked.given("on")?.unwrap_or(true);
            site.server(server).map_err(refused)?.state().set_oddity(oddity, on);
            Ok(DONE.to_owned())
        }
        ("POST", "/node") => {
            let listed = asked.needed("listed")?;
            let server = asked.server()?;
            let change = |node: &mut ListedNode| node.listed = listed;
            site.server(server).map_err(refused)?.state().change_listed(server, change);
            Ok(DONE.to_owned())
        }
        ("POST", "/restart") => {
            site.restart_engine(asked.server()?).await.map_err(refused)?;
            Ok(DONE.to_owned())
        }
        ("POST", "/close") => {
            let (server, endpoint) = (asked.server()?, asked.needed("endpoint")?);
            let server = site.server(server).map_err(refused)?;
            server.service(endpoint).map_err(refused)?.close_connections().await;
            Ok(DONE.to_owned())
        }
        _ => Err((StatusCode::NOT_FOUND, format!("there is no {method} {path}"))),
    }
}

const DONE: &str = "{\"done\":true}\n";

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn refused(error: SiteError) -> Refusal {
    (StatusCode::BAD_REQUEST, error.to_string())
}

/// The query of a request; its values need no decoding, as no name here has an odd character.
#[derive(Clone, Copy)]
struct Asked<'a> {
    query: &'a str,
}

impl<'a> Asked<'a> {
    fn value(self, name: &str) -> Option<&'a str> {
        let mut pairs = self.query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    fn given<T: FromStr<Err: std::fmt::Display>>(self, name: &str) -> Result<Option<T>, Refusal> {
        let wrong =
            |error: T::Err| (StatusCode::BAD_REQUEST, format!("the value of {name}: {error}"));
        self.value(name).map(str::parse).transpose().map_err(wrong)
    }

    fn needed<T: FromStr<Err: std::fmt::Display>>(self, name: &str) -> Result<T, Refusal> {
        let missing = || (StatusCode::BAD_REQUEST, format!("{name} is missing in the query"));
        self.given(name)?.ok_or_else(missing)
    }

    fn flag(self, name: &str) -> Result<bool, Refusal> {
        Ok(self.given(name)?.unwrap_or(false))
    }

    /// The server's index, from 0.
    fn server(self) -> Result<usize, Refusal> {
        let number: usize = self.needed("server")?;
        let none = || (StatusCode::BAD_REQUEST, "servers count from 1".to_owned());
        number.checked_sub(1).ok_or_else(none)
    }
}

fn ledger(site: &SiteState, drain: bool) -> Result<String, Refusal> {
    let entries = if drain { site.ledger.drain() } else { site.ledger.entries() };
    let mut text = String::new();
    for entry in entries {
        let line = serde_json::to_string(&*entry)
            .map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
        text.push_str(&line);
        text.push('\n');
    }
    Ok(text)
}

fn state(site: &SiteState) -> Value {
    let servers: Vec<Value> = site
        .servers
        .iter()
        .enumerate()
        .map(|(index, server)| {
            let endpoints: serde_json::Map<String, Value> = Endpoint::ALL
                .into_iter()
                .filter_map(|endpoint| {
                    let service = server.service(endpoint).ok()?;
                    let state = json!({
                        "host": service.host(),
                        "fault": service.fault(),
                        "traffic": service.traffic(),
                        "answers": site.ledger.count(index, endpoint),
                    });
                    Some((endpoint.name().to_owned(), state))
                })
                .collect();
            json!({
                "server": index + 1,
                "hostName": server.host_name(),
                "name": server.name(),
                "oddities": server.state().oddities().list(),
                "endpoints": endpoints,
            })
        })
        .collect();
    json!({
        "seed": site.config.seed,
        "ledger": {
            "recorded": site.ledger.recorded(),
            "dropped": site.ledger.dropped(),
            "unfinished": site.ledger.unfinished(),
        },
        "servers": servers,
    })
}
