//! A real browser without a window, spoken to over its debugging pipe.
//!
//! The protocol is JSON with a zero byte after each message; the browser reads it from file
//! descriptor 3 and writes it to 4, which a shell connects, since it cannot be done from here.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use crate::patience::{BETWEEN_LOOKS, PATIENCE};

/// Messages of the browser that wait to be read.
const MESSAGES: usize = 10_000;
/// As root it needs leave to run without a sandbox; a container has little shared memory.
const START: &str = "exec chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage \
    --no-first-run --disable-background-networking --disable-component-update --hide-scrollbars \
    --remote-debugging-pipe --user-data-dir=\"$0\" 3<&0 4>&1 >/dev/null 2>\"$0/log\"";

/// The browser; it ends with its handle.
#[derive(Debug)]
pub struct Chromium {
    child: Child,
    to: ChildStdin,
    from: mpsc::Receiver<Value>,
    profile: TempDir,
    calls: u64,
    /// What it said without being asked.
    events: Vec<Value>,
}

/// How a page is looked at.
#[derive(Clone, Copy, Debug)]
pub struct View {
    /// Width of the window, in pixels.
    pub width: u32,
    /// Height of the window, in pixels.
    pub height: u32,
    /// Whether the person likes it dark.
    pub dark: bool,
    /// Whether scripts run.
    pub scripts: bool,
}

/// An open page.
#[derive(Clone, Debug)]
pub struct Tab(String);

impl Chromium {
    /// Starts it.
    pub fn start() -> Self {
        let profile = tempfile::tempdir().unwrap();
        let mut child = Command::new("sh")
            .args(["-c", START])
            .arg(profile.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (to, out) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (sender, from) = mpsc::channel(MESSAGES);
        std::thread::spawn(move || {
            let mut out = BufReader::new(out);
            let mut message = Vec::new();
            while out.read_until(0, &mut message).is_ok_and(|bytes| bytes > 0) {
                message.pop();
                let Ok(value) = serde_json::from_slice(&message) else { return };
                if sender.blocking_send(value).is_err() {
                    return;
                }
                message.clear();
            }
        });
        Self { child, to, from, profile, calls: 0, events: Vec::new() }
    }

    /// Opens a page.
    pub async fn open(&mut self, url: &str, view: View) -> Tab {
        let target = self.call(None, "Target.createTarget", json!({"url": "about:blank"})).await;
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let attached = self.call(None, "Target.attachToTarget", attach).await;
        let tab = Tab(attached["sessionId"].as_str().unwrap().to_owned());
        for domain in ["Page.enable", "Log.enable", "Runtime.enable"] {
            self.call(Some(&tab), domain, json!({})).await;
        }
        let View { width, height, dark, scripts } = view;
        let size =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.call(Some(&tab), "Emulation.setDeviceMetricsOverride", size).await;
        let scheme = if dark { "dark" } else { "light" };
        let liking = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.call(Some(&tab), "Emulation.setEmulatedMedia", liking).await;
        let off = json!({"value": !scripts});
        self.call(Some(&tab), "Emulation.setScriptExecutionDisabled", off).await;
        self.call(Some(&tab), "Page.navigate", json!({"url": url})).await;
        self.until(&tab, "document.readyState === 'complete' && location.href !== 'about:blank'")
            .await;
        tab
    }

    /// What an expression in a page gives; also in one whose own scripts are off.
    pub async fn evaluate(&mut self, tab: &Tab, expression: &str) -> Value {
        let asked = json!({"expression": expression, "returnByValue": true});
        let answer = self.call(Some(tab), "Runtime.evaluate", asked).await;
        assert!(answer.get("exceptionDetails").is_none(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// Waits until an expression in a page is true.
    pub async fn until(&mut self, tab: &Tab, expression: &str) {
        let deadline = Instant::now() + PATIENCE;
        while self.evaluate(tab, expression).await != Value::Bool(true) {
            if Instant::now() >= deadline {
                let text = self.evaluate(tab, "document.body.innerText").await;
                panic!("waited {PATIENCE:?} in vain for: {expression} in:\n{text}");
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
    }

    /// A picture of what is seen, as a PNG file.
    pub async fn picture(&mut self, tab: &Tab, path: &Path) {
        let shot = self.call(Some(tab), "Page.captureScreenshot", json!({"format": "png"})).await;
        let encoded = shot["data"].as_str().unwrap();
        let bytes = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, encoded);
        std::fs::write(path, bytes.unwrap()).unwrap();
    }

    /// The errors and warnings that the pages have put into their consoles so far: scripts that
    /// failed, files that are missing, whatever the content security policy forbade.
    pub fn complaints(&self) -> Vec<String> {
        let said = self.events.iter().filter(|event| match event["method"].as_str() {
            Some("Runtime.exceptionThrown") => true,
            Some("Log.entryAdded") => event["params"]["entry"]["level"] != "info",
            Some("Runtime.consoleAPICalled") => event["params"]["type"] != "log",
            _ => false,
        });
        said.map(|event| event["params"].to_string()).collect()
    }

    async fn call(&mut self, tab: Option<&Tab>, method: &str, params: Value) -> Value {
        self.calls += 1;
        let id = self.calls;
        let mut message = json!({"id": id, "method": method, "params": params});
        if let Some(Tab(session)) = tab {
            message["sessionId"] = json!(session);
        }
        let written = self.to.write_all(format!("{message}\0").as_bytes());
        if written.is_err() {
            self.fail(method);
        }
        loop {
            let Ok(Some(answer)) = timeout(PATIENCE, self.from.recv()).await else {
                self.fail(method);
            };
            if answer["id"] == id {
                assert!(answer.get("error").is_none(), "{method}: {answer}");
                return answer["result"].clone();
            }
            self.events.push(answer);
        }
    }

    fn fail(&self, method: &str) -> ! {
        let log = std::fs::read_to_string(self.profile.path().join("log")).unwrap_or_default();
        panic!("chromium does not answer {method}; ./test installs it. It printed:\n{log}");
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // It may have ended by itself; its own children end when it is gone.
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}
