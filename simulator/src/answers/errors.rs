//! Errors and wrong answers in the words of Qlik Sense, where they are known.

use bytes::Bytes;
use http::{HeaderValue, StatusCode, Uri, header};
use serde_json::json;

use super::{Answer, HTML, PLAIN};
use crate::{Endpoint, ledger::Facts};

/// An error status; bodies are plain text or HTML, never JSON.
pub(crate) fn status(status: u16) -> Answer {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let reason = status.canonical_reason().unwrap_or("Error");
    let mut answer = match status {
        StatusCode::INTERNAL_SERVER_ERROR | StatusCode::NOT_FOUND => {
            let page = format!(
                "<!DOCTYPE html>\r\n<html><head><title>{0} {reason}</title></head>\r\n\
                 <body><h1>{0} {reason}</h1></body></html>\r\n",
                status.as_u16()
            );
            Answer::text(status, HTML, page)
        }
        _ => Answer::text(status, PLAIN, reason.to_owned()),
    };
    if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
        answer.headers.push((header::RETRY_AFTER, HeaderValue::from_static("1")));
    }
    answer
}

/// A redirect to the same place, without end.
pub(crate) fn redirect(uri: &Uri) -> Answer {
    let place = uri.path_and_query().map_or("/", |path| path.as_str());
    let mut answer = Answer::text(StatusCode::FOUND, PLAIN, Bytes::new());
    if let Ok(place) = HeaderValue::from_str(place) {
        answer.headers.push((header::LOCATION, place));
    }
    answer
}

/// What a proxy shows to someone who is not signed in, with status 200.
pub(crate) fn login_page() -> Answer {
    let page = "<!DOCTYPE html>\r\n<html>\r\n<head><title>Login</title></head>\r\n<body>\r\n\
                <form method=\"post\" action=\"/form/?targetId=0\">\r\n\
                <input name=\"username\"><input name=\"pwd\" type=\"password\">\r\n\
                </form>\r\n</body>\r\n</html>\r\n";
    Answer::text(StatusCode::OK, HTML, page)
}

/// Sound JSON of another shape than the endpoint's.
pub(crate) fn wrong_json(endpoint: Endpoint) -> Answer {
    match endpoint {
        Endpoint::Engine => Answer::json(&json!([{"health": "good"}]), Facts::None),
        Endpoint::Proxy | Endpoint::Repository => {
            Answer::json(&json!({"error": null, "value": 42}), Facts::None)
        }
    }
}
