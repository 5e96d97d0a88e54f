//! Transcripts and goldens of this program.

use std::collections::BTreeMap;

use super::assembler::Assembler;
use super::shell::Target;
use super::{Act, Read};
use crate::target::{self, Endpoint};
use crate::transcript::octets;

pub(super) fn read(text: &str) -> Read {
    let mut recorded = Recorded::default();
    let mut header = 0;
    for (n, line) in text.lines().enumerate() {
        // The header of an insta file stands between two lines of dashes.
        if line == "---" && (n == 0 || header == 1) {
            header += 1;
            continue;
        }
        if header != 1 && !line.trim().is_empty() {
            recorded.line(n + 1, line);
        }
    }
    recorded.assembler.finish()
}

#[derive(Default)]
struct Recorded {
    assembler: Assembler,
    /// The index of each session, by its tag.
    sessions: BTreeMap<String, usize>,
}

impl Recorded {
    fn line(&mut self, at: usize, whole: &str) {
        let line = whole.trim_start();
        let (tag, line) = match line.split_once(' ') {
            Some((tag, rest)) if is_tag(tag) => (tag, rest),
            _ => ("", line),
        };
        if let Some(session) = self.sessions.get(tag) {
            self.assembler.go_on_with(*session);
        }
        if let Some(said) = line.strip_prefix("S:") {
            self.said(at, said, true);
        } else if let Some(said) = line.strip_prefix("C:") {
            self.said(at, said, false);
        } else if let Some(happened) = line.strip_prefix("*** ") {
            self.happened(at, tag, happened, whole);
        } else {
            self.assembler.unread(at, whole, "no line of a transcript");
        }
    }

    fn said(&mut self, at: usize, said: &str, is_server: bool) {
        let said = said.strip_prefix(' ').unwrap_or(said);
        let said = said.split_once(" \u{2192} ").map_or(said, |(said, _)| said);
        let bytes = octets(said);
        match bytes.strip_suffix(b"\r\n").map(std::str::from_utf8) {
            Some(Ok(line)) if !line.contains(['\r', '\n']) && is_server => {
                self.assembler.server(at, line, None);
            }
            Some(Ok(line)) if !line.contains(['\r', '\n']) => self.assembler.client(at, line, None),
            _ if is_server => {
                // No line, but a part of one, or lines with other line ends.
                let pattern = super::literal::escaped(&String::from_utf8_lossy(&bytes));
                let pattern = super::literal::regex(&format!("\\A{pattern}"));
                self.assembler.act(at, Act::Statement(format!("$.expect_bytes({pattern});")));
            }
            _ => self.assembler.act(at, Act::Raw(bytes)),
        }
    }

    fn happened(&mut self, at: usize, tag: &str, happened: &str, whole: &str) {
        if let Some(url) = happened.strip_prefix("connecting to ") {
            self.connect(at, tag, url, whole);
        } else if let Some(title) = happened.strip_prefix("step: ") {
            self.assembler.act(at, Act::Step(title.to_owned()));
        } else if happened.starts_with("TLS ") && !happened.contains("failed") {
            // The handshake of `smtps` and similar schemes comes before anything is said, and
            // connecting does it.
            if !self.assembler.is_silent() {
                self.assembler.act(at, Act::Handshake);
            }
        } else if happened == "closed by the server" || happened == "reset by the server" {
            self.assembler.act(at, Act::Closed);
        } else if happened.starts_with("closed ") {
            self.assembler.act(at, Act::Close);
        } else if !happened.ends_with(" connected")
            && !["MX of ", "A of ", "AAAA of "].iter().any(|look_up| happened.starts_with(look_up))
            && !happened.ends_with(" refused")
        {
            self.assembler.unread(at, whole, "what happened here is nothing to be said again");
        }
    }

    fn connect(&mut self, at: usize, tag: &str, url: &str, whole: &str) {
        let Ok(target) = target::Target::parse(url) else {
            // In a golden, the port is a token, so the URL cannot be parsed.
            let scheme = url.split("://").next().unwrap_or_default();
            self.assembler.connect(at, None);
            self.name(tag, scheme);
            return;
        };
        if let Endpoint::Host { host, port } = target.endpoint {
            let place = Target { host, port: Some(port), ..Target::default() };
            self.assembler.connect(at, Some(&place));
        } else {
            self.assembler.connect(at, None);
            self.assembler.unread(at, whole, "the place is a parameter now");
        }
        self.name(tag, target.scheme.name);
    }

    fn name(&mut self, tag: &str, scheme: &str) {
        let session = self.sessions.len();
        self.sessions.insert(tag.to_owned(), session);
        if let Some(speech) = target::speech(&format!("{scheme}://")) {
            self.assembler.speak(speech);
        }
        if scheme.ends_with('s') {
            self.assembler.begin_with_tls();
        }
    }
}

fn is_tag(tag: &str) -> bool {
    tag.strip_prefix('s').is_some_and(|number| {
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}
