//! SMTP and submission (RFC 5321, RFC 6409): whose turn it is, and what is secret.

mod message;
mod replies;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::ops::Range;

pub use message::dot_stuff;
pub(crate) use replies::Replies;

use super::{Framing, LINE_HEAD, Lines, Protocol, Speech, chomp};
use crate::redact::{self, Secrets};

/// One side of an SMTP dialogue: what was sent, and which replies are still owed for it.
#[derive(Debug)]
pub(crate) struct Smtp {
    name: &'static str,
    replies: Replies,
    owed: VecDeque<Owed>,
    mode: Mode,
    sent: Lines,
    received: Lines,
    closing: bool,
    /// AUTH was refused: what looks like a response behind that is one all the same.
    auth_refused: bool,
}

/// What a reply will be the answer to.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Owed {
    Greeting,
    Data,
    Chunk,
    Quit,
    Auth { mechanism: String, step: usize },
    Other,
}

/// What the next bytes to be sent are.
#[derive(Debug, PartialEq, Eq)]
enum Mode {
    Commands,
    /// The lines of a message, up to the dot between two CRLF (RFC 5321 section 4.1.1.4). `fresh` after a CRLF.
    Message {
        fresh: bool,
    },
    /// Octets of a BDAT chunk still to come (RFC 3030).
    Chunk(usize),
    /// One line in answer to a 334 (RFC 4954 section 4).
    Response {
        mechanism: String,
        step: usize,
    },
}

impl Smtp {
    /// A dialogue with a peer that will greet first.
    pub(crate) fn new(name: &'static str) -> Self {
        Self {
            name,
            replies: Replies::default(),
            owed: VecDeque::from([Owed::Greeting]),
            mode: Mode::Commands,
            sent: Lines::default(),
            received: Lines::default(),
            closing: false,
            auth_refused: false,
        }
    }

    /// Whether the reply to come answers AUTH: the lines sent behind it are responses, whatever they look like.
    fn is_in_auth(&self) -> Option<(&str, usize)> {
        match (&self.mode, self.owed.back()) {
            (Mode::Response { mechanism, step }, _) | (_, Some(Owed::Auth { mechanism, step })) => Some((mechanism, *step)),
            _ => None,
        }
    }

    /// A line was sent; the span of it that is secret.
    fn sent_line(&mut self, line: &[u8], secrets: &mut Secrets) -> Option<Range<usize>> {
        let text = chomp(line);
        if self.mode == Mode::Commands && self.owed.back() == Some(&Owed::Data) {
            // Sent behind DATA without waiting for the 354: it can only be meant as the message.
            self.mode = Mode::Message { fresh: true };
        }
        if let Mode::Message { fresh } = &mut self.mode {
            if *fresh && line == b".\r\n" {
                self.owed.push_back(Owed::Other);
                self.mode = Mode::Commands;
            } else {
                *fresh = line.ends_with(b"\r\n");
            }
            return None;
        }
        let secret = self.secret(text, true);
        let is_initial = initial_response(text).is_some();
        let asked_for = matches!(self.mode, Mode::Response { .. });
        let sent_ahead = secret.is_some() && !is_initial;
        let (owed, mode) = match self.is_in_auth() {
            Some((mechanism, step)) if asked_for || sent_ahead => {
                (Owed::Auth { mechanism: mechanism.to_owned(), step: step + 1 }, Mode::Commands)
            }
            _ => command(text),
        };
        match (&secret, &owed) {
            (Some(span), Owed::Auth { mechanism, step }) => {
                let response = if is_initial { *step } else { step.saturating_sub(1) };
                secrets.learn_sasl(mechanism, response, &text[span.clone()]);
            }
            (Some(span), _) => secrets.learn(&text[span.clone()]),
            (None, _) => {}
        }
        // An initial response is the first one of the exchange.
        let owed = match owed {
            Owed::Auth { mechanism, step: 0 } if is_initial => Owed::Auth { mechanism, step: 1 },
            owed => owed,
        };
        self.owed.push_back(owed);
        self.mode = mode;
        secret
    }

    /// The span of a line that is secret, or of the beginning of one.
    fn secret(&self, text: &[u8], whole: bool) -> Option<Range<usize>> {
        if matches!(self.mode, Mode::Message { .. }) {
            return None;
        }
        if let Some(secret) = redact::secret_of_command(text) {
            return Some(secret);
        }
        let asked_for = matches!(self.mode, Mode::Response { .. }) && text != b"*";
        // A response sent ahead of the 334, or sent although there was none.
        let unasked = match self.is_in_auth() {
            Some(_) => text != b"*" && !is_verb(text),
            None => self.auth_refused && whole && text.len() >= 8 && redact::is_base64(text) && !is_verb(text),
        };
        (asked_for || unasked).then_some(0..text.len()).filter(|span| !span.is_empty())
    }

