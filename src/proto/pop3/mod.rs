//! POP3 (RFC 1939, 2449, 5034): whose turn it is, what is owed, and what is secret.

mod facts;
mod status;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::ops::Range;

pub(super) use facts::FACTS;
use status::StatusLines;
pub(crate) use status::{Status, in_brackets, response_code, timestamp};

use super::multiline::LoneDot;
use super::requests::Requests;
use super::{Framing, Lines, Protocol, RESPONSE, Speech, chomp, last_line};
use crate::pattern::Verdict;
use crate::secrets::{self, Secrets};

/// One side of a POP3 dialogue: what was sent, and which status lines and blocks are still owed.
#[derive(Clone, Debug)]
pub(crate) struct Pop3 {
    name: &'static str,
    lines: StatusLines,
    requests: Requests,
    owed: VecDeque<Owed>,
    /// The exchange that the next line is a response in, if there is one.
    turn: Option<Exchange>,
    sent: Lines,
    received: Lines,
    closing: bool,
    /// AUTH was over before the client had sent a response, or was refused. A later line that looks
    /// like a response is still treated as one.
    auth_over: bool,
    greeting: Option<Vec<u8>>,
}

/// What the next answer will be for.
#[derive(Clone, Debug)]
enum Owed {
    Greeting,
    /// A command that is answered with `+OK` and a block of lines.
    Listing,
    /// The block of lines after that `+OK`.
    Block(LoneDot),
    Auth(Exchange),
    Quit,
    Other,
}

/// A SASL exchange (RFC 5034), with the number of responses that were sent.
#[derive(Clone, Debug)]
struct Exchange {
    mechanism: String,
    step: usize,
}

impl Pop3 {
    /// A dialogue with a server that greets first.
    pub(crate) fn new(name: &'static str) -> Self {
        Self {
            name,
            lines: StatusLines::default(),
            requests: Requests::default(),
            owed: VecDeque::from([Owed::Greeting]),
            turn: None,
            sent: Lines::default(),
            received: Lines::default(),
            closing: false,
            auth_over: false,
            greeting: None,
        }
    }

    /// The exchange that a line sent now would be a response in, unless the line is a command. The
    /// response may have been asked for, or be sent ahead of the `+`.
    fn exchange(&self) -> Option<&Exchange> {
        match (&self.turn, self.owed.back()) {
            (Some(exchange), _) | (None, Some(Owed::Auth(exchange))) => Some(exchange),
            _ => None,
        }
    }

    /// The span of a line, or of the beginning of a line, that is secret.
    fn secret(&self, text: &[u8], whole: bool) -> Option<Range<usize>> {
        let asked_for = self.turn.is_some();
        // A command in place of a response is still a command; otherwise every later `QUIT` would
        // be masked.
        if is_verb(text) && (whole || !asked_for) {
            return secret_argument(text);
        }
        let is_response = match self.exchange() {
            Some(_) => text != b"*" && (whole || asked_for || !begins_a_verb(text)),
            None => whole && secrets::is_stray_response(text, self.auth_over),
        };
        (is_response && !text.is_empty()).then_some(0..text.len())
    }

    /// Tracks a line that was sent. Returns the span of it that is secret.
    fn sent_line(&mut self, text: &[u8], secrets: &mut Secrets) -> Option<Range<usize>> {
        let secret = self.secret(text, true);
        let in_exchange = self.turn.is_some() || (self.exchange().is_some() && !is_verb(text));
        let owed = match self.exchange() {
            Some(exchange) if in_exchange => {
                let Exchange { mechanism, step } = exchange.clone();
                learn(&mechanism, step, text, secret.clone(), secrets);
                Owed::Auth(Exchange { mechanism, step: step + 1 })
            }
            _ => command(text, secret.clone(), secrets),
        };
        // AUTH without a mechanism begins no exchange.
        self.auth_over |= text.trim_ascii().eq_ignore_ascii_case(b"AUTH");
        self.turn = None;
        self.owed.push_back(owed);
        secret
    }

    fn replied(&mut self, line: &[u8]) {
        let Some(status) = Status::of(line) else { return };
        match (self.owed.pop_front(), status) {
            (Some(Owed::Greeting), _) => self.greeting = Some(line.to_vec()),
            (Some(Owed::Listing), Status::Ok) => {
                self.owed.push_front(Owed::Block(LoneDot::default()));
            }
            // If the response was sent ahead, it is not our turn.
            (Some(Owed::Auth(exchange)), Status::Continue)
                if !matches!(self.owed.front(), Some(Owed::Auth(_))) =>
            {
                self.turn = Some(exchange);
            }
            (Some(Owed::Auth(exchange)), Status::Ok | Status::Err) => {
                self.auth_over = status == Status::Err || exchange.step == 0;
            }
            (Some(Owed::Quit), Status::Ok) => self.closing = true,
            _ => {}
        }
    }

