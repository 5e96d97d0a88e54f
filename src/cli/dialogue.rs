//! Writes a dialogue as a script that passes against the same server. The script expects codes,
//! takes secrets as parameters, and leaves other text that varies to a golden.

use std::fmt::Write as _;

use base64::prelude::{BASE64_STANDARD, Engine as _};

use crate::proto::Speech;
use crate::script::written::string;

/// The mask of a secret in a transcript.
const SECRET: &str = "[SECRET]";

/// A script that is being written.
pub(super) struct Script {
    speech: Speech,
    text: String,
    /// What the server has said since the client last sent something, without literals.
    said: Vec<u8>,
    /// How many bytes of a literal are still to come.
    literal: u64,
    /// How many secrets have become parameters.
    secrets: usize,
}

impl Script {
    /// Begins a script that connects to `url`. The title says where the dialogue comes from.
    pub(super) fn new(speech: Speech, url: &str, title: &str) -> Self {
        let scheme = url.split([':', '+']).next().unwrap_or("smtp");
        let mut script = Self::empty(speech);
        let _ = writeln!(script.text, "// {title}");
        script
            .line("// Codes are expected; `mailexpect run --record` keeps the words in a golden.");
        script.line(&format!("let s = connect(param({}, {}));", string(scheme), string(url)));
        script
    }

    fn empty(speech: Speech) -> Self {
        Self { speech, text: String::new(), said: Vec::new(), literal: 0, secrets: 0 }
    }

    /// The server said these bytes.
    pub(super) fn heard(&mut self, bytes: &[u8]) {
        self.heard_ends(bytes, 0, &[]);
    }

    /// The server said `head` and `tail`, with `omitted` bytes between them that were not kept.
    pub(super) fn heard_ends(&mut self, head: &[u8], omitted: u64, tail: &[u8]) {
        // A mask has another length than the secret, so the length of a literal cannot be trusted.
        let is_masked = memchr::memmem::find(head, SECRET.as_bytes()).is_some();
        let has_literals = self.speech.facts().has_literals && !is_masked;
        self.lines(head, has_literals);
        self.literal = self.literal.saturating_sub(omitted);
        self.lines(tail, has_literals);
    }

    /// Keeps the lines outside literals. A message in a literal may contain a line such as `a1 NO`.
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

    /// Adds a line for what the client did by a call other than `send`.
    pub(super) fn call(&mut self, call: &str) {
        self.answered();
        self.line(call);
    }

    /// TLS began after the server's go-ahead.
    pub(super) fn handshake(&mut self) {
        self.call("s.tls_handshake();");
    }

    /// The server closed the connection.
    pub(super) fn closed(&mut self) {
        self.call("s.expect_close();");
    }

    /// The names of the parameters that stand for secrets.
    pub(super) fn secrets(&self) -> impl Iterator<Item = String> + use<> {
        (1..=self.secrets).map(secret)
    }

    /// The whole script.
    pub(super) fn finish(mut self) -> String {
        self.answered();
        self.text
    }