    fn replied(&mut self, line: &[u8]) {
        let text = chomp(line);
        // Only the last line of a reply pays for it; what does not begin with a code is none.
        if text.get(3) == Some(&b'-') || text.len() < 3 || !text[..3].iter().all(u8::is_ascii_digit) {
            return;
        }
        let owed = self.owed.pop_front();
        if owed.is_none() && matches!(self.mode, Mode::Message { .. } | Mode::Chunk(_)) {
            // The server holds the message to be over (smuggled, or refused in the middle), and so what is sent next is a command.
            self.mode = Mode::Commands;
        }
        match (owed, text.get(..3)) {
            // Where the message was sent ahead, it has begun, or is over, already.
            (Some(Owed::Data), Some(b"354")) if self.mode == Mode::Commands && self.owed.is_empty() => {
                self.mode = Mode::Message { fresh: true };
            }
            (Some(Owed::Data), Some([b'4' | b'5', ..])) if matches!(self.mode, Mode::Message { .. }) => {
                self.mode = Mode::Commands;
            }
            // The octets of a chunk that was refused are not waited for: what is sent next are commands.
            (Some(Owed::Chunk), Some([b'4' | b'5', ..])) if matches!(self.mode, Mode::Chunk(_)) => self.mode = Mode::Commands,
            (Some(Owed::Auth { mechanism, step }), Some(b"334")) if self.mode == Mode::Commands => {
                self.mode = Mode::Response { mechanism, step };
            }
            (Some(Owed::Auth { .. }), Some(code)) if code != b"334" => self.auth_refused = !code.starts_with(b"2"),
            (Some(Owed::Quit), Some([b'2', ..])) | (_, Some(b"421")) => self.closing = true,
            _ => {}
        }
    }
}

impl Protocol for Smtp {
    fn name(&self) -> &'static str {
        self.name
    }

    fn speech(&self) -> Speech {
        Speech::Smtp
    }

    fn framing(&mut self) -> Option<&mut dyn Framing> {
        Some(&mut self.replies)
    }

    fn sent(&mut self, bytes: &[u8], secrets: &mut Secrets) -> Vec<Range<usize>> {
        let mut spans = Vec::new();
        let mut lines = std::mem::take(&mut self.sent);
        let mut start = 0;
        while start < bytes.len() {
            if let Mode::Chunk(left) = self.mode {
                let skipped = left.min(bytes.len() - start);
                start += skipped;
                self.mode = if left == skipped { Mode::Commands } else { Mode::Chunk(left - skipped) };
                continue;
            }
            let end = memchr::memchr(b'\n', &bytes[start..]).map_or(bytes.len(), |at| start + at + 1);
            let before = lines.unfinished().len();
            let mut secret = None;
            let mut complete = false;
            lines.push(&bytes[start..end], |line, _| {
                complete = true;
                secret = self.sent_line(line, secrets);
            });
            if !complete {
                secret = self.secret(lines.unfinished(), false);
            }
            if let Some(span) = secret {
                // Of a line longer than what is remembered of it, all that is new is as secret as its beginning.
                let too_long = before.max(lines.unfinished().len()) >= LINE_HEAD;
                let new = span.start.saturating_sub(before)..span.end.saturating_sub(before);
                let new = if too_long { new.start..chomp(&bytes[start..end]).len() } else { new };
                spans.extend((!new.is_empty()).then_some(start + new.start..start + new.end));
            }
            start = end;
        }
        self.sent = lines;
        spans
    }

    fn secrets(&self, bytes: &[u8]) -> Vec<Range<usize>> {
        let before = self.sent.unfinished().len();
        let line = [self.sent.unfinished(), bytes].concat();
        let span = self.secret(chomp(&line), true).filter(|span| span.end > before);
        span.map(|span| span.start.saturating_sub(before)..span.end - before).into_iter().collect()
    }

    fn received(&mut self, bytes: &[u8]) {
        let mut lines = std::mem::take(&mut self.received);
        lines.push(bytes, |line, _| self.replied(line));
        self.received = lines;
    }

    fn owed(&self) -> usize {
        self.owed.len()
    }

    fn waive(&mut self) {
        self.owed.clear();
    }

    fn is_closing(&self) -> bool {
        self.closing
    }
}

/// What a command's reply will answer, and what may be sent behind it without waiting.
fn command(text: &[u8]) -> (Owed, Mode) {
    let mut words = text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    // All verbs that make a difference have four letters.
    let verb = <[u8; 4]>::try_from(words.next().unwrap_or_default()).unwrap_or_default();
    let mut argument = || String::from_utf8_lossy(words.next().unwrap_or_default());
    match &verb.map(|byte| byte.to_ascii_uppercase()) {
        b"DATA" => (Owed::Data, Mode::Commands),
        b"QUIT" => (Owed::Quit, Mode::Commands),
        b"AUTH" => (Owed::Auth { mechanism: argument().into_owned(), step: 0 }, Mode::Commands),
        b"BDAT" => match argument().parse() {
            Ok(size) if size > 0 => (Owed::Chunk, Mode::Chunk(size)),
            _ => (Owed::Other, Mode::Commands),
        },
        _ => (Owed::Other, Mode::Commands),
    }
}

/// The span of the initial response in `AUTH mechanism response` (RFC 4954 section 4), whatever blanks part the words.
fn initial_response(text: &[u8]) -> Option<Range<usize>> {
    let first = text.split(u8::is_ascii_whitespace).find(|word| !word.is_empty())?;
    first.eq_ignore_ascii_case(b"AUTH").then(|| redact::secret_of_command(text)).flatten()
}

/// Whether the line is a command, and no response that was sent ahead of the 334.
fn is_verb(text: &[u8]) -> bool {
    const VERBS: [&[u8]; 19] = [
        b"AUTH",
        b"BDAT",
        b"DATA",
        b"EHLO",
        b"ETRN",
        b"EXPN",
        b"HELO",
        b"HELP",
        b"LHLO",
        b"MAIL",
        b"NOOP",
        b"QUIT",
        b"RCPT",
        b"RSET",
        b"SEND",
        b"STARTTLS",
        b"TURN",
        b"VRFY",
        b"XCLIENT",
    ];
    let word = text.split(u8::is_ascii_whitespace).next().unwrap_or_default();
    VERBS.iter().any(|verb| word.eq_ignore_ascii_case(verb))
}
