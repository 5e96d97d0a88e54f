//! SMTP, submission and LMTP (RFC 5321, RFC 6409, RFC 2033): whose turn it is, and what is secret.

mod dot_stuffing;
mod facts;
mod owed;
#[cfg(test)]
mod recorded;
mod replies;
#[cfg(test)]
mod tests;
mod xtext;

use std::ops::Range;

pub use dot_stuffing::dot_stuff;
pub(super) use facts::{FACTS, LMTP, SASL};
use owed::{Owed, Owing};
pub(crate) use replies::Replies;
pub use xtext::xtext;

use super::requests::{Next, Requests};
use super::{Facts, Framing, Lines, Protocol, RESPONSE, Speech, chomp, last_line};
use crate::secrets::{self, Secrets};

/// One side of an SMTP dialogue: what was sent, and which replies are still owed.
#[derive(Clone, Debug)]
pub(crate) struct Smtp {
    name: &'static str,
    speech: Speech,
    replies: Replies,
    requests: Requests,
    owed: Owing,
    mode: Mode,
    sent: Lines,
    received: Lines,
    closing: bool,
    /// AUTH was over before the client had sent a response, or was refused. A later line that looks
    /// like a response is still treated as one.
    auth_over: bool,
}

/// What the next bytes to be sent are.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Mode {
    Commands,
    /// The lines of a message, up to the lone dot between two CRLF (RFC 5321 section 4.1.1.4).
    /// `fresh` is true after a CRLF.
    Message {
        fresh: bool,
    },
    /// The octets of a BDAT chunk that are still to come (RFC 3030).
    Chunk(usize),
    /// One line that answers a 334 (RFC 4954 section 4).
    Response {
        mechanism: String,
        step: usize,
    },
}

impl Smtp {
    /// A dialogue with a server that greets first.
    pub(crate) fn new(name: &'static str) -> Self {
        Self::speaking(name, Speech::Smtp)
    }

    /// A dialogue with an LMTP server, which answers a message once for each recipient (RFC 2033).
    pub(crate) fn lmtp(name: &'static str) -> Self {
        Self::speaking(name, Speech::Lmtp)
    }

    fn speaking(name: &'static str, speech: Speech) -> Self {
        Self {
            name,
            speech,
            replies: Replies::default(),
            requests: Requests::default(),
            owed: Owing::new(speech == Speech::Lmtp),
            mode: Mode::Commands,
            sent: Lines::default(),
            received: Lines::default(),
            closing: false,
            auth_over: false,
        }
    }

    /// The mechanism and step of an exchange, if the next reply answers AUTH. Lines that are sent
    /// before this reply are responses, whatever they look like.
    fn is_in_auth(&self) -> Option<(&str, usize)> {
        match (&self.mode, self.owed.last()) {
            (Mode::Response { mechanism, step }, _) | (_, Some(Owed::Auth { mechanism, step })) => {
                Some((mechanism, *step))
            }
            _ => None,
        }
    }