    /// The client sent this. With `is_ahead`, the client did not wait for a reply before it.
    pub(super) fn sent(&mut self, sent: &[u8], is_ahead: bool) {
        self.answered();
        let line = sent.strip_suffix(b"\r\n").filter(|line| !line.contains(&b'\n') && !is_ahead);
        let call = match line {
            Some(line) => format!("s.send({});", self.expression(line)),
            None => format!("s.send_raw({});", self.expression(sent)),
        };
        self.line(&call);
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// A Rhai expression for what was sent, with parameters for secrets.
    fn expression(&mut self, sent: &[u8]) -> String {
        let Ok(text) = std::str::from_utf8(sent) else {
            return format!("base64_bytes({})", string(&BASE64_STANDARD.encode(sent)));
        };
        let mut parts = Vec::new();
        for (n, part) in text.split(SECRET).enumerate() {
            if n > 0 {
                self.secrets += 1;
                parts.push(format!("param(\"{}\")", secret(self.secrets)));
            }
            if !part.is_empty() {
                parts.push(string(part));
            }
        }
        if parts.is_empty() { string("") } else { parts.join(" + ") }
    }

    /// Adds calls that expect what the server has said.
    fn answered(&mut self) {
        let said = String::from_utf8_lossy(&std::mem::take(&mut self.said)).into_owned();
        let lines: Vec<_> = said.lines().collect();
        let facts = self.speech.facts();
        if self.speech == Speech::Stream {
            // A stream has no replies, so the script waits for the last line that the server said.
            let last = said.split_inclusive('\n').rev().find(|line| !line.trim().is_empty());
            if let Some(line) = last {
                self.line(&format!("s.expect({});", string(line)));
            }
        } else if facts.has_tags {
            self.tagged(&lines);
        } else if facts.has_literals {
            self.statuses(&lines);
        } else {
            self.replies(&lines);
        }
    }

    /// Statuses that come after data.
    fn statuses(&mut self, lines: &[&str]) {
        let statuses = self.speech.facts().statuses;
        for line in lines {
            let word = line.split([' ', '(']).next().unwrap_or_default();
            if statuses.iter().any(|status| word.eq_ignore_ascii_case(status)) {
                self.line(&format!("s.expect(re(`(?m)^{word}`));"));
            }
        }
    }

    /// Replies that begin with a code or a status, and the blocks that follow them.
    fn replies(&mut self, lines: &[&str]) {
        let has_blocks = self.speech.facts().block.is_some();
        let mut lines = lines.iter();
        while let Some(line) = lines.next() {
            if let Some(status) = self.status(line) {
                self.line(&format!("s.expect({status});"));
            } else if has_blocks {
                lines.by_ref().find(|line| **line == ".");
                self.line("s.expect_multiline();");
            }
        }
    }

    /// What a script expects of a line that states a result; `None` for other lines.
    fn status(&self, line: &str) -> Option<String> {
        let facts = self.speech.facts();
        if facts.has_codes() {
            return last_code(line).map(|code| code.to_string());
        }
        facts.statuses.iter().find(|status| line.starts_with(**status)).map(|status| string(status))
    }

    /// Whether a command with this tag was sent.
    fn was_sent(&self, tag: &str) -> bool {
        ["(\"", "\\n"].iter().any(|start| self.text.contains(&format!("{start}{tag} ")))
    }

    fn tagged(&mut self, lines: &[&str]) {
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

/// The length of the literal that the last line announces; 0 if none (RFC 9051 section 4.3).
fn announced(said: &[u8]) -> u64 {
    let number = said.strip_suffix(b"}\r\n").and_then(|said| {
        let open = memchr::memrchr(b'{', said)?;
        let number = std::str::from_utf8(&said[open + 1..]).ok()?;
        number.trim_end_matches('+').parse().ok()
    });
    number.unwrap_or(0)
}

/// The name of the parameter for the secret of this number.
fn secret(number: usize) -> String {
    if number > 1 { format!("secret{number}") } else { "secret".to_owned() }
}

/// The code of a line, if the line is the last of its reply (RFC 5321 section 4.2.1).
fn last_code(line: &str) -> Option<u16> {
    let (code, rest) = line.split_at_checked(3)?;
    code.parse().ok().filter(|_| !rest.starts_with('-'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transcript::Excerpt;

    fn script(speech: Speech, sent_and_said: &[(&str, &str)]) -> String {
        let mut script = Script::empty(speech);
        for (sent, said) in sent_and_said {
            if !sent.is_empty() {
                script.sent(sent.as_bytes(), false);
            }
            let said = Excerpt::of(said.as_bytes());
            script.heard_ends(said.head(), said.omitted(), said.tail());
            script.answered();
        }
        script.finish()
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
    fn a_literal_contains_no_status() {
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
        // The mask is not as long as the literal that was announced.
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
    fn a_secret_becomes_a_parameter() {
        let pop3 = script(Speech::Pop3, &[("PASS [SECRET]\r\n", "+OK\r\n")]);
        assert!(pop3.starts_with("s.send(\"PASS \" + param(\"secret\"));\n"), "{pop3}");
    }
}
