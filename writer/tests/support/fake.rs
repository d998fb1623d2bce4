//! A strict, scripted InfluxDB 1.x, for the answers that a healthy one does not give.
//!
//! It refuses, with a panic in the test, whatever a writer must not send: another path or
//! parameter, a body without gzip, a line that is no line protocol. Written over plain sockets, so
//! that it can also hang, answer by halves and hang up.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;
use std::io::Read as _;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// How a request is answered.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// 204: the lines count as stored.
    Stored,
    /// As [`Reply::Stored`], but late.
    StoredAfter(Duration),
    /// A status, header lines and a body.
    Answer(u16, &'static str, String),
    /// As a partial write: the lines given are stored, and this is said.
    Partly(Vec<String>, String),
    /// Never.
    Hang,
    /// With half a status line, then hangs up.
    HalfHead,
    /// With a 400 whose body ends too early.
    HalfBody,
    /// Hangs up before the body of the request is read.
    HangUp,
}

/// An error of InfluxDB.
pub(crate) fn error(status: u16, words: &str) -> Reply {
    Reply::Answer(status, "", serde_json::json!({ "error": words }).to_string())
}

type Rule = Box<dyn FnMut(&[String]) -> Reply + Send>;

#[derive(Default)]
struct State {
    script: VecDeque<Reply>,
    rule: Option<Rule>,
    /// The lines of each write, in order of arrival.
    writes: Vec<(Instant, Vec<String>)>,
    queries: Vec<String>,
    query_replies: VecDeque<Reply>,
    stored: BTreeSet<String>,
    authorizations: BTreeSet<String>,
    broken: Option<String>,
}

/// A scripted InfluxDB.
pub(crate) struct Fake {
    state: Arc<Mutex<State>>,
    port: u16,
    server: JoinHandle<()>,
}

impl Fake {
    /// Listens on a free port.
    pub(crate) async fn start(script: impl IntoIterator<Item = Reply>) -> Self {
        Self::start_on(super::free_port(), script).await
    }

    /// Listens on a port.
    pub(crate) async fn start_on(port: u16, script: impl IntoIterator<Item = Reply>) -> Self {
        let state = Arc::new(Mutex::new(State {
            script: script.into_iter().collect(),
            ..State::default()
        }));
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let shared = Arc::clone(&state);
        let server = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let state = Arc::clone(&shared);
                connections.spawn(async move {
                    if let Err(why) = serve(stream, &state).await {
                        state.lock().unwrap().broken.get_or_insert(why);
                    }
                });
            }
        });
        Self { state, port, server }
    }

    /// Where it listens.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Decides about writes once the script is over.
    pub(crate) fn rule(&self, rule: impl FnMut(&[String]) -> Reply + Send + 'static) {
        self.state.lock().unwrap().rule = Some(Box::new(rule));
    }

    /// Answers the next queries.
    pub(crate) fn answer_queries(&self, replies: impl IntoIterator<Item = Reply>) {
        self.state.lock().unwrap().query_replies.extend(replies);
    }

    /// The lines of each write so far.
    pub(crate) fn writes(&self) -> Vec<Vec<String>> {
        self.state.lock().unwrap().writes.iter().map(|(_, lines)| lines.clone()).collect()
    }

    /// When each write came.
    pub(crate) fn times(&self) -> Vec<Instant> {
        self.state.lock().unwrap().writes.iter().map(|(time, _)| *time).collect()
    }

    /// The statements of all queries so far.
    pub(crate) fn queries(&self) -> Vec<String> {
        self.state.lock().unwrap().queries.clone()
    }

    /// The `Authorization` headers seen.
    pub(crate) fn authorizations(&self) -> Vec<String> {
        self.state.lock().unwrap().authorizations.iter().cloned().collect()
    }

    /// The lines stored.
    pub(crate) fn stored(&self) -> BTreeSet<String> {
        self.state.lock().unwrap().stored.clone()
    }

    /// Tells of a text whether a line that contains it is stored.
    pub(crate) fn has_stored(&self) -> impl Fn(&str) -> bool + Send + Sync + 'static {
        let state = Arc::clone(&self.state);
        move |text| state.lock().unwrap().stored.iter().any(|line| line.contains(text))
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.server.abort();
        let broken = self.state.lock().unwrap().broken.take();
        if let (Some(why), false) = (broken, std::thread::panicking()) {
            panic!("the writer sent what it must not send: {why}");
        }
    }
}

