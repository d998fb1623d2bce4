//! A monitor that remembers every request, and answers what it is told to.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::State;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Redirect, Response};
use tokio::net::TcpListener;
use tokio::time::Instant;

/// How long a request is waited for: far longer than a loaded machine needs.
const PATIENCE: Duration = Duration::from_mins(1);

/// A request as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) line: String,
    pub(super) body: String,
}

/// What a request is answered.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    Status(u16),
    Text(&'static str),
    Redirect(String),
}

/// The monitor; clones are handles to the same one.
#[derive(Clone, Debug)]
pub(super) struct Fake {
    pub(super) address: SocketAddr,
    known: Arc<Known>,
}

#[derive(Debug)]
struct Known {
    asked: Mutex<Vec<Asked>>,
    answers: Mutex<VecDeque<Answer>>,
    otherwise: Mutex<Answer>,
}

impl Fake {
    /// Starts one that answers `otherwise` when it is told nothing else.
    pub(super) async fn start(otherwise: Answer) -> Self {
        crate::lifecycle::install_crypto();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let known = Arc::new(Known {
            asked: Mutex::default(),
            answers: Mutex::default(),
            otherwise: Mutex::new(otherwise),
        });
        let router = axum::Router::new().fallback(answer).with_state(Arc::clone(&known));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, known }
    }

    /// A URL of it.
    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Answers the next requests so.
    pub(super) fn answers(&self, answers: impl IntoIterator<Item = Answer>) {
        self.known.answers.lock().unwrap().extend(answers);
    }

    /// Answers all further requests so.
    pub(super) fn otherwise(&self, answer: Answer) {
        *self.known.otherwise.lock().unwrap() = answer;
    }

    /// Every request so far.
    pub(super) fn asked(&self) -> Vec<Asked> {
        self.known.asked.lock().unwrap().clone()
    }

    /// Waits until there were `number` requests, and gives their lines.
    pub(super) async fn lines(&self, number: usize) -> Vec<String> {
        let deadline = Instant::now() + PATIENCE;
        while self.asked().len() < number {
            assert!(Instant::now() < deadline, "{:?}", self.asked());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.asked().into_iter().map(|asked| asked.line).collect()
    }
}

async fn answer(
    State(known): State<Arc<Known>>,
    method: Method,
    uri: Uri,
    body: String,
) -> Response {
    known.asked.lock().unwrap().push(Asked { line: format!("{method} {uri}"), body });
    let told = known.answers.lock().unwrap().pop_front();
    match told.unwrap_or_else(|| known.otherwise.lock().unwrap().clone()) {
        Answer::Status(status) => StatusCode::from_u16(status).unwrap().into_response(),
        Answer::Text(text) => text.into_response(),
        Answer::Redirect(to) => Redirect::temporary(&to).into_response(),
    }
}
