//! Tracking one line of a client, word by word.

use super::found::Found;
use super::scanner::Tail;
use crate::proto::LINE_HEAD;
use crate::quoted;
use crate::secrets::Secrets;

/// The line in progress. What follows a literal belongs to the same line.
#[derive(Clone, Debug, Default)]
pub(super) struct Line {
    pub(super) kind: Kind,
    pub(super) tag: Vec<u8>,
    pub(super) verb: Vec<u8>,
    /// The word before the first secret word: the mechanism of AUTHENTICATE.
    pub(super) before: Vec<u8>,
    /// The word in progress, if its text matters.
    word: Vec<u8>,
    /// The number of the word in progress, from 1.
    pub(super) number: usize,
    /// The number of the first secret word, if there is one; all words after it are secret too.
    pub(super) secret_from: Option<usize>,
    state: State,
    quoted: bool,
    escaped: bool,
    /// Whether a brace has opened a literal since the last literal.
    opens_literal: bool,
    /// The secret bytes as they were sent.
    pub(super) secret: Vec<u8>,
    pub(super) tail: Tail,
}

/// The position of the next byte in the line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Between,
    /// In a word that may still turn out to announce a literal.
    Announcing,
    Word,
    /// Directly after a literal.
    AfterLiteral,
}

/// The kind of a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Kind {
    #[default]
    Unknown,
    Command,
    /// A line that the server takes for a command, and that the client meant as a secret.
    Misplaced,
    /// A SASL response.
    Response,
    Done,
}

impl Line {
    pub(super) fn push(&mut self, bytes: &[u8], offset: usize, found: &mut Found) {
        for (place, byte) in bytes.iter().enumerate() {
            let is_over = self.number > self.verb_place();
            if self.kind == Kind::Command && is_over && self.secret_from.is_none() {
                break;
            }
            if self.step(*byte) {
                found.mark(offset + place..offset + place + 1);
            }
        }
        self.tail.push(bytes);
    }

    /// Tracks a byte, and returns whether it is secret.
    fn step(&mut self, byte: u8) -> bool {
        if byte == b'\r' || byte == b'\n' {
            return false;
        }
        // An asterisk alone cancels the exchange (RFC 3501 section 6.2.2).
        if self.kind == Kind::Response {
            let is_asterisk = self.secret.is_empty() && byte == b'*';
            self.keep(&[byte]);
            return !is_asterisk;
        }
        let is_secret = self.step_in_command(byte);
        if self.kind == Kind::Misplaced {
            self.keep(&[byte]);
        }
        is_secret || self.kind == Kind::Misplaced
    }

    fn step_in_command(&mut self, byte: u8) -> bool {
        if !self.quoted && (byte == b' ' || byte == b'\t') {
            self.end_word();
            let inside = self.is_secret() && !self.secret.is_empty();
            if inside {
                self.keep(&[byte]);
            }
            return inside;
        }
        // A literal directly after another one, which was too long, is a word of its own.
        let is_next = self.state == State::AfterLiteral && byte == b'{';
        if self.state == State::Between || is_next {
            self.number += 1;
            self.word.clear();
            self.state = if byte == b'{' || byte == b'~' { State::Announcing } else { State::Word };
        } else if self.state == State::AfterLiteral || !b"{0123456789+}".contains(&byte) {
            self.state = State::Word;
        }
        self.opens_literal |= byte == b'{' && !self.quoted;
        self.quoted ^= byte == b'"' && !self.escaped;
        self.escaped = byte == b'\\' && self.quoted && !self.escaped;
        if !self.is_secret() {
            if self.word.len() < LINE_HEAD {
                self.word.push(byte);
            }
            return false;
        }
        // An empty initial response is written as an equals sign (RFC 4959).
        if self.state == State::Announcing || (byte == b'=' && self.secret.is_empty()) {
            return false;
        }
        self.keep(&[byte]);
        true
    }

    /// The number of the last word that may be the verb: UID is a part of it.
    fn verb_place(&self) -> usize {
        if self.verb.eq_ignore_ascii_case(b"UID") { 3 } else { 2 }
    }

    pub(super) fn is_secret(&self) -> bool {
        self.secret_from.is_some_and(|from| self.number >= from)
    }

    pub(super) fn keep(&mut self, bytes: &[u8]) {
        let room = LINE_HEAD.saturating_sub(self.secret.len());
        self.secret.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    pub(super) fn end_word(&mut self) {
        if std::mem::take(&mut self.state) == State::Between || self.is_secret() {
            return;
        }
        let carries = [&b"LOGIN"[..], b"AUTHENTICATE"]
            .iter()
            .any(|verb| self.word.eq_ignore_ascii_case(verb));
        match self.number {
            1 => self.tag.clone_from(&self.word),
            2 => self.verb.clone_from(&self.word),
            _ => {}
        }
        // A command without a tag, or with UID, is invalid, but its argument is a secret
        // nevertheless.
        if carries && self.number <= self.verb_place() {
            self.secret_from = Some(self.number + 2);
            if self.number == 3 {
                self.verb.clone_from(&self.word);
            }
        }
        if self.secret_from == Some(self.number + 1) {
            self.before.clone_from(&self.word);
        }
    }

    /// Prepares for the rest of the line, after a literal of this number of octets that the line
    /// has announced.
    pub(super) fn go_on(&mut self, octets: u64) {
        if octets > LINE_HEAD as u64 && self.secret_from.is_some() {
            // No user name is this long: the secret may be within the octets.
            self.secret_from = Some(self.number);
        }
        self.tail = Tail::default();
        self.quoted = false;
        self.escaped = false;
        self.opens_literal = false;
        self.state = State::AfterLiteral;
    }

    /// Whether the line is a LOGIN that ends with a literal of a wrong form, so that its arguments,
    /// or some of them, are on the lines after it.
    pub(super) fn is_broken_login(&self) -> bool {
        self.kind == Kind::Command
            && self.opens_literal
            && self.secret_from.is_some()
            && [&self.tag, &self.verb].iter().any(|word| word.eq_ignore_ascii_case(b"LOGIN"))
    }

    pub(super) fn teach(&self, secrets: &mut Secrets) {
        if self.secret.is_empty() {
            return;
        }
        if self.verb.eq_ignore_ascii_case(b"AUTHENTICATE") || self.kind == Kind::Misplaced {
            secrets.learn_sasl(&String::from_utf8_lossy(&self.before), 0, &self.secret);
            return;
        }
        secrets.learn(&self.secret);
        if let Some(text) = self.secret.strip_prefix(b"\"") {
            secrets.learn(text.strip_suffix(b"\"").unwrap_or(text));
            // The text after the closing quote is not part of the secret.
            secrets
                .learn(&quoted::read(text).map_or_else(|| quoted::unescaped(text), |read| read.0));
        }
    }
}
