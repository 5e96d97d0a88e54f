//! Headless Chromium, driven by its `DevTools` protocol. Commands and answers are JSON, each ended
//! by a NUL, on the file descriptors 3 and 4.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

/// A browser with one page.
pub(crate) struct Browser {
    child: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// The page that commands are for; `None` for the browser itself, before it has a page.
    page: Option<String>,
    sent: u64,
    complaints: Vec<String>,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// Starts Chromium (Debian package chromium). If it is not installed, says that the test is
    /// skipped, and returns `None`.
    pub(crate) fn start() -> Option<Self> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        if !std::env::split_paths(&path).any(|folder| folder.join("chromium").exists()) {
            let may_skip = std::env::var_os("MAILEXPECT_NO_SKIP").is_none();
            assert!(may_skip, "no test may be skipped here: there is no chromium");
            eprintln!("skipped: there is no chromium");
            return None;
        }
        let profile = tempfile::tempdir().unwrap();
        // The shell gives Chromium the descriptors 3 and 4.
        let mut child = Command::new("sh")
            .args(["-c", "exec chromium \"$@\" 3<&0 4>&1 </dev/null >&2", "chromium"])
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe"])
            // Without these, Chromium looks for updates and news on the network.
            .args(["--disable-background-networking", "--disable-component-update"])
            .args(["--disable-sync", "--no-first-run", "--disable-quic", "--disable-default-apps"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let commands = child.stdin.take().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        let (page, sent, complaints) = (None, 0, Vec::new());
        let mut browser =
            Self { child, commands, answers, page, sent, complaints, _profile: profile };
        let page = browser.ask("Target.createTarget", json!({"url": "about:blank"}));
        let page = json!({"targetId": page["targetId"], "flatten": true});
        let page = browser.ask("Target.attachToTarget", page)["sessionId"].clone();
        browser.page = Some(page.as_str().unwrap().to_owned());
        for domain in ["Page", "Runtime", "Log"] {
            browser.ask(&format!("{domain}.enable"), json!({}));
        }
        Some(browser)
    }

    /// Opens a file in a window of this width and colour scheme, and waits until it is loaded.
    pub(crate) fn open(&mut self, file: &Path, query: &str, width: u32, scheme: &str) {
        let is_phone = width < 600;
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            json!({"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": is_phone}),
        );
        let scheme = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.ask("Emulation.setEmulatedMedia", json!({"features": scheme}));
        let url = format!("file://{}{query}", file.display());
        // Another page comes first, because a link to a place in the same page would not load it.
        for url in ["about:blank", &url] {
            self.ask("Page.navigate", json!({ "url": url }));
            while self.message()["method"] != "Page.loadEventFired" {}
        }
    }

    /// The value of an expression in the page.
    pub(crate) fn value(&mut self, expression: &str) -> Value {
        let evaluate = json!({"expression": expression, "returnByValue": true});
        let answer = self.ask("Runtime.evaluate", evaluate);
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// Presses a key: a letter, or a named key.
    pub(crate) fn press(&mut self, key: &str) {
        let (code, text) = match key {
            "Tab" => (9, ""),
            "Enter" => (13, "\r"),
            "Escape" => (27, ""),
            letter => (0, letter),
        };
        for event in ["keyDown", "keyUp"] {
            let text = if event == "keyDown" { text } else { "" };
            self.ask(
                "Input.dispatchKeyEvent",
                json!({"type": event, "key": key, "text": text, "windowsVirtualKeyCode": code}),
            );
        }
    }

    /// The complaints of the browser so far: errors of scripts, and what the policy refused.
    pub(crate) fn complaints(&self) -> &[String] {
        &self.complaints
    }

    fn ask(&mut self, method: &str, params: Value) -> Value {
        self.sent += 1;
        let mut command = json!({"id": self.sent, "method": method});
        command["params"] = params;
        if let Some(page) = &self.page {
            command["sessionId"] = page.as_str().into();
        }
        self.commands.write_all(format!("{command}\0").as_bytes()).unwrap();
        loop {
            let mut answer = self.message();
            if answer["id"] == self.sent {
                assert!(answer["error"].is_null(), "{method}: {answer}");
                return answer["result"].take();
            }
        }
    }

    fn message(&mut self) -> Value {
        let mut message = Vec::new();
        self.answers.read_until(0, &mut message).unwrap();
        assert_eq!(message.pop(), Some(0), "Chromium has ended");
        let message: Value = serde_json::from_slice(&message).unwrap();
        let complaints = ["Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"];
        if complaints.iter().any(|method| message["method"] == *method) {
            self.complaints.push(message["params"].to_string());
        }
        message
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