struct Received {
    target: String,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

async fn serve(mut stream: TcpStream, state: &Mutex<State>) -> Result<(), String> {
    while let Some((target, headers)) = read_head(&mut stream).await? {
        let length: usize = headers.get("content-length").map_or(0, |text| text.parse().unwrap());
        let is_write = target.starts_with("/write?");
        if is_write && matches!(state.lock().unwrap().script.front(), Some(Reply::HangUp)) {
            state.lock().unwrap().script.pop_front();
            return Ok(());
        }
        let mut body = vec![0; length];
        if stream.read_exact(&mut body).await.is_err() {
            return Ok(());
        }
        let received = Received { target, headers, body };
        let reply = if is_write {
            let lines = check_write(&received)?;
            let mut state = state.lock().unwrap();
            if let Some(who) = received.headers.get("authorization") {
                state.authorizations.insert(who.clone());
            }
            state.writes.push((Instant::now(), lines.clone()));
            let reply = match state.script.pop_front() {
                Some(reply) => reply,
                None => state.rule.as_mut().map_or(Reply::Stored, |rule| rule(&lines)),
            };
            (reply, lines)
        } else {
            (answer_query(&received, state)?, Vec::new())
        };
        if !send(&mut stream, reply, state).await {
            return Ok(());
        }
    }
    Ok(())
}

async fn read_head(
    stream: &mut TcpStream,
) -> Result<Option<(String, BTreeMap<String, String>)>, String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return Ok(None),
        }
    }
    let head = String::from_utf8(head).map_err(|error| error.to_string())?;
    let mut lines = head.trim_end().lines();
    let request = lines.next().unwrap_or_default();
    let target = request
        .strip_prefix("POST ")
        .and_then(|rest| rest.strip_suffix(" HTTP/1.1"))
        .ok_or_else(|| format!("not a POST: {request}"))?;
    let headers = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    Ok(Some((target.to_owned(), headers)))
}

fn check_write(received: &Received) -> Result<Vec<String>, String> {
    if received.target != "/write?db=sense+ops&precision=ns" {
        return Err(format!("another target: {}", received.target));
    }
    if received.headers.get("content-encoding").map(String::as_str) != Some("gzip") {
        return Err("no gzip".to_owned());
    }
    let mut text = String::new();
    flate2::read::GzDecoder::new(&received.body[..])
        .read_to_string(&mut text)
        .map_err(|error| error.to_string())?;
    let text = text.strip_suffix('\n').ok_or("no line feed at the end")?;
    let lines: Vec<String> = text.split('\n').map(ToOwned::to_owned).collect();
    for line in &lines {
        check_line(line).map_err(|why| format!("{why}: {line}"))?;
    }
    Ok(lines)
}

/// Checks the shape of a line: three parts, tags sorted and not empty, fields with values.
fn check_line(line: &str) -> Result<(), &'static str> {
    let parts = split_unescaped(line, ' ');
    let [series, fields, time] = &parts[..] else {
        return Err("not three parts");
    };
    time.parse::<i64>().map_err(|_| "no timestamp")?;
    let tags: Vec<String> = split_unescaped(series, ',').into_iter().skip(1).collect();
    if !tags.is_sorted() {
        return Err("tags are not sorted");
    }
    for pair in tags.iter().chain(&split_unescaped(fields, ',')) {
        match &split_unescaped(pair, '=')[..] {
            [name, value] if !name.is_empty() && !value.is_empty() => {}
            _ => return Err("a tag or field without name or value"),
        }
    }
    Ok(())
}

/// Splits outside of quotes, where the separator has no backslash before it.
fn split_unescaped(text: &str, separator: char) -> Vec<String> {
    let (mut parts, mut quoted, mut escaped) = (vec![String::new()], false, false);
    for character in text.chars() {
        if character == separator && !quoted && !escaped {
            parts.push(String::new());
            continue;
        }
        quoted ^= character == '"' && !escaped;
        escaped = character == '\\' && !escaped;
        parts.last_mut().unwrap().push(character);
    }
    parts
}

fn answer_query(received: &Received, state: &Mutex<State>) -> Result<Reply, String> {
    let url: url::Url = format!("http://fake{}", received.target).parse().unwrap();
    let statement = url.query_pairs().find(|(name, _)| name == "q");
    let Some((_, statement)) = statement.filter(|_| url.path() == "/query") else {
        return Err(format!("another target: {}", received.target));
    };
    let mut state = state.lock().unwrap();
    state.queries.push(statement.into_owned());
    let done = Reply::Answer(200, "", r#"{"results":[{"statement_id":0}]}"#.to_owned());
    Ok(state.query_replies.pop_front().unwrap_or(done))
}

/// Answers; says whether the connection goes on.
async fn send(stream: &mut TcpStream, reply: (Reply, Vec<String>), state: &Mutex<State>) -> bool {
    let (reply, lines) = reply;
    let mut text = String::new();
    let mut goes_on = true;
    let (status, headers, body) = match reply {
        Reply::Stored => {
            state.lock().unwrap().stored.extend(lines);
            (204, "", String::new())
        }
        Reply::StoredAfter(wait) => {
            tokio::time::sleep(wait).await;
            state.lock().unwrap().stored.extend(lines);
            (204, "", String::new())
        }
        Reply::Answer(status, headers, body) => (status, headers, body),
        Reply::Partly(good, words) => {
            state.lock().unwrap().stored.extend(good);
            (400, "", serde_json::json!({ "error": words }).to_string())
        }
        Reply::Hang => std::future::pending().await,
        Reply::HalfHead => {
            let _sent = stream.write_all(b"HTTP/1.1 20").await;
            return false;
        }
        Reply::HalfBody => {
            goes_on = false;
            (400, "X-Half: yes\r\n", "{\"error\":\"partial write".to_owned())
        }
        Reply::HangUp => return false,
    };
    // Half a body announces more than it has.
    let length = body.len() + usize::from(!goes_on) * 50;
    write!(text, "HTTP/1.1 {status} Said\r\n{headers}").unwrap();
    if status != 204 {
        write!(text, "Content-Length: {length}\r\n").unwrap();
    }
    write!(text, "X-Influxdb-Version: 1.6.7\r\n\r\n{body}").unwrap();
    stream.write_all(text.as_bytes()).await.is_ok() && goes_on
}
