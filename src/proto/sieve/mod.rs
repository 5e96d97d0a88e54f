//! ManageSieve (RFC 5804): where a response ends, whose turn it is, and what is secret.

mod facts;
mod responses;
mod scanner;
#[cfg(test)]
mod tests;
mod words;

use std::collections::VecDeque;
use std::ops::Range;

pub(super) use facts::FACTS;
use responses::{Line, Lines, Responses};
use scanner::{Event, Scanner, Side, Sort};
pub(crate) use words::{LONGEST_QUOTED, Word, capabilities, data, is_ok, response_code, string};

use super::requests::{Next, Requests};
use super::{Framing, LINE_HEAD, Protocol, RESPONSE, Speech, chomp};
use crate::pattern::Verdict;
use crate::secrets::{self, Secrets};

/// One side of a ManageSieve dialogue: what was sent, and which responses are still owed.
#[derive(Clone, Debug)]
pub(crate) struct Sieve {
    name: &'static str,
    responses: Responses,
    requests: Requests,
    received: Lines,
    owed: VecDeque<Owed>,
    /// The exchange that the next line is a response in, if there is one.
    turn: Option<Exchange>,
    scanner: Scanner,
    sending: Sending,
    closing: bool,
    /// AUTHENTICATE was over before the client had sent a response, or was refused. A later line
    /// that begins with a string was still meant as a response.
    auth_over: bool,
}

/// What a response will answer.
#[derive(Clone, Debug)]
enum Owed {
    Greeting,
    Auth(Exchange),
    /// STARTTLS: after the handshake, the server announces its capabilities again (RFC 5804 section
    /// 2.2).
    Tls,
    Logout,
    Other,
}

/// A SASL exchange (RFC 5804 section 2.1), with the number of responses that were sent.
#[derive(Clone, Debug)]
struct Exchange {
    mechanism: String,
    step: usize,
}

/// The line that is being sent.
#[derive(Clone, Debug, Default)]
struct Sending {
    /// The number of words that are complete.
    words: usize,
    verb: Vec<u8>,
    mechanism: Vec<u8>,
    /// The word in progress, if it is secret.
    secret: Vec<u8>,
    /// Whether the line is a response that was sent ahead or in vain, and no command.
    is_response: bool,
}

impl Sending {
    fn is_authenticate(&self) -> bool {
        self.verb.eq_ignore_ascii_case(b"AUTHENTICATE")
    }

    /// Keeps the beginning of the words that matter.
    fn keep(&mut self, sort: Sort, content: &[u8]) {
        let (kept, most) = match self.words {
            0 if sort == Sort::Atom => (&mut self.verb, 16),
            1 => (&mut self.mechanism, 64),
            _ => return,
        };
        let room = content.len().min(most - kept.len());
        kept.extend_from_slice(&content[..room]);
    }
}

impl Sieve {
    /// A dialogue with a server that greets first.
    pub(crate) fn new(name: &'static str) -> Self {
        Self {
            name,
            responses: Responses::default(),
            requests: Requests::default(),
            received: Lines::default(),
            owed: VecDeque::from([Owed::Greeting]),
            turn: None,
            scanner: Scanner::new(Side::Client),
            sending: Sending::default(),
            closing: false,
            auth_over: false,
        }
    }

    /// The exchange that a string sent now would be a response in. The response may have been asked
    /// for, or be sent ahead of the challenge.
    fn exchange(&self) -> Option<&Exchange> {
        match (&self.turn, self.owed.back()) {
            (Some(exchange), _) | (None, Some(Owed::Auth(exchange))) => Some(exchange),
            _ => None,
        }
    }

    /// Whether the word in progress, which this is a part of, is secret.
    fn is_secret(&self, sort: Sort, content: &[u8]) -> bool {
        let sending = &self.sending;
        let is_expected = sort != Sort::Atom && (self.exchange().is_some() || self.auth_over);
        let begins_a_response =
            sending.words == 0 && (is_expected || secrets::is_stray_response(content, false));
        self.turn.is_some()
            || sending.is_response
            || begins_a_response
            || (sending.words >= 2 && sending.is_authenticate())
    }

    /// Tracks a part of a word that is sent, and returns whether it is secret.
    fn sent_content(&mut self, sort: Sort, content: &[u8]) -> bool {
        if !self.is_secret(sort, content) {
            self.sending.keep(sort, content);
            return false;
        }
        self.sending.is_response |= !self.sending.is_authenticate();
        let room = content.len().min(LINE_HEAD - self.sending.secret.len());
        self.sending.secret.extend_from_slice(&content[..room]);
        true
    }

    /// Tracks the end of a word that was sent, and returns whether the word was secret.
    fn sent_word(&mut self, secrets: &mut Secrets) -> bool {
        self.sending.words += 1;
        let secret = std::mem::take(&mut self.sending.secret);
        // An asterisk cancels the exchange, and a command in place of a response is no secret.
        let is_command = [&b"LOGOUT"[..], b"NOOP", b"CAPABILITY"]
            .iter()
            .any(|command| secret.eq_ignore_ascii_case(command));
        if secret == b"*" || is_command {
            return false;
        }
        let mechanism = || String::from_utf8_lossy(&self.sending.mechanism).into_owned();
        let (mechanism, step) = match self.exchange() {
            _ if self.sending.is_authenticate() => (mechanism(), 0),
            Some(exchange) => (exchange.mechanism.clone(), exchange.step),
            None => (String::new(), 0),
        };
        secrets.learn_sasl(&mechanism, step, &secret);
        true
    }

