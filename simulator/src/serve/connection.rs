//! One connection: handshake, then requests, each struck by the fault in force when it arrives.

use std::{
    future,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header, request::Parts};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{io, net::TcpStream, time::timeout};
use tokio_rustls::TlsAcceptor;

use super::{
    body::{AnswerBody, Pace},
    count,
    listener::Service,
    stream::{Outbound, RecordedStream, reset_on_close},
};
use crate::{
    Fault,
    answers::{self, Answer},
    certificates::CertificateKind,
    ledger::{Facts, LedgerEntry, RecordedBody},
    site::BodyRecord,
};

/// How long a client may take for its handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Ends a connection by order.
#[derive(Debug, thiserror::Error)]
#[error("the connection ends by order")]
struct Broken;

/// Serves a connection, struck by `fault` when it came, until either side ends it.
pub(super) async fn serve(service: Arc<Service>, mut stream: TcpStream, fault: Option<Fault>) {
    // Drops of a slow drip leave one by one.
    let _ = stream.set_nodelay(true);
    match fault {
        Some(Fault::Reset) => return reset_on_close(&stream),
        Some(Fault::HangInHandshake) => {
            // Reads until the client gives up.
            let _ = io::copy(&mut stream, &mut io::sink()).await;
            return;
        }
        _ => {}
    }
    let config = match service.server.tls().config(certificate(fault)) {
        Ok(config) => config,
        Err(error) => {
            tracing::error!(host = %service.host, %error, "Cannot show a certificate.");
            return;
        }
    };
    let handshake = timeout(HANDSHAKE_TIMEOUT, TlsAcceptor::from(config).accept(stream));
    let Ok(Ok(stream)) = handshake.await else {
        return count(&service.counters.failed_handshakes);
    };
    count(&service.counters.handshakes);

    let outbound = Outbound::new(service.server.ledger().clone());
    let stream = TokioIo::new(RecordedStream::new(stream, outbound.clone()));
    let answering = service_fn(|request| respond(service.clone(), outbound.clone(), request));
    // How a connection ends is the client's business, or was ordered.
    let _ = http1::Builder::new().serve_connection(stream, answering).await;
}

fn certificate(fault: Option<Fault>) -> CertificateKind {
    match fault {
        Some(Fault::ExpiredCertificate) => CertificateKind::Expired,
        Some(Fault::FutureCertificate) => CertificateKind::Future,
        Some(Fault::SameNameAuthority) => CertificateKind::SameNameAuthority,
        Some(Fault::OtherAuthority) => CertificateKind::OtherAuthority,
        Some(Fault::OtherName) => CertificateKind::OtherName,
        Some(Fault::ShortName) => CertificateKind::ShortName,
        Some(Fault::CommonNameOnly) => CertificateKind::CommonNameOnly,
        _ => CertificateKind::Right,
    }
}

async fn respond(
    service: Arc<Service>,
    outbound: Arc<Outbound>,
    request: Request<Incoming>,
) -> Result<Response<AnswerBody>, Broken> {
    service.counters.request();
    let (request, _) = request.into_parts();
    let fault = service.faults.strike_request();
    match fault {
        Some(Fault::Hang) => future::pending().await,
        Some(Fault::Reset) => {
            outbound.reset_at_end();
            return Err(Broken);
        }
        _ => {}
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let answer = answer(&service, fault, &request, now);
    let pace = match fault {
        Some(Fault::SlowDrip) => Pace::SlowDrip,
        Some(Fault::CutShort) => Pace::CutShort,
        Some(Fault::Huge) => Pace::Huge,
        _ => Pace::Whole,
    };
    let entry = entry(&service, fault, &request, &answer, now);
    Ok(response(answer, pace, entry, outbound))
}

/// What is said to a request under a fault.
fn answer(service: &Service, fault: Option<Fault>, request: &Parts, now: Duration) -> Answer {
    let right = || answers::answer(&service.server, service.endpoint, request, now);
    match fault {
        Some(Fault::Status(status)) => answers::errors::status(status),
        Some(Fault::Redirect) => answers::errors::redirect(&request.uri),
        Some(Fault::LoginPage) => answers::errors::login_page(),
        Some(Fault::WrongJson) => answers::errors::wrong_json(service.endpoint),
        Some(Fault::EmptyBody) => Answer { body: Bytes::new(), facts: Facts::None, ..right() },
        Some(Fault::TruncatedJson) => {
            let right = right();
            let half = right.body.len() / 2;
            Answer { body: right.body.slice(..half), facts: Facts::None, ..right }
        }
        _ => right(),
    }
}

fn entry(
    service: &Service,
    fault: Option<Fault>,
    request: &Parts,
    answer: &Answer,
    now: Duration,
) -> LedgerEntry {
    let path = request.uri.path_and_query().map_or("/", |path| path.as_str());
    let body = match service.server.body_record() {
        BodyRecord::Whole => RecordedBody::Whole(answer.body.clone()),
        BodyRecord::Digest => RecordedBody::digest(&answer.body),
    };
    LedgerEntry {
        number: 0,
        time_ns: u64::try_from(now.as_nanos()).unwrap_or(u64::MAX),
        server: service.server.index(),
        host: service.host.clone(),
        endpoint: service.endpoint,
        virtual_proxy: answer.virtual_proxy.clone(),
        path: path.to_owned(),
        status: answer.status.as_u16(),
        fault,
        body,
        facts: answer.facts.clone(),
    }
}

fn response(
    answer: Answer,
    pace: Pace,
    entry: LedgerEntry,
    outbound: Arc<Outbound>,
) -> Response<AnswerBody> {
    let body = AnswerBody::new(answer.body, pace, answer.chunked, entry, outbound);
    let mut response = Response::new(body);
    *response.status_mut() = answer.status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(answer.content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    for (name, value) in answer.headers {
        headers.insert(name, value);
    }
    response
}
