//! A door before a real InfluxDB: it passes requests on, or plays a mischief on writes, and keeps
//! count of every event that InfluxDB took.

use std::collections::{HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::Read as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Either, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

use crate::patience::in_time;
use crate::strict_influxdb::request::Reply;

/// Every event makes a point of one of these, and no string in them has a line feed.
const ONE_EACH: [&str; 2] = ["footman_poll,", "footman_heartbeat,"];

/// What happens to one write.
#[derive(Clone, Debug)]
pub enum Mischief {
    /// This is the answer, and InfluxDB hears nothing of it.
    Answer(Reply),
    /// There is no answer, and InfluxDB hears nothing of it.
    Hang,
    /// InfluxDB takes it, and there is no answer.
    HangAfter,
    /// InfluxDB takes it, and the answer breaks off in its middle.
    HalfAnswer,
    /// The connection is closed in the middle of the request.
    CloseMidBody,
    /// InfluxDB takes all lines but those that begin so; the answer is that of InfluxDB 1.x to a
    /// type conflict in them. A write that has none of them passes, and counts as none.
    RefuseLines(&'static str),
}

/// The door; it closes with its handle.
#[derive(Debug)]
pub struct InfluxDbDoor {
    port: u16,
    shared: Arc<Shared>,
    task: AbortHandle,
}

#[derive(Debug)]
struct Shared {
    influxdb: u16,
    client: reqwest::Client,
    mischief: Mutex<VecDeque<Mischief>>,
    /// Mischiefs that were played.
    played: watch::Sender<u64>,
    book: Mutex<Book>,
    /// Writes that InfluxDB took.
    taken: watch::Sender<u64>,
}

/// The events that InfluxDB took.
#[derive(Clone, Debug, Default)]
struct Book {
    events: u64,
    /// By measurement, tags and time.
    points: HashSet<u64>,
}

type Body = Either<Full<Bytes>, BrokenBody>;
type BrokenBody = StreamBody<
    futures::stream::Iter<std::array::IntoIter<Result<Frame<Bytes>, std::io::Error>, 2>>,
>;

impl InfluxDbDoor {
    /// Before InfluxDB on a port of the loopback interface.
    pub async fn before(influxdb: u16) -> Self {
        shared::lifecycle::install_crypto();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            influxdb,
            client: reqwest::Client::new(),
            mischief: Mutex::default(),
            played: watch::Sender::new(0),
            book: Mutex::default(),
            taken: watch::Sender::new(0),
        });
        let task = tokio::spawn(serve(listener, Arc::clone(&shared))).abort_handle();
        Self { port, shared, task }
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Plays a mischief on the next `writes` writes.
    pub fn plays(&self, mischief: &Mischief, writes: usize) {
        let mut queue = lock(&self.shared.mischief);
        queue.extend(std::iter::repeat_n(mischief.clone(), writes));
    }

    /// Plays nothing any more.
    pub fn behaves(&self) {
        lock(&self.shared.mischief).clear();
    }

    /// Waits until `more` further mischiefs have been played, and done their part with InfluxDB.
    pub async fn played(&self, more: u64) {
        let mut played = self.shared.played.subscribe();
        let wanted = *played.borrow_and_update() + more;
        in_time("a mischief", played.wait_for(|played| *played >= wanted)).await.unwrap();
    }

    /// Waits until InfluxDB has taken `more` further writes.
    pub async fn takes(&self, more: u64) {
        let mut taken = self.shared.taken.subscribe();
        let wanted = *taken.borrow_and_update() + more;
        in_time("a write", taken.wait_for(|taken| *taken >= wanted)).await.unwrap();
    }

    /// Events that InfluxDB took although it had them already.
    pub fn repeated_events(&self) -> u64 {
        let book = lock(&self.shared.book);
        book.events - book.points.len() as u64
    }
}

impl Drop for InfluxDbDoor {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { return };
                let shared = Arc::clone(&shared);
                connections.spawn(async move {
                    let service = service_fn(move |request| {
                        let shared = Arc::clone(&shared);
                        async move { shared.answer(request).await }
                    });
                    let http = hyper::server::conn::http1::Builder::new();
                    // Writers are killed, and mischief closes connections.
                    let _ended = http.serve_connection(TokioIo::new(stream), service).await;
                });
            }
            Some(_ended) = connections.join_next() => {}
        }
    }
}

