//! The dialogue as a script that passes against the same server: codes are expected, secrets are
//! parameters, and what else varies is left to a golden.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::ops::Range;
use std::path::PathBuf;

use base64::prelude::{BASE64_STANDARD, Engine as _};

use crate::cli::written;
use crate::error::{Error, Result};
use crate::proto::Speech;
use crate::script::written::string;
use crate::transcript::{Close, Event, Excerpt, What};

/// What stands for a secret in what a transcript holds.
const SECRET: &str = "[SECRET]";

/// Whether and where the dialogue is saved, and what its events do not tell.
#[derive(Debug, Default)]
pub(super) struct Saving {
    path: Option<PathBuf>,
    force: bool,
    /// The events that a verb made, with its call.
    verbs: Vec<(Range<usize>, String)>,
    /// The events at which something was sent before its turn.
    ahead: BTreeSet<usize>,
}

impl Saving {
    /// # Errors
    /// Usage for a file that is there.
    pub(super) fn new(path: Option<PathBuf>, force: bool) -> Result<Self> {
        let mut saving = Self { force, ..Self::default() };
        path.map_or(Ok(()), |path| saving.name(path))?;
        Ok(saving)
    }

    /// # Errors
    /// Usage for a file that is there.
    pub(super) fn name(&mut self, path: PathBuf) -> Result<()> {
        if path.exists() && !self.force {
            let error = Error::usage(format!("{} is there", path.display()));
            return Err(error.hint("--force replaces it"));
        }
        self.path = Some(path);
        Ok(())
    }

    pub(super) fn verb(&mut self, events: Range<usize>, call: String) {
        self.verbs.push((events, call));
    }

    pub(super) fn ahead(&mut self, event: usize) {
        self.ahead.insert(event);
    }

    /// Writes it, if that was asked for: to which file.
    ///
    /// # Errors
    /// If it cannot be written, or events of it were not kept.
    pub(super) fn write(
        &self,
        url: &str,
        speech: Speech,
        events: &[Event],
    ) -> Result<Option<PathBuf>> {
        let Some(path) = &self.path else { return Ok(None) };
        let is_cut = |(at, event): (usize, &Event)| match &event.what {
            What::Omitted(_) => true,
            // What a verb sent is in its call.
            What::Client(bytes) => {
                bytes.omitted() > 0 && !self.verbs.iter().any(|(span, _)| span.contains(&at))
            }
            _ => false,
        };
        if events.iter().enumerate().any(is_cut) {
            let error = Error::usage("the dialogue was too long to be saved");
            return Err(error.hint("its middle was not kept"));
        }
        written::create(path, &self.text(url, speech, events), self.force)?;
        Ok(Some(path.clone()))
    }

    fn text(&self, url: &str, speech: Speech, events: &[Event]) -> String {
        let scheme = url.split([':', '+']).next().unwrap_or("smtp");
        let mut script = Script::new(speech);
        let _ = writeln!(script.text, "// A dialogue with {url}, as it was typed.");
        script
            .line("// Codes are expected; `mailexpect run --record` keeps the words in a golden.");
        script.line(&format!("let s = connect(param({}, {}));", string(scheme), string(url)));
        let (mut at, mut is_left) = (0, false);
        while at < events.len() {
            if let Some((span, call)) = self.verbs.iter().find(|(span, _)| span.start == at) {
                script.answered();
                script.line(call);
                at = span.end.max(at + 1);
                continue;
            }
            match &events[at].what {
                What::Server(bytes) => script.heard(bytes),
                What::Client(bytes) => {
                    script.answered();
                    script.sent(bytes, self.ahead.contains(&at));
                }
                What::Closed(Close::HalfByClient) => is_left = true,
                // Who is left by the client closes, too.
                What::Closed(Close::ByServer) if !is_left => {
                    script.answered();
                    script.line("s.expect_close();");
                }
                _ => {}
            }
            at += 1;
        }
        script.answered();
        script.text
    }
}

struct Script {
    speech: Speech,
    text: String,
    /// What the server has said since something was sent, without literals.
    said: Vec<u8>,
    /// How much of a literal is still to come.
    literal: u64,
    /// How many secrets have become parameters.
    secrets: usize,
}

impl Script {
    fn new(speech: Speech) -> Self {
        Self { speech, text: String::new(), said: Vec::new(), literal: 0, secrets: 0 }
    }

    /// Keeps the lines that are no literal's: a message may have one such as `a1 NO`.
    fn heard(&mut self, bytes: &Excerpt) {
        // The length of what is masked is not that of what was said.
        let is_masked = memchr::memmem::find(bytes.head(), SECRET.as_bytes()).is_some();
        let has_literals = matches!(self.speech, Speech::Imap | Speech::Sieve) && !is_masked;
        self.lines(bytes.head(), has_literals);
        self.literal = self.literal.saturating_sub(bytes.omitted());
        self.lines(bytes.tail(), has_literals);
    }