    /// Tracks a line that was sent. Returns the span of it that is secret.
    fn sent_line(&mut self, line: &[u8], secrets: &mut Secrets) -> Option<Range<usize>> {
        let text = chomp(line);
        if self.mode == Mode::Commands && self.owed.last() == Some(&Owed::Data) {
            // A line that is sent after DATA without waiting for the 354 can only be a part of the
            // message.
            self.mode = Mode::Message { fresh: true };
        }
        if let Mode::Message { fresh } = &mut self.mode {
            if *fresh && line == b".\r\n" {
                self.owed.push(Owed::Message { left: None });
                self.mode = Mode::Commands;
            } else {
                *fresh = line.ends_with(b"\r\n");
            }
            return None;
        }
        let secret = self.secret(text, true);
        let is_initial = secret.is_some() && initial_response(text).is_some();
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
            (Some(span), _) if span.start == 0 => secrets.learn_sasl("", 0, text),
            (Some(span), _) => secrets.learn(&text[span.clone()]),
            (None, _) => {}
        }
        // An initial response counts as the first response of the exchange.
        let owed = match owed {
            Owed::Auth { mechanism, step: 0 } if is_initial => Owed::Auth { mechanism, step: 1 },
            owed => owed,
        };
        self.owed.push(owed);
        self.mode = mode;
        secret
    }

    /// The span of a line, or of the beginning of a line, that is secret.
    fn secret(&self, text: &[u8], whole: bool) -> Option<Range<usize>> {
        if matches!(self.mode, Mode::Message { .. }) {
            return None;
        }
        if let Some(secret) = secrets::secret_of_command(text) {
            return Some(secret);
        }
        // A command in place of a response is no secret; otherwise every later `QUIT` would be
        // masked.
        let asked_for =
            matches!(self.mode, Mode::Response { .. }) && text != b"*" && !(whole && is_verb(text));
        // A response that is sent ahead of the 334, or although there was no 334.
        let unasked = match self.is_in_auth() {
            Some(_) => text != b"*" && !is_verb(text),
            None => whole && secrets::is_stray_response(text, self.auth_over) && !is_verb(text),
        };
        (asked_for || unasked).then_some(0..text.len()).filter(|span| !span.is_empty())
    }

    fn replied(&mut self, line: &[u8]) {
        let text = chomp(line);
        // Only the last line of a reply settles what is owed. A line without a code is no reply
        // line.
        let Some(code) = text.first_chunk::<3>().filter(|code| code.iter().all(u8::is_ascii_digit))
        else {
            return;
        };
        if text.get(3) == Some(&b'-') {
            return;
        }
        let owed = self.owed.replied(*code);
        if owed.is_none() && matches!(self.mode, Mode::Message { .. } | Mode::Chunk(_)) {
            // The server considers the message complete (it was smuggled, or refused in the
            // middle), so whatever is sent next is a command.
            self.mode = Mode::Commands;
        }
        match (owed, code) {
            // A message that was sent ahead has begun, or is complete, already.
            // Some servers say another code of that class (RFC 5321 section 4.2.1).
            (Some(Owed::Data), [b'3', ..])
                if self.mode == Mode::Commands && self.owed.is_empty() =>
            {
                self.mode = Mode::Message { fresh: true };
            }
            (Some(Owed::Data), [b'4' | b'5', ..]) if matches!(self.mode, Mode::Message { .. }) => {
                self.mode = Mode::Commands;
            }
            // The rest of a refused chunk is not waited for: whatever is sent next is a command.
            (Some(Owed::Chunk | Owed::Message { .. }), [b'4' | b'5', ..])
                if matches!(self.mode, Mode::Chunk(_)) =>
            {
                self.mode = Mode::Commands;
            }
            // If the response was sent ahead, the next line is no response.
            (Some(Owed::Auth { mechanism, step }), b"334")
                if self.mode == Mode::Commands
                    && !matches!(self.owed.first(), Some(Owed::Auth { .. })) =>
            {
                self.mode = Mode::Response { mechanism, step };
            }
            (Some(Owed::Auth { step, .. }), code) if code != b"334" => {
                self.auth_over = !code.starts_with(b"2") || step == 0;
            }
            (Some(Owed::Quit), [b'2', ..]) | (_, b"421") => self.closing = true,
            _ => {}
        }
    }
}

impl Protocol for Smtp {
    fn name(&self) -> &'static str {
        self.name
    }

    fn speech(&self) -> Speech {
        self.speech
    }

    fn framing(&mut self) -> Option<&mut dyn Framing> {
        Some(&mut self.replies)
    }

    fn requests(&mut self) -> Option<&mut dyn Framing> {
        Some(self.requests.wanting(match self.mode {
            Mode::Commands | Mode::Response { .. } => Next::Line,
            Mode::Message { .. } => Next::Message,
            Mode::Chunk(octets) => Next::Octets(octets as u64),
        }))
    }

    fn is_within_command(&self) -> bool {
        !self.sent.unfinished().is_empty()
    }

    fn wants_message(&self) -> bool {
        matches!(self.mode, Mode::Message { .. })
    }

    fn fork(&self) -> Box<dyn Protocol> {
        Box::new(self.clone())
    }

    fn sent(&mut self, bytes: &[u8], secrets: &mut Secrets) -> Vec<Range<usize>> {
        let mut spans = Vec::new();
        let mut lines = std::mem::take(&mut self.sent);
        let mut start = 0;
        while start < bytes.len() {
            if let Mode::Chunk(left) = self.mode {
                let skipped = left.min(bytes.len() - start);
                start += skipped;
                self.mode =
                    if left == skipped { Mode::Commands } else { Mode::Chunk(left - skipped) };
                continue;
            }
            if let (Mode::Message { fresh }, []) = (&mut self.mode, lines.unfinished()) {
                start += skip_content(&bytes[start..], fresh);
            }
            let end =
                memchr::memchr(b'\n', &bytes[start..]).map_or(bytes.len(), |at| start + at + 1);
            let spans_of_line = lines.follow(&bytes[start..end], |line, whole| {
                if whole { self.sent_line(line, secrets) } else { self.secret(line, false) }
            });
            spans
                .extend(spans_of_line.into_iter().map(|span| start + span.start..start + span.end));
            start = end;
        }
        self.sent = lines;
        spans
    }

    fn secrets(&self, bytes: &[u8]) -> Vec<Range<usize>> {
        self.sent.ahead(bytes, |line| self.secret(line, true)).into_iter().collect()
    }

    fn received(&mut self, bytes: &[u8]) {
        let mut lines = std::mem::take(&mut self.received);
        lines.push(bytes, |line, _| self.replied(line));
        self.received = lines;
    }

    fn owed(&self) -> usize {
        self.owed.replies()
    }

    fn unanswered(&self) -> usize {
        self.owed.commands()
    }

    fn waive(&mut self) {
        self.owed.clear();
    }

    fn challenge<'a>(&self, taken: &'a [u8]) -> Option<&'a [u8]> {
        let is_asked = matches!(self.mode, Mode::Response { .. });
        is_asked.then(|| last_line(taken).get(4..)).flatten()
    }

    fn asks(&self) -> Option<&'static str> {
        match self.mode {
            Mode::Response { .. } => Some(RESPONSE),
            Mode::Message { .. } => Some("the message, up to a lone dot"),
            Mode::Commands | Mode::Chunk(_) => None,
        }
    }

    fn is_closing(&self) -> bool {
        self.closing
    }
}

