//! Client scripts of Exim's test suite: `client HOST PORT`, then `??? prefix`, `????` (lines that
//! may come), `???*` (the server closes), `>>> raw`, `+++ seconds`, and the lines to send, up to
//! `****`.

use super::lines::Lines;
use super::literal::escaped;
use super::words::speech_of;
use super::{Act, Read, Step, Unread, line};
use crate::proto::Speech;

/// Whether a line starts a client.
pub(super) fn is_command(line: &str) -> bool {
    let mut words = line.split_whitespace();
    let word = words.next().unwrap_or_default();
    let port = words.next_back().unwrap_or_default();
    let is_port = port.starts_with("PORT_") || port.parse::<u16>().is_ok();
    (word == "client" || word.starts_with("client-")) && (is_port || line.contains(" PORT_"))
}

pub(super) fn read(text: &str) -> Read {
    // Without a line that starts one, all of it is what a client says.
    let is_client = !text.lines().any(is_command);
    let mut script = Script { is_client, ..Script::default() };
    for (n, line) in text.lines().enumerate() {
        script.line(n + 1, line);
    }
    script.flush();
    script.read
}

#[derive(Default)]
struct Script {
    read: Read,
    sessions: usize,
    is_client: bool,
    lines: Lines,
    message: bool,
    /// Lines that may come before the next one.
    skips: bool,
}

impl Script {
    fn line(&mut self, at: usize, line: &str) {
        if is_command(line) {
            self.is_client = true;
            return self.connect(at, line);
        }
        if line == "****" {
            self.flush();
            self.is_client = !self.is_client && self.sessions == 0;
            return;
        }
        if !self.is_client {
            let is_comment = line.trim().is_empty() || line.starts_with('#');
            if !is_comment {
                self.unread(at, line, "no part of a client's script");
            }
            return;
        }
        if self.sessions == 0 {
            self.connect(at, "client");
        }
        if line == "???*" {
            self.flush();
            self.act(at, Act::Closed);
        } else if let Some(prefix) = line.strip_prefix("????") {
            self.skips = true;
            if !prefix.trim().is_empty() {
                self.lines.push(
                    at,
                    &format!("(?:{}.*\\r\\n)*", escaped(prefix.trim_start())),
                    false,
                    true,
                );
                self.skips = false;
            }
        } else if let Some(prefix) = line.strip_prefix("???") {
            self.expect(at, prefix.strip_prefix(' ').unwrap_or(prefix));
        } else if let Some(raw) = line.strip_prefix(">>>") {
            self.flush();
            self.act(at, Act::Raw(unescaped(raw.strip_prefix(' ').unwrap_or(raw))));
        } else if line.starts_with("+++") {
            self.unread(at, line, "there is no waiting for a time to pass");
        } else if line.starts_with("<<<") || line.starts_with("stoptls") {
            self.unread(at, line, "there is no such word in scripts of mailexpect");
        } else if line.eq_ignore_ascii_case("starttls") {
            self.flush();
            self.send(at, line);
            self.act(at, Act::Match("^(?:220|OK|\\+OK)".to_owned()));
            self.act(at, Act::Handshake);
        } else {
            self.flush();
            self.send(at, line);
        }
    }

    fn connect(&mut self, at: usize, line: &str) {
        self.flush();
        self.message = false;
        let words: Vec<_> =
            line.split_whitespace().skip(1).filter(|word| !word.starts_with('-')).collect();
        let port = words.get(1).and_then(|port| port.parse::<u16>().ok());
        let is_tls = line.contains("-tls-on-connect");
        let scheme = port.and_then(line::scheme).unwrap_or(if is_tls { "smtps" } else { "smtp" });
        let place = words.first().zip(port).map(|(host, port)| format!("{host}:{port}"));
        self.sessions += 1;
        self.act(at, Act::Connect { scheme, place });
    }

    fn expect(&mut self, at: usize, prefix: &str) {
        self.message |= prefix.starts_with("354");
        let goes_on = prefix.as_bytes().get(3) == Some(&b'-');
        let skips = std::mem::take(&mut self.skips);
        self.lines.push(at, &escaped(prefix), skips, goes_on);
        if !goes_on {
            self.flush();
        }
    }

    fn send(&mut self, at: usize, line: &str) {
        let bytes = unescaped(line);
        let owes = !self.message || line == ".";
        self.message &= line != ".";
        let is_imap = speech_of(line) == Some(Speech::Imap);
        let secret = super::words::secret(line, is_imap).filter(|_| bytes == line.as_bytes());
        self.act(at, Act::Send { line: bytes, secret, owes });
    }

    fn flush(&mut self) {
        self.skips = false;
        if let Some((at, regex)) = self.lines.take() {
            self.act(at, Act::Match(regex));
        }
    }

    fn act(&mut self, line: usize, act: Act) {
        let session = self.sessions.saturating_sub(1);
        self.read.steps.push(Step { line, session, act, remark: None });
    }

    fn unread(&mut self, line: usize, text: &str, why: &str) {
        self.read.unread.push(Unread { line, text: text.to_owned(), why: why.to_owned() });
    }
}

/// `\r`, `\n` and `\xHH` stand for bytes.
fn unescaped(text: &str) -> Vec<u8> {
    crate::visible::unescape(text)
}
