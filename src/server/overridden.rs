//! A dialogue that behaves well except for what rules say.

use std::sync::Arc;

use base64::prelude::{BASE64_STANDARD, Engine as _};

use super::conduct::{Conduct, Step};
use super::dialogue::{Dialogue, Next, Said};
use super::rules::{GREETING, MESSAGE, RESPONSE, Rules};
use crate::proto::{Speech, chomp};

/// A dialogue and the rules that come before it.
#[derive(Debug)]
pub(super) struct Overridden {
    inner: Box<dyn Dialogue>,
    rules: Arc<Rules>,
    speech: Speech,
    /// The tag of the command whose challenge the client answers now, if it does.
    asked: Option<String>,
}

impl Overridden {
    pub(super) fn new(inner: Box<dyn Dialogue>, rules: Arc<Rules>, speech: Speech) -> Self {
        Self { inner, rules, speech, asked: None }
    }

    /// The command that rules look at: of IMAP without its tag, and without UID.
    fn command<'a>(&self, line: &'a str) -> (&'a str, &'a str) {
        if self.speech != Speech::Imap {
            return ("", line);
        }
        let (tag, command) = line.split_once(' ').unwrap_or(("", line));
        let uid = command.get(..4).is_some_and(|word| word.eq_ignore_ascii_case("UID "));
        (tag, if uid { &command[4..] } else { command })
    }
}

/// Does what a rule says, of which `well` is the good answer.
fn conduct(conduct: &Conduct, tag: &str, well: impl FnOnce() -> Said) -> Said {
    let tag = format!("{tag} ");
    let mut well = Some(well);
    let mut said = Said::nothing();
    for step in &conduct.0 {
        match step {
            Step::Say(bytes) => said.bytes.extend(with_tag(bytes, &tag)),
            Step::Wait(time) => said.wait += *time,
            Step::Drip => said.drips = true,
            Step::Then(next) => said.next = *next,
            Step::Flood(octets) => said.bytes.resize(said.bytes.len() + octets, b'x'),
            Step::Well | Step::Without(_) | Step::Cut(_) | Step::Forge => {
                let Some(well) = well.take() else { continue };
                let good = well();
                said.next = good.next;
                match step {
                    Step::Without(word) => said.bytes.extend(without(&good.bytes, word)),
                    Step::Forge => said.bytes.extend(forged(good.bytes)),
                    Step::Cut(octets) => {
                        said.bytes.extend(good.bytes.into_iter().take(*octets));
                        said.next = Next::Cut;
                    }
                    _ => said.bytes.extend(good.bytes),
                }
            }
        }
    }
    said
}

fn with_tag(bytes: &[u8], tag: &str) -> Vec<u8> {
    match bytes.strip_prefix(b"{tag}") {
        Some(rest) => [tag.as_bytes(), rest].concat(),
        None => bytes.to_vec(),
    }
}

/// A reply without a word, and without the lines that say nothing else.
fn without(reply: &[u8], word: &str) -> Vec<u8> {
    let mut lines: Vec<Vec<u8>> = Vec::new();
    for line in reply.split_inclusive(|byte| *byte == b'\n') {
        let text = String::from_utf8_lossy(chomp(line)).into_owned();
        let is_it = |found: &str| {
            let found =
                found.trim_matches(|char: char| !char.is_ascii_alphanumeric() && char != '=');
            found.eq_ignore_ascii_case(word)
        };
        let first = |text: &str| is_it(text.split(' ').next().unwrap_or_default());
        if text.get(4..).is_some_and(first) || first(&text) {
            continue;
        }
        let kept: Vec<_> =
            text.split(' ').filter(|found| found.is_empty() || !is_it(found)).collect();
        lines.push(format!("{}\r\n", kept.join(" ")).into_bytes());
    }
    // The last line of an SMTP reply has no hyphen.
    if let Some(last) = lines.last_mut()
        && last.get(..3).is_some_and(|code| code.iter().all(u8::is_ascii_digit))
        && last.get(3) == Some(&b'-')
    {
        last[3] = b' ';
    }
    lines.concat()
}

