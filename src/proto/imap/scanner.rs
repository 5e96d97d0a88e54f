//! Scanning one response after another, looking at each byte once.

use memchr::{memchr, memchr2, memchr3};

use crate::proto::LINE_HEAD;

/// The status of a command or of the server (RFC 3501 section 7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// The command succeeded.
    Ok,
    /// The command failed.
    No,
    /// The server could not understand or accept the command.
    Bad,
    /// The greeting of a server that considers the client authenticated already.
    Preauth,
    /// The server is about to close.
    Bye,
}

impl Status {
    pub(super) fn of_word(word: &[u8]) -> Option<Self> {
        const WORDS: [(&[u8], Status); 5] = [
            (b"OK", Status::Ok),
            (b"NO", Status::No),
            (b"BAD", Status::Bad),
            (b"PREAUTH", Status::Preauth),
            (b"BYE", Status::Bye),
        ];
        WORDS.iter().find(|(known, _)| word.eq_ignore_ascii_case(known)).map(|(_, status)| *status)
    }

    /// The status as the word in capitals.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::No => "NO",
            Self::Bad => "BAD",
            Self::Preauth => "PREAUTH",
            Self::Bye => "BYE",
        }
    }
}

/// The kind of a response, from its first words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// `+`: the server asks the client to go on.
    Continuation,
    /// Untagged data: a line that begins with `*`, without a status.
    Data,
    /// An untagged status: a line that begins with `*` and a status.
    Untagged(Status),
    /// The end of the command with this tag.
    Tagged(Vec<u8>, Status),
}

/// Follows responses through bytes as they come, however the bytes are cut. It keeps the first two
/// words of a response and the end of the present line.
#[derive(Clone, Debug, Default)]
pub(super) struct Scanner {
    part: Part,
    tag: Vec<u8>,
    word: Vec<u8>,
    tail: Tail,
    quoted: bool,
    escaped: bool,
    /// The number of octets of a literal that are still to come.
    literal: u64,
    /// The number of octets that the literal announced.
    announced: u64,
    /// How many bytes of the response were scanned, and how many of them before its last line.
    gone: usize,
    line: usize,
}

/// The part of a response that the next byte belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Part {
    /// `*`, `+` or a tag.
    #[default]
    Tag,
    /// The word after the tag: a status, or the beginning of data.
    Word,
    /// The first byte after a status: a bracket opens a response code.
    Status,
    /// A response code, in which literals may occur (BADCHARSET in RFC 3501 section 7.1).
    Code,
    /// Data, in which literals may occur.
    Data,
    /// Text for people, in which braces have no meaning.
    Text,
    /// A line that is no response.
    Wrong,
}

/// The error for a line that is no response.
pub(super) const NO_RESPONSE: &str =
    "a response begins with neither `*`, `+` nor a tag with OK, NO or BAD (RFC 3501, 7)";
/// The error for a literal with an impossible size.
pub(super) const UNCOUNTABLE: &str =
    "a literal has more octets than can be counted (RFC 3501, 4.3)";