    fn lines(&mut self, mut bytes: &[u8], has_literals: bool) {
        while !bytes.is_empty() {
            let length = usize::try_from(self.literal).unwrap_or(usize::MAX).min(bytes.len());
            self.literal -= length as u64;
            bytes = &bytes[length..];
            let end = memchr::memchr(b'\n', bytes).map_or(bytes.len(), |at| at + 1);
            self.said.extend_from_slice(&bytes[..end]);
            bytes = &bytes[end..];
            if end > 0 && has_literals {
                self.literal = announced(&self.said);
            }
        }
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn sent(&mut self, bytes: &Excerpt, is_ahead: bool) {
        let sent = bytes.head();
        let line = sent.strip_suffix(b"\r\n").filter(|line| !line.contains(&b'\n') && !is_ahead);
        let call = match line {
            Some(line) => format!("s.send({});", self.expression(line)),
            None => format!("s.send_raw({});", self.expression(sent)),
        };
        self.line(&call);
    }

    /// What was sent, its secrets as parameters.
    fn expression(&mut self, sent: &[u8]) -> String {
        let Ok(text) = std::str::from_utf8(sent) else {
            return format!("base64_bytes({})", string(&BASE64_STANDARD.encode(sent)));
        };
        let mut parts = Vec::new();
        for (n, part) in text.split(SECRET).enumerate() {
            if n > 0 {
                self.secrets += 1;
                let number =
                    if self.secrets > 1 { self.secrets.to_string() } else { String::new() };
                parts.push(format!("param(\"secret{number}\")"));
            }
            if !part.is_empty() {
                parts.push(string(part));
            }
        }
        if parts.is_empty() { string("") } else { parts.join(" + ") }
    }

    /// Expects what the server has said.
    fn answered(&mut self) {
        let said = String::from_utf8_lossy(&std::mem::take(&mut self.said)).into_owned();
        let lines: Vec<_> = said.lines().collect();
        match self.speech {
            Speech::Smtp | Speech::Lmtp => {
                lines.iter().filter_map(|line| last_code(line)).for_each(|code| {
                    self.line(&format!("s.expect({code});"));
                });
            }
            Speech::Pop3 => self.pop3(&lines),
            Speech::Imap => self.imap(&lines),
            Speech::Sieve => {
                let status = |line: &&&str| {
                    let first = line.split([' ', '(']).next().unwrap_or_default();
                    ["OK", "NO", "BYE"].iter().any(|word| first.eq_ignore_ascii_case(word))
                };
                for line in lines.iter().filter(status) {
                    let word = line.split([' ', '(']).next().unwrap_or("OK");
                    self.line(&format!("s.expect(re(`(?m)^{word}`));"));
                }
            }
            Speech::Stream => {
                // A stream has no replies: what it said last, with its line end, is its end.
                let last = said.split_inclusive('\n').rev().find(|line| !line.trim().is_empty());
                if let Some(line) = last {
                    self.line(&format!("s.expect({});", string(line)));
                }
            }
        }
    }

    fn pop3(&mut self, lines: &[&str]) {
        let mut lines = lines.iter();
        while let Some(line) = lines.next() {
            if let Some(status) =
                ["+OK", "-ERR", "+"].iter().find(|status| line.starts_with(**status))
            {
                self.line(&format!("s.expect({});", string(status)));
            } else {
                // The block that belongs to the status.
                lines.by_ref().find(|line| **line == ".");
                self.line("s.expect_multiline();");
            }
        }
    }

    /// Whether a command with this tag was sent.
    fn was_sent(&self, tag: &str) -> bool {
        ["(\"", "\\n"].iter().any(|start| self.text.contains(&format!("{start}{tag} ")))
    }

    fn imap(&mut self, lines: &[&str]) {
        for line in lines {
            let mut words = line.split(' ');
            match (words.next().unwrap_or_default(), words.next().unwrap_or_default()) {
                ("*", status) if !self.text.contains("s.expect") => {
                    self.line(&format!("s.expect({});", string(&format!("* {status}"))));
                }
                ("*", _) => {}
                ("+", _) => self.line("s.expect_until(\"+\");"),
                (tag, status @ ("OK" | "NO" | "BAD")) if self.was_sent(tag) => {
                    let result = string(&format!("{tag} {status}"));
                    self.line(&format!("s.expect_until({result});"));
                }
                _ => {}
            }
        }
    }
}

/// How long the literal is that the last line announces (RFC 9051 section 4.3).
fn announced(said: &[u8]) -> u64 {
    let number = said.strip_suffix(b"}\r\n").and_then(|said| {
        let open = memchr::memrchr(b'{', said)?;
        let number = std::str::from_utf8(&said[open + 1..]).ok()?;
        number.trim_end_matches('+').parse().ok()
    });
    number.unwrap_or(0)
}

/// The code of a line that is the last of its reply (RFC 5321 section 4.2.1).
fn last_code(line: &str) -> Option<u16> {
    let (code, rest) = line.split_at_checked(3)?;
    code.parse().ok().filter(|_| !rest.starts_with('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(speech: Speech, sent_and_said: &[(&str, &str)]) -> String {
        let mut script = Script::new(speech);
        for (sent, said) in sent_and_said {
            if !sent.is_empty() {
                script.sent(&Excerpt::of(sent.as_bytes()), false);
            }
            script.heard(&Excerpt::of(said.as_bytes()));
            script.answered();
        }
        script.text
    }

    #[test]
    fn replies_of_each_protocol_are_expected_by_what_does_not_vary() {
        let smtp = script(Speech::Smtp, &[("", "220-a\r\n220 b\r\n"), ("NOOP\r\n", "250 ok\r\n")]);
        assert_eq!(smtp, "s.expect(220);\ns.send(\"NOOP\");\ns.expect(250);\n");
        let pop3 = script(Speech::Pop3, &[("", "+OK hi\r\n"), ("LIST\r\n", "+OK\r\n1 9\r\n.\r\n")]);
        assert!(pop3.ends_with("s.expect(\"+OK\");\ns.expect_multiline();\n"), "{pop3}");
        let imap = script(
            Speech::Imap,
            &[("", "* OK hi\r\n"), ("a1 NOOP\r\n", "* 3 EXISTS\r\na1 OK done\r\n")],
        );
        assert!(imap.ends_with("s.send(\"a1 NOOP\");\ns.expect_until(\"a1 OK\");\n"), "{imap}");
        assert!(imap.starts_with("s.expect(\"* OK\");\n"), "{imap}");
        let sieve = script(Speech::Sieve, &[("", "\"SIEVE\" \"fileinto\"\r\nOK \"hi\"\r\n")]);
        assert_eq!(sieve, "s.expect(re(`(?m)^OK`));\n");
    }

    #[test]
    fn what_stands_in_a_literal_is_no_status() {
        let imap = |length: usize| {
            let mail = "x".repeat(length) + "\r\na1 NO\r\nSay NO to drugs.\r\n+ 1\r\n";
            let fetched = format!("* 1 FETCH (BODY[] {{{}}}\r\n{mail})\r\na1 OK\r\n", mail.len());
            script(Speech::Imap, &[("", "* OK hi\r\n"), ("a1 FETCH 1 BODY[]\r\n", &fetched)])
        };
        for length in [0, 100_000] {
            let imap = imap(length);
            let end = "s.send(\"a1 FETCH 1 BODY[]\");\ns.expect_until(\"a1 OK\");\n";
            assert!(imap.ends_with(end), "{imap}");
        }
        // What is masked has another length.
        let masked = "* 1 FETCH (BODY[] {20}\r\n[SECRET]\r\nSay NO to it\r\n)\r\na1 OK\r\n";
        let masked =
            script(Speech::Imap, &[("", "* OK hi\r\n"), ("a1 FETCH 1 BODY[]\r\n", masked)]);
        assert!(masked.ends_with("BODY[]\");\ns.expect_until(\"a1 OK\");\n"), "{masked}");
        let sieve = script(Speech::Sieve, &[("", "{9}\r\nno\r\nnot\r\n\r\nOK\r\n")]);
        assert_eq!(sieve, "s.expect(re(`(?m)^OK`));\n");
        let sieve = script(Speech::Sieve, &[("", "\"NOTIFY\" \"x\"\r\nnothing\r\nOK\r\n")]);
        assert_eq!(sieve, "s.expect(re(`(?m)^OK`));\n");
    }

    #[test]
    fn a_line_that_was_not_kept_whole_is_not_saved() {
        let folder = tempfile::tempdir().unwrap();
        let saving = Saving::new(Some(folder.path().join("a.rhai")), false).unwrap();
        let long = Excerpt::of("x".repeat(30_000).as_bytes());
        let event = Event { session: None, what: What::Client(long) };
        let error = saving.write("smtp://x", Speech::Smtp, &[event]).unwrap_err();
        assert!(error.message().contains("too long"), "{error}");
    }

    #[test]
    fn a_secret_becomes_a_parameter() {
        let pop3 = script(Speech::Pop3, &[("PASS [SECRET]\r\n", "+OK\r\n")]);
        assert!(pop3.starts_with("s.send(\"PASS \" + param(\"secret\"));\n"), "{pop3}");
    }
}