    /// Tracks a status line or a part of one. Returns its length.
    fn received_line(&mut self, bytes: &[u8]) -> usize {
        let end = memchr::memchr(b'\n', bytes).map_or(bytes.len(), |at| at + 1);
        let mut lines = std::mem::take(&mut self.received);
        lines.push(&bytes[..end], |line, _| self.replied(chomp(line)));
        self.received = lines;
        end
    }
}

impl Protocol for Pop3 {
    fn name(&self) -> &'static str {
        self.name
    }

    fn speech(&self) -> Speech {
        Speech::Pop3
    }

    fn framing(&mut self) -> Option<&mut dyn Framing> {
        Some(&mut self.lines)
    }

    fn requests(&mut self) -> Option<&mut dyn Framing> {
        Some(&mut self.requests)
    }

    fn is_within_command(&self) -> bool {
        !self.sent.unfinished().is_empty()
    }

    fn fork(&self) -> Box<dyn Protocol> {
        Box::new(self.clone())
    }

    fn sent(&mut self, bytes: &[u8], secrets: &mut Secrets) -> Vec<Range<usize>> {
        let mut lines = std::mem::take(&mut self.sent);
        let spans = lines.follow(bytes, |line, whole| {
            if whole { self.sent_line(chomp(line), secrets) } else { self.secret(line, false) }
        });
        self.sent = lines;
        spans
    }

    fn secrets(&self, bytes: &[u8]) -> Vec<Range<usize>> {
        self.sent.ahead(bytes, |line| self.secret(line, true)).into_iter().collect()
    }

    fn received(&mut self, bytes: &[u8]) {
        let mut at = 0;
        while at < bytes.len() {
            let Some(Owed::Block(end)) = self.owed.front_mut() else {
                at += self.received_line(&bytes[at..]);
                continue;
            };
            let Some(length) = end.find(&bytes[at..]) else { return };
            self.owed.pop_front();
            at += length;
        }
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

    fn challenge<'a>(&self, taken: &'a [u8]) -> Option<&'a [u8]> {
        self.turn.as_ref().and_then(|_| last_line(taken).get(2..))
    }

    fn asks(&self) -> Option<&'static str> {
        self.turn.as_ref().map(|_| RESPONSE)
    }

    fn verdict(&self, reply: &[u8]) -> Verdict {
        Verdict::first_word(Status::word(reply).map_or(0, <[u8]>::len))
    }

    fn owes_block(&self) -> bool {
        matches!(self.owed.front(), Some(Owed::Block(_)))
    }

    fn greeting(&self) -> Option<&[u8]> {
        self.greeting.as_deref()
    }
}

/// What the answer to a command will be. Also learns the command's secret.
fn command(text: &[u8], secret: Option<Range<usize>>, secrets: &mut Secrets) -> Owed {
    if FACTS.has_block(text) {
        return Owed::Listing;
    }
    let mut words = text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let verb = words.next().unwrap_or_default().to_ascii_uppercase();
    match (&verb[..], words.next()) {
        (b"AUTH", Some(mechanism)) => {
            let mechanism = String::from_utf8_lossy(mechanism).into_owned();
            let step = usize::from(secret.is_some());
            learn(&mechanism, 0, text, secret, secrets);
            Owed::Auth(Exchange { mechanism, step })
        }
        (b"QUIT", _) => Owed::Quit,
        _ => {
            match secret {
                Some(span) if verb == b"APOP" => secrets.learn_proof(&text[span]),
                Some(span) if span.start == 0 => secrets.learn_sasl("", 0, text),
                Some(span) => secrets.learn(&text[span]),
                None => {}
            }
            Owed::Other
        }
    }
}

fn learn(
    mechanism: &str,
    step: usize,
    text: &[u8],
    secret: Option<Range<usize>>,
    secrets: &mut Secrets,
) {
    if let Some(span) = secret {
        secrets.learn_sasl(mechanism, step, &text[span]);
    }
}

/// The span of a command that is secret. A password is everything after the blank, including
/// further blanks (RFC 1939 section 7).
fn secret_argument(text: &[u8]) -> Option<Range<usize>> {
    let start = text.iter().position(|byte| !byte.is_ascii_whitespace())?;
    if text[start..].get(..4)?.eq_ignore_ascii_case(b"PASS") {
        return (text.len() > start + 5).then(|| start + 5..text.len());
    }
    secrets::secret_of_command(text)
}

/// Whether the line is a command, and not a response that was sent ahead.
fn is_verb(text: &[u8]) -> bool {
    let word =
        text.split(u8::is_ascii_whitespace).find(|word| !word.is_empty()).unwrap_or_default();
    FACTS.commands().any(|verb| word.eq_ignore_ascii_case(verb.as_bytes()))
}

/// Whether the beginning of a line may become a command.
fn begins_a_verb(text: &[u8]) -> bool {
    FACTS.commands().any(|verb| {
        verb.as_bytes().get(..text.len()).is_some_and(|start| start.eq_ignore_ascii_case(text))
    })
}