impl Scanner {
    /// Scans bytes up to the end of their response. Returns the number of scanned bytes and, at its
    /// end, the kind of the response.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> (usize, Option<Result<Said, &'static str>>) {
        let mut at = 0;
        while at < bytes.len() {
            let used = if self.literal > 0 {
                self.skip_literal(&bytes[at..])
            } else {
                self.advance(&bytes[at..])
            };
            let ends_line = used > 0 && self.literal == 0 && self.tail.is_line_end;
            at += used;
            self.gone += used;
            if ends_line && let Some(said) = self.end_of_line() {
                let said = said.map(|()| self.said());
                return (at, Some(said));
            }
        }
        (at, None)
    }

    /// The number of bytes of the response that were scanned.
    pub(super) fn gone(&self) -> usize {
        self.gone
    }

    /// The octets of a literal that are still to come.
    pub(super) fn to_come(&self) -> u64 {
        self.literal
    }

    /// The number of octets that the last literal announced.
    pub(super) fn announced(&self) -> u64 {
        self.announced
    }

    /// Whether the scan is directly after the octets of a literal.
    pub(super) fn is_after_literal(&self) -> bool {
        self.announced > 0 && (self.line as u64).saturating_add(self.announced) == self.gone as u64
    }

    /// The offset of the present line in the response.
    pub(super) fn line(&self) -> usize {
        self.line
    }

    fn skip_literal(&mut self, bytes: &[u8]) -> usize {
        let some = usize::try_from(self.literal).unwrap_or(usize::MAX).min(bytes.len());
        self.literal -= some as u64;
        some
    }

    /// Scans some bytes of a line, at most up to its end.
    fn advance(&mut self, bytes: &[u8]) -> usize {
        let used = match self.part {
            Part::Tag => self.take_tag(bytes),
            // Some servers send two blanks where the grammar has one.
            Part::Word | Part::Status if bytes[0] == b' ' && self.word_is_apart() => 1,
            Part::Word => self.take_word(bytes),
            Part::Status => {
                self.part = if bytes[0] == b'[' { Part::Code } else { Part::Text };
                usize::from(bytes[0] == b'[')
            }
            Part::Code => self.take_quotable(bytes, Some(b']')),
            Part::Data => self.take_quotable(bytes, None),
            Part::Text | Part::Wrong => memchr(b'\n', bytes).map_or(bytes.len(), |at| at + 1),
        };
        self.tail.push(&bytes[..used]);
        used
    }

    fn take_tag(&mut self, bytes: &[u8]) -> usize {
        let end = memchr2(b' ', b'\n', bytes);
        let word = &bytes[..end.unwrap_or(bytes.len())];
        self.tag
            .extend_from_slice(&word[..word.len().min(LINE_HEAD.saturating_sub(self.tag.len()))]);
        let Some(end) = end else { return bytes.len() };
        self.part = match (&*self.tag, bytes[end]) {
            (b"+", _) | (b"+\r", b'\n') => Part::Text,
            (tag, b' ') if !tag.is_empty() && tag.len() < LINE_HEAD => Part::Word,
            _ => Part::Wrong,
        };
        end + 1
    }

    /// Whether the next byte is between two words.
    fn word_is_apart(&self) -> bool {
        self.part == Part::Status || self.word.is_empty()
    }

    fn take_word(&mut self, bytes: &[u8]) -> usize {
        let end = memchr2(b' ', b'\n', bytes);
        // No status is longer than PREAUTH.
        let room = "PREAUTH\r\n".len() - self.word.len();
        let some = end.unwrap_or(bytes.len()).min(room);
        self.word.extend_from_slice(&bytes[..some]);
        if end != Some(some) {
            if some == room {
                self.begin_data();
            }
            return some;
        }
        match Status::of_word(crate::proto::chomp(&self.word)) {
            Some(Status::Preauth | Status::Bye) if self.tag != b"*" => self.part = Part::Wrong,
            Some(_) if bytes[some] == b' ' => self.part = Part::Status,
            Some(_) => self.part = Part::Text,
            None => self.begin_data(),
        }
        some + 1
    }

    fn begin_data(&mut self) {
        self.part = if self.tag == b"*" { Part::Data } else { Part::Wrong };
        self.quoted = self.word.iter().fold(false, |quoted, byte| quoted ^ (*byte == b'"'));
    }

    /// Scans bytes up to a quote or a backslash, the end of the line, or the end of a response
    /// code.
    fn take_quotable(&mut self, bytes: &[u8], close: Option<u8>) -> usize {
        if std::mem::take(&mut self.escaped) && bytes[0] != b'\n' {
            return 1;
        }
        let found = match (self.quoted, close) {
            (true, _) => memchr3(b'"', b'\\', b'\n', bytes),
            (false, Some(close)) => memchr3(b'"', close, b'\n', bytes),
            (false, None) => memchr2(b'"', b'\n', bytes),
        };
        let Some(at) = found else { return bytes.len() };
        match bytes[at] {
            b'"' => self.quoted = !self.quoted,
            b'\\' => self.escaped = true,
            b']' => self.part = Part::Text,
            _ => {}
        }
        at + 1
    }

    /// Handles the end of a line; `None` if a literal follows.
    fn end_of_line(&mut self) -> Option<Result<(), &'static str>> {
        let announced = self.tail.announced();
        let is_open = matches!(self.part, Part::Code | Part::Data) && !self.quoted;
        self.tail = Tail::default();
        self.quoted = false;
        self.escaped = false;
        match announced {
            _ if matches!(self.part, Part::Tag | Part::Word | Part::Wrong) => {
                Some(Err(NO_RESPONSE))
            }
            Some(Announced::Uncountable) if is_open => Some(Err(UNCOUNTABLE)),
            Some(Announced::Octets { count, .. }) if is_open => {
                (self.literal, self.announced) = (count, count);
                self.line = self.gone;
                None
            }
            _ => Some(Ok(())),
        }
    }

    fn said(&self) -> Said {
        let status = Status::of_word(crate::proto::chomp(&self.word));
        match (&*self.tag, status) {
            (b"+" | b"+\r", _) => Said::Continuation,
            (b"*", Some(status)) => Said::Untagged(status),
            (tag, Some(status)) => Said::Tagged(tag.to_vec(), status),
            (_, None) => Said::Data,
        }
    }
}

