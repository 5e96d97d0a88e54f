//! The calls that expect what a server has said.

use std::mem;

use super::Script;
use crate::proto::Speech;
use crate::script::written::string;
use crate::secrets::MASK;

/// The most bytes of an answer that was cut off which a script expects as they are.
const MOST: usize = 1000;

impl Script {
    /// Adds calls that expect what the server has said. A line that has not ended waits for its
    /// rest.
    pub(super) fn answered(&mut self) {
        let end = match self.speech {
            Speech::Stream => self.said.len(),
            _ => memchr::memrchr(b'\n', &self.said).map_or(0, |at| at + 1),
        };
        let rest = self.said.split_off(end);
        let said = mem::replace(&mut self.said, rest);
        let said = String::from_utf8_lossy(&said).into_owned();
        let lines: Vec<_> = said.lines().collect();
        let facts = self.speech.facts();
        if self.speech == Speech::Stream {
            // A stream has no replies, so the script waits for the last line that the server said.
            let last = said.split_inclusive('\n').rev().find(|line| !line.trim().is_empty());
            if let Some(line) = last {
                self.expect(&format!("s.expect({});", string(line)));
            }
        } else if facts.has_tags {
            self.tagged(&lines);
        } else if facts.has_literals {
            self.statuses(&lines);
        } else {
            self.replies(&lines);
        }
    }

    /// Adds calls for the end of the connection, and for what the server said before it and no call
    /// expects: a reply that was cut off, and untagged data in place of a tagged reply.
    pub(super) fn ended(&mut self) {
        let half = mem::take(&mut self.said);
        let before = mem::take(&mut self.passed_over);
        let is_bye = |line: &str| starts(line, "* BYE");
        if self.speech.facts().has_tags && half.is_empty() {
            if let Some(bye) = before.lines().find(|line| is_bye(line)) {
                self.line(&format!("s.expect_until({});", string(&bye[..5])));
            } else if !before.is_empty() {
                return self.line("s.expect_until(eof());");
            }
        } else if let Some(said) = cut_off(&before, half) {
            self.line(&format!("s.expect_bytes({});", string(&said)));
        }
        self.line("s.expect_close();");
    }

    /// Adds a call that expects the lines so far.
    fn expect(&mut self, call: &str) {
        self.line(call);
        self.passed_over.clear();
    }

    fn pass_over(&mut self, line: &str) {
        // Enough of it is kept to see that it is too long.
        if self.passed_over.len() <= MOST || starts(line, "* BYE") {
            self.passed_over.push_str(line);
            self.passed_over.push_str("\r\n");
        }
    }

    /// Statuses that come after data, and challenges, which look like data.
    fn statuses(&mut self, lines: &[&str]) {
        let (statuses, sasl) = (self.speech.facts().statuses, self.speech.facts().sasl);
        for line in lines {
            let word = line.split([' ', '(']).next().unwrap_or_default();
            if statuses.iter().any(|status| word.eq_ignore_ascii_case(status)) {
                self.in_exchange = false;
                self.expect(&format!("s.expect(re(`(?m)^{word}`));"));
            } else if self.in_exchange && sasl.is_challenge(line.as_bytes()) {
                self.expect("s.expect(re(`^[\"{]`));");
            } else {
                self.pass_over(line);
            }
        }
    }

    /// Replies that begin with a code or a status, and the blocks that follow them.
    fn replies(&mut self, lines: &[&str]) {
        let has_blocks = self.speech.facts().block.is_some();
        let mut lines = lines.iter();
        while let Some(line) = lines.next() {
            let in_block = has_blocks && self.tracker.owes_block();
            if has_blocks {
                self.tracker.received(format!("{line}\r\n").as_bytes());
            }
            if in_block && self.tracker.owes_block() {
                self.pass_over(line);
            } else if in_block {
                self.expect("s.expect_multiline();");
            } else if let Some(status) = self.status(line) {
                self.expect(&format!("s.expect({status});"));
            } else if has_blocks {
                // A block after a command that is not known.
                if *line != "." {
                    lines.by_ref().find(|line| **line == ".");
                }
                self.expect("s.expect_multiline();");
            } else {
                self.pass_over(line);
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

    fn tagged(&mut self, lines: &[&str]) {
        for line in lines {
            let mut words = line.split(' ');
            let (tag, status) =
                (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            let is_result =
                ["OK", "NO", "BAD"].iter().any(|result| status.eq_ignore_ascii_case(result));
            let result = string(&format!("{tag} {status}"));
            if tag == "*" && !self.text.contains("s.expect") {
                self.expect(&format!("s.expect({result});"));
            } else if tag == "+" {
                self.expect("s.expect_until(\"+\");");
            } else if (is_result && self.tags.contains(tag.as_bytes())) || starts(line, "* BAD") {
                // Some servers answer a line whose tag they cannot tell with an untagged BAD.
                self.expect(&format!("s.expect_until({result});"));
            } else {
                self.pass_over(line);
            }
        }
    }
}

/// The last bytes of an answer that was cut off; `None` if there are none, or if they are not text
/// that comes again.
fn cut_off(before: &str, half: Vec<u8>) -> Option<String> {
    let half = String::from_utf8(half).ok()?;
    let said = if before.len() > MOST { half } else { [before, &half].concat() };
    let is_fixed = !said.contains('\u{fffd}') && !said.contains(MASK);
    (!said.is_empty() && said.len() <= 2 * MOST && is_fixed).then_some(said)
}

/// Whether a line begins with these words, in letters of either case.
fn starts(line: &str, words: &str) -> bool {
    line.get(..words.len()).is_some_and(|start| start.eq_ignore_ascii_case(words))
}

/// The code of a line, if the line is the last of its reply (RFC 5321 section 4.2.1).
fn last_code(line: &str) -> Option<u16> {
    let (code, rest) = line.split_at_checked(3)?;
    code.parse().ok().filter(|_| !rest.starts_with('-'))
}