impl Shared {
    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Body>, std::io::Error> {
        let is_write = request.uri().path() == "/write";
        let mischief = if is_write { lock(&self.mischief).pop_front() } else { None };
        if matches!(mischief, Some(Mischief::CloseMidBody)) {
            self.played();
            return Err(closed());
        }
        let (head, body) = request.into_parts();
        let body = body.collect().await.map_err(|_hung_up| closed())?.to_bytes();
        match mischief {
            None => self.pass_on(&head, body, is_write).await,
            Some(Mischief::Answer(reply)) => {
                self.played();
                let mut response = Response::builder().status(reply.status);
                for (name, value) in reply.headers {
                    response = response.header(name, value);
                }
                Ok(response.body(Either::Left(Full::from(reply.body))).unwrap())
            }
            Some(Mischief::Hang) => {
                self.played();
                std::future::pending().await
            }
            Some(Mischief::HangAfter) => {
                self.pass_on(&head, body, is_write).await?;
                self.played();
                std::future::pending().await
            }
            Some(Mischief::RefuseLines(start)) => self.refuse_lines(&head, &body, start).await,
            Some(Mischief::HalfAnswer | Mischief::CloseMidBody) => {
                self.pass_on(&head, body, is_write).await?;
                self.played();
                let half = [Ok(Frame::data(Bytes::from_static(b"{\"error\":"))), Err(closed())];
                let body = StreamBody::new(futures::stream::iter(half));
                let response = Response::builder().status(200).header("content-length", 1_000);
                Ok(response.body(Either::Right(body)).unwrap())
            }
        }
    }

    async fn pass_on(
        &self,
        head: &hyper::http::request::Parts,
        body: Bytes,
        is_write: bool,
    ) -> Result<Response<Body>, std::io::Error> {
        let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
        let url = format!("http://127.0.0.1:{}{target}", self.influxdb);
        let mut asked = self.client.request(head.method.clone(), url).body(body.clone());
        for name in ["authorization", "content-type", "content-encoding"] {
            if let Some(value) = head.headers.get(name) {
                asked = asked.header(name, value);
            }
        }
        let answer = asked.send().await.map_err(|_away| closed())?;
        if is_write && answer.status() == 204 {
            self.take(head, &body);
        }
        let mut response = Response::builder().status(answer.status());
        for name in ["content-type", "x-influxdb-version", "x-influxdb-error", "retry-after"] {
            if let Some(value) = answer.headers().get(name) {
                response = response.header(name, value);
            }
        }
        let body = answer.bytes().await.map_err(|_broke_off| closed())?;
        Ok(response.body(Either::Left(Full::from(body))).unwrap())
    }

    async fn refuse_lines(
        &self,
        head: &hyper::http::request::Parts,
        body: &Bytes,
        start: &'static str,
    ) -> Result<Response<Body>, std::io::Error> {
        let text = unpacked(head, body);
        let (refused, good): (Vec<&str>, Vec<&str>) =
            text.split_inclusive('\n').partition(|line| line.starts_with(start));
        if refused.is_empty() {
            return self.pass_on(head, body.clone(), true).await;
        }
        if !good.is_empty() {
            let mut plain = head.clone();
            plain.headers.remove("content-encoding");
            self.pass_on(&plain, Bytes::from(good.concat()), true).await?;
        }
        self.played();
        let count = refused.len();
        let words = format!("partial write: field type conflict in {start} dropped={count}");
        let body = serde_json::json!({ "error": words }).to_string();
        let response = Response::builder().status(400).header("x-influxdb-version", "1.6.7");
        Ok(response.body(Either::Left(Full::from(body))).unwrap())
    }

    fn take(&self, head: &hyper::http::request::Parts, body: &[u8]) {
        let text = unpacked(head, body);
        let mut book = lock(&self.book);
        for line in text.lines().filter(|line| ONE_EACH.iter().any(|name| line.starts_with(name))) {
            let mut hasher = DefaultHasher::new();
            identity(line).hash(&mut hasher);
            book.events += 1;
            book.points.insert(hasher.finish());
        }
        drop(book);
        self.taken.send_modify(|taken| *taken += 1);
    }

    fn played(&self) {
        self.played.send_modify(|played| *played += 1);
    }
}

/// The lines of a write.
fn unpacked(head: &hyper::http::request::Parts, body: &[u8]) -> String {
    let mut text = String::new();
    if head.headers.get("content-encoding").is_some_and(|encoding| encoding == "gzip") {
        flate2::read::GzDecoder::new(body).read_to_string(&mut text).unwrap();
    } else {
        text.push_str(std::str::from_utf8(body).unwrap());
    }
    text
}

/// What makes a point: measurement and tags, and the time.
fn identity(line: &str) -> (&str, &str) {
    let mut escaped = false;
    let end = line.bytes().position(|byte| {
        let ends = byte == b' ' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    let (series, rest) = line.split_at(end.unwrap_or(line.len()));
    (series, rest.rsplit(' ').next().unwrap_or_default())
}

fn closed() -> std::io::Error {
    std::io::Error::other("the door closes the connection")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_its_series_and_its_time() {
        assert_eq!(identity(r#"m,a\ b=c f="x y",g=1 17"#), (r"m,a\ b=c", "17"));
        assert_eq!(identity("m f=1 18"), ("m", "18"));
    }
}