/// A challenge in which the server proves itself, with one character of the proof another one; any
/// other reply as it is (RFC 5802 section 5.1).
fn forged(reply: Vec<u8>) -> Vec<u8> {
    let text = String::from_utf8_lossy(chomp(&reply)).into_owned();
    let (head, last) = text.rsplit_once(' ').unwrap_or(("", &text));
    let proof = BASE64_STANDARD.decode(last.trim_matches('"')).unwrap_or_default();
    let Some(byte) = proof.get(2).copied().filter(|_| proof.starts_with(b"v=")) else {
        return reply;
    };
    let mut forged = proof;
    forged[2] = if byte == b'A' { b'B' } else { b'A' };
    let quote = if last.starts_with('"') { "\"" } else { "" };
    let encoded = BASE64_STANDARD.encode(forged);
    format!("{head} {quote}{encoded}{quote}\r\n").trim_start().to_owned().into_bytes()
}

/// Whether a conduct says no: what it is an answer to has not happened then.
fn refuses(conduct: &Conduct) -> bool {
    let first = conduct.0.iter().find_map(|step| match step {
        Step::Say(bytes) => Some(bytes.as_slice()),
        _ => None,
    });
    let has_well = conduct
        .0
        .iter()
        .any(|step| matches!(step, Step::Well | Step::Without(_) | Step::Cut(_) | Step::Forge));
    let yes: [&[u8]; 5] = [b"2", b"3", b"+", b"{tag}OK", b"OK"];
    let is_yes = first.is_some_and(|first| yes.iter().any(|yes| first.starts_with(yes)));
    !has_well && !is_yes
}

impl Dialogue for Overridden {
    fn greeting(&mut self) -> Said {
        if self.rules.is_too_many() {
            return Said::new(match self.speech {
                Speech::Imap => "* BYE Too many connections\r\n",
                Speech::Pop3 => "-ERR [SYS/TEMP] Too many connections\r\n",
                Speech::Sieve => "BYE (TRYLATER) \"Too many connections\"\r\n",
                Speech::Smtp | Speech::Lmtp | Speech::Stream => {
                    "421 4.7.0 Too many connections\r\n"
                }
            })
            .then(Next::Close);
        }
        match Arc::clone(&self.rules).turn(GREETING) {
            Some(rule) => conduct(rule, "*", || self.inner.greeting()),
            None => self.inner.greeting(),
        }
    }

    fn idle(&mut self) -> Said {
        self.inner.idle()
    }

    fn line(&mut self, text: &[u8]) -> Said {
        let line = String::from_utf8_lossy(text).into_owned();
        let asked = self.asked.take();
        let (tag, command) = match &asked {
            Some(tag) => (tag.as_str(), RESPONSE),
            None => self.command(&line),
        };
        let rules = Arc::clone(&self.rules);
        let said = match rules.turn(command) {
            None => self.inner.line(text),
            Some(rule) if refuses(rule) => conduct(rule, tag, Said::nothing),
            // A client that is told yes goes on as if it was so.
            Some(rule) => {
                let good = self.inner.line_granted(text);
                conduct(rule, tag, || good)
            }
        };
        let asks = said.bytes.starts_with(b"334") || said.bytes.starts_with(b"+ ");
        self.asked = (asks && !command.eq_ignore_ascii_case("IDLE")).then(|| tag.to_owned());
        said
    }

    fn malformed(&mut self, why: &str) -> Said {
        self.inner.malformed(why)
    }

    fn octets(&mut self, octets: Option<Vec<u8>>) -> Said {
        let is_message = matches!(self.speech, Speech::Smtp | Speech::Lmtp);
        let rules = Arc::clone(&self.rules);
        let Some(rule) = rules.turn(MESSAGE).filter(|_| is_message) else {
            return self.inner.octets(octets);
        };
        let good = if refuses(rule) { self.inner.crowded() } else { self.inner.octets(octets) };
        conduct(rule, "", || good)
    }

    fn crowded(&mut self) -> Said {
        self.inner.crowded()
    }

    fn secured(&mut self) -> Said {
        self.inner.secured()
    }

    fn closed(&mut self) {
        self.inner.closed();
    }

    fn news(&mut self) -> Option<Vec<u8>> {
        self.inner.news()
    }

    fn longest_line(&self) -> usize {
        self.inner.longest_line()
    }

    fn largest(&self) -> usize {
        self.inner.largest()
    }
}