/// The length of the whole lines of a message before the next line that could be its end. Sets
/// `fresh` to whether these lines end with CRLF.
fn skip_content(message: &[u8], fresh: &mut bool) -> usize {
    if *fresh && message.starts_with(b".") {
        return 0;
    }
    let dotted = memchr::memmem::find(message, b"\r\n.").map_or(message.len(), |at| at + 2);
    let content = memchr::memrchr(b'\n', &message[..dotted]).map_or(0, |at| at + 1);
    if content > 0 {
        *fresh = message[..content].ends_with(b"\r\n");
    }
    content
}

/// What the reply to a command will answer, and what may be sent next without waiting.
fn command(text: &[u8]) -> (Owed, Mode) {
    let mut words = text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    // All verbs that matter here have four letters.
    let verb = <[u8; 4]>::try_from(words.next().unwrap_or_default()).unwrap_or_default();
    let mut argument = || words.next().unwrap_or_default();
    let owed = match &verb.map(|byte| byte.to_ascii_uppercase()) {
        b"EHLO" | b"HELO" | b"LHLO" | b"RSET" => Owed::Anew,
        b"MAIL" => Owed::Mail { prdr: words.any(|word| word.eq_ignore_ascii_case(b"PRDR")) },
        b"RCPT" => Owed::Rcpt,
        b"DATA" => Owed::Data,
        b"BDAT" => return chunk(text),
        b"QUIT" => Owed::Quit,
        b"AUTH" => {
            Owed::Auth { mechanism: String::from_utf8_lossy(argument()).into_owned(), step: 0 }
        }
        _ => Owed::Other,
    };
    (owed, Mode::Commands)
}

/// What the reply to a BDAT will answer, and what may be sent next.
fn chunk(text: &[u8]) -> (Owed, Mode) {
    let Some((size, is_last)) = size_of_chunk(text) else { return (Owed::Other, Mode::Commands) };
    let owed = if is_last { Owed::Message { left: None } } else { Owed::Chunk };
    (owed, if size > 0 { Mode::Chunk(size) } else { Mode::Commands })
}

/// The octets of the chunk that `BDAT size` or `BDAT size LAST` announces, and whether it is the
/// last (RFC 3030 section 2); `None` for any other line.
pub(crate) fn size_of_chunk(line: &[u8]) -> Option<(usize, bool)> {
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    words.next().filter(|verb| verb.eq_ignore_ascii_case(b"BDAT"))?;
    let size = std::str::from_utf8(words.next()?).ok()?;
    let is_number = size.bytes().all(|byte| byte.is_ascii_digit());
    let size = is_number.then(|| size.parse().ok()).flatten()?;
    match (words.next(), words.next()) {
        (None, _) => Some((size, false)),
        (Some(last), None) if last.eq_ignore_ascii_case(b"LAST") => Some((size, true)),
        _ => None,
    }
}

/// The span of the initial response in `AUTH mechanism response` (RFC 4954 section 4), whatever
/// blanks separate the words.
fn initial_response(text: &[u8]) -> Option<Range<usize>> {
    let first = text.split(u8::is_ascii_whitespace).find(|word| !word.is_empty())?;
    first.eq_ignore_ascii_case(b"AUTH").then(|| secrets::secret_of_command(text)).flatten()
}

/// Whether the line is a command, and not a response that was sent ahead of the 334.
pub(crate) fn is_verb(text: &[u8]) -> bool {
    let word = text.split(u8::is_ascii_whitespace).next().unwrap_or_default();
    [&FACTS, &LMTP].into_iter().flat_map(Facts::commands).any(|command| {
        let verb = command.split(' ').next().unwrap_or_default();
        word.eq_ignore_ascii_case(verb.as_bytes())
    })
}