/// The end of a line, as much of it as can announce a literal.
#[derive(Clone, Debug, Default)]
pub(super) struct Tail {
    bytes: Vec<u8>,
    is_line_end: bool,
}

/// The number of octets of the literal that a line announces at its end, and whether its sender
/// waits for a continuation.
pub(crate) fn announced(line: &[u8]) -> Option<(u64, bool)> {
    let mut tail = Tail::default();
    tail.push(line);
    Some(match tail.announced()? {
        Announced::Octets { count, waits } => (count, waits),
        Announced::Uncountable => (u64::MAX, !crate::proto::chomp(line).ends_with(b"+}")),
    })
}

/// A literal that the end of a line announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Announced {
    /// A literal of this number of octets. Its sender waits for a continuation, or does not (RFC
    /// 7888).
    Octets { count: u64, waits: bool },
    /// A number that is too large to be represented.
    Uncountable,
}

impl Tail {
    /// The length of a blank, a brace, 20 digits, a plus, a brace and CRLF.
    const LENGTH: usize = 26;

    pub(super) fn push(&mut self, bytes: &[u8]) {
        let Some(last) = bytes.last() else { return };
        self.is_line_end = *last == b'\n';
        let new = &bytes[bytes.len().saturating_sub(Self::LENGTH)..];
        let spare = (self.bytes.len() + new.len()).saturating_sub(Self::LENGTH);
        self.bytes.drain(..spare);
        self.bytes.extend_from_slice(new);
    }

    /// The literal that the line announces at its end, if it does: `{n}`, `{n+}`, `~{n}`. A brace
    /// directly after other characters, as in `box{5}`, is part of their word, even though that is
    /// invalid.
    pub(super) fn announced(&self) -> Option<Announced> {
        let line = crate::proto::chomp(&self.bytes).strip_suffix(b"}")?;
        let (line, waits) = line.strip_suffix(b"+").map_or((line, true), |line| (line, false));
        let digits = line.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
        let (before, digits) = line.split_at(line.len() - digits);
        if digits.is_empty() {
            return None;
        }
        let Some(before) = before.strip_suffix(b"{") else {
            return (before.is_empty() && digits.len() > 20).then_some(Announced::Uncountable);
        };
        if before.last().is_some_and(u8::is_ascii_alphanumeric) {
            return None;
        }
        let count = std::str::from_utf8(digits).ok()?.parse();
        Some(count.map_or(Announced::Uncountable, |count| Announced::Octets { count, waits }))
    }
}