    /// Tracks the end of a line that was sent.
    fn sent_line(&mut self) {
        let sent = std::mem::take(&mut self.sending);
        let in_exchange =
            (self.turn.is_some() || sent.is_response).then(|| self.exchange().cloned()).flatten();
        let owed = match in_exchange {
            Some(exchange) => Owed::Auth(Exchange { step: exchange.step + 1, ..exchange }),
            None if sent.is_authenticate() => Owed::Auth(Exchange {
                step: usize::from(sent.words > 2),
                mechanism: String::from_utf8_lossy(&sent.mechanism).into_owned(),
            }),
            None if sent.verb.eq_ignore_ascii_case(b"LOGOUT") => Owed::Logout,
            None if sent.verb.eq_ignore_ascii_case(b"STARTTLS") => Owed::Tls,
            None => Owed::Other,
        };
        self.turn = None;
        self.owed.push_back(owed);
    }

    /// Tracks bytes that are sent. Returns the spans of them that are secret.
    fn follow(&mut self, bytes: &[u8], secrets: &mut Secrets) -> Vec<Range<usize>> {
        let mut spans: Vec<Range<usize>> = Vec::new();
        // The spans before this index belong to words that are complete.
        let mut certain = 0;
        let mut at = 0;
        let mut scanner = std::mem::take(&mut self.scanner);
        while let Some(event) = scanner.next(bytes, &mut at) {
            match event {
                Event::Content(sort, range) => {
                    if self.sent_content(sort, &bytes[range.clone()]) {
                        spans.push(range);
                    }
                }
                Event::Word(_) => {
                    if !self.sent_word(secrets) {
                        spans.truncate(certain);
                    }
                    certain = spans.len();
                }
                Event::End | Event::Wrong(_) => self.sent_line(),
            }
        }
        self.scanner = scanner;
        spans
    }

    fn said(&mut self, line: Line) {
        if line == Line::Data && !matches!(self.owed.front(), Some(Owed::Auth(_))) {
            return;
        }
        match (self.owed.pop_front(), line) {
            (Some(Owed::Auth(exchange)), Line::Data) => {
                // If the response was sent ahead, it is not our turn.
                let is_ahead = matches!(self.owed.front(), Some(Owed::Auth(_)));
                self.turn = (!is_ahead).then_some(exchange);
            }
            (Some(Owed::Auth(exchange)), Line::Ok | Line::No) => {
                self.auth_over = line == Line::No || exchange.step == 0;
            }
            (Some(Owed::Tls), Line::Ok) => self.owed.push_front(Owed::Greeting),
            (Some(Owed::Logout), Line::Ok) | (_, Line::Bye) => self.closing = true,
            _ => {}
        }
    }
}

impl Protocol for Sieve {
    fn name(&self) -> &'static str {
        self.name
    }

    fn speech(&self) -> Speech {
        Speech::Sieve
    }

    fn framing(&mut self) -> Option<&mut dyn Framing> {
        self.responses.are_challenges = matches!(self.owed.front(), Some(Owed::Auth(_)));
        Some(&mut self.responses)
    }

    fn requests(&mut self) -> Option<&mut dyn Framing> {
        Some(self.requests.wanting(Next::Literals(0)))
    }

    fn is_within_command(&self) -> bool {
        self.sending.words > 0 || self.scanner.is_within_word()
    }

    fn fork(&self) -> Box<dyn Protocol> {
        Box::new(self.clone())
    }

    fn sent(&mut self, bytes: &[u8], secrets: &mut Secrets) -> Vec<Range<usize>> {
        self.follow(bytes, secrets)
    }

    fn secrets(&self, bytes: &[u8]) -> Vec<Range<usize>> {
        self.clone().follow(bytes, &mut Secrets::default())
    }

    fn received(&mut self, bytes: &[u8]) {
        let mut lines = std::mem::take(&mut self.received);
        let mut at = 0;
        while let Some(line) = lines.next(bytes, &mut at) {
            // A malformed line settles nothing.
            if let Ok(line) = line {
                self.said(line);
            }
        }
        self.received = lines;
    }

    fn owed(&self) -> usize {
        self.owed.len()
    }

    fn waive(&mut self) {
        self.owed.clear();
    }

    fn challenge<'a>(&self, taken: &'a [u8]) -> Option<&'a [u8]> {
        self.turn.as_ref()?;
        let taken = chomp(taken);
        let literal = || {
            taken
                .starts_with(b"{")
                .then(|| memchr::memchr(b'\n', taken).map(|at| &taken[at + 1..]))
                .flatten()
        };
        taken.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\"")).or_else(literal)
    }

    fn is_closing(&self) -> bool {
        self.closing
    }

    fn asks(&self) -> Option<&'static str> {
        self.turn.as_ref().map(|_| RESPONSE)
    }

    fn verdict(&self, reply: &[u8]) -> Verdict {
        let line = words::verdict(reply);
        let letters = reply[line..].iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
        Verdict { line, words: line..line + letters }
    }
}
