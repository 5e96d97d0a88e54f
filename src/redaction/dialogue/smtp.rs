//! Tells which SMTP or LMTP command a reply answers.

use std::collections::VecDeque;

use super::reduced::Line;
use super::{Content, Seen, Tracker, is_one_of, word};
use crate::pattern::Enhanced;
use crate::proto::Speech;
use crate::redaction::scope::{Part, Verb};

#[derive(Debug)]
pub(super) struct Smtp {
    speech: Speech,
    owed: VecDeque<Verb>,
    mode: Mode,
    /// The number of accepted recipients: over LMTP, each gets a reply at the end of the message.
    accepted: usize,
    /// Whether the reply in progress has had a line that is not its last.
    continues: bool,
}

/// The kind of the client's next line.
#[derive(Debug)]
enum Mode {
    Command,
    /// The answer to a SASL challenge.
    Response,
    /// A message, up to a line with only a dot.
    Message(Content),
    /// A chunk, up to the next BDAT or the server's reply.
    Chunk(Content),
}

impl Smtp {
    pub(super) fn new(speech: Speech) -> Self {
        Self {
            speech,
            owed: VecDeque::from([Verb::Greeting]),
            mode: Mode::Command,
            accepted: 0,
            continues: false,
        }
    }

    fn command(&mut self, verb: Verb) {
        if matches!(verb, Verb::Mail | Verb::Ehlo) {
            self.accepted = 0;
        }
        if verb == Verb::Bdat {
            self.mode = Mode::Chunk(Content::message());
        }
        self.owed.push_back(verb);
    }
}

impl Tracker for Smtp {
    fn speech(&self) -> Speech {
        self.speech
    }

    fn client(&self, line: &[u8]) -> Seen {
        match &self.mode {
            Mode::Message(content) => content.seen(line),
            Mode::Chunk(content) if !is_chunk(line) => content.seen(line),
            // A line sent after DATA without waiting for the reply can only belong to the message.
            Mode::Command if self.owed.back() == Some(&Verb::Data) => Content::message().seen(line),
            _ => Seen::at(Part::Command, Verb::Other, word(line).len()),
        }
    }

    fn server(&self, line: &[u8]) -> Seen {
        let answering = self.owed.front().copied().unwrap_or_default();
        let part = if answering == Verb::Greeting { Part::Greeting } else { Part::Reply };
        let fixed = if code(line).is_some() { line.len().min(4) } else { 0 };
        Seen { continues: self.continues, ..Seen::at(part, answering, fixed) }
    }

    fn sent(&mut self, line: &[u8]) {
        if matches!(self.mode, Mode::Command) && self.owed.back() == Some(&Verb::Data) {
            self.mode = Mode::Message(Content::message());
        }
        match &mut self.mode {
            Mode::Message(_) if line == b"." => {
                let replies = if self.speech == Speech::Lmtp { self.accepted.max(1) } else { 1 };
                self.owed.extend(std::iter::repeat_n(Verb::Message, replies));
                self.mode = Mode::Command;
            }
            Mode::Message(content) => content.advance(line),
            Mode::Chunk(content) if !is_chunk(line) => content.advance(line),
            Mode::Chunk(_) => self.owed.push_back(Verb::Bdat),
            Mode::Response => {
                self.owed.push_back(Verb::Auth);
                self.mode = Mode::Command;
            }
            Mode::Command => self.command(verb(line)),
        }
    }

    fn replied(&mut self, line: &[u8]) -> bool {
        let Some(code) = code(line) else { return false };
        self.continues = line.get(3) == Some(&b'-');
        if self.continues {
            return false;
        }
        let answered = self.owed.pop_front();
        let was_chunk = matches!(self.mode, Mode::Chunk(_));
        if was_chunk {
            self.mode = Mode::Command;
        }
        match (answered, code) {
            (Some(Verb::Rcpt), [b'2', ..]) => self.accepted += 1,
            (Some(Verb::Data), _)
                if Speech::Smtp.facts().asks_for_message(line)
                    && self.owed.is_empty()
                    && matches!(self.mode, Mode::Command) =>
            {
                self.mode = Mode::Message(Content::message());
            }
            (Some(Verb::Data), [b'4' | b'5', ..]) if matches!(self.mode, Mode::Message(_)) => {
                self.mode = Mode::Command;
            }
            (Some(Verb::Auth), b"334") if self.owed.is_empty() => self.mode = Mode::Response,
            _ => {}
        }
        was_chunk
    }

    fn reduced(&self, line: &Line<'_>) -> Option<Vec<u8>> {
        let Some((code, separator, rest)) = parts(line.text) else {
            return Some(line.text.to_vec());
        };
        let head = [code, separator].concat();
        if line.seen.answering == Verb::Ehlo && code == b"250" {
            let keyword = if line.seen.continues { line.capability(rest, b"AUTH") } else { b"" };
            return Some([&head, keyword].concat().trim_ascii_end().to_vec());
        }
        let status = status(line, line.text);
        if separator == b"-" && line.next.is_some_and(|next| self::status(line, next) == status) {
            return None;
        }
        let enhanced = status.and_then(|(_, enhanced)| enhanced).unwrap_or_default();
        Some([&head, enhanced].concat().trim_ascii_end().to_vec())
    }
}

/// The reply code of a text, and its enhanced code if that is kept.
fn status<'t>(line: &Line<'_>, text: &'t [u8]) -> Option<(&'t [u8], Option<&'t [u8]>)> {
    let (code, _, rest) = parts(text)?;
    Some((code, enhanced(rest).filter(|_| line.keeps_values())))
}

fn code(line: &[u8]) -> Option<&[u8; 3]> {
    line.first_chunk::<3>().filter(|code| {
        code.iter().all(u8::is_ascii_digit) && matches!(line.get(3), None | Some(b' ' | b'-'))
    })
}

/// Whether a line is a BDAT command. Its size is not checked, because it may have been redacted.
fn is_chunk(line: &[u8]) -> bool {
    is_one_of(word(line), &["BDAT"])
}

fn verb(line: &[u8]) -> Verb {
    const VERBS: [(&str, Verb); 8] = [
        ("EHLO", Verb::Ehlo),
        ("LHLO", Verb::Ehlo),
        ("MAIL", Verb::Mail),
        ("RCPT", Verb::Rcpt),
        ("DATA", Verb::Data),
        ("BDAT", Verb::Bdat),
        ("AUTH", Verb::Auth),
        ("RSET", Verb::Mail),
    ];
    let word = word(line);
    VERBS.iter().find(|(name, _)| is_one_of(word, &[name])).map_or(Verb::Other, |(_, verb)| *verb)
}

/// The code of a reply line, the separator after it, and the text (RFC 5321 section 4.2).
fn parts(text: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (code, rest) = text.split_at_checked(3)?;
    let (separator, rest) = rest.split_at(rest.len().min(1));
    let is_reply = code.iter().all(u8::is_ascii_digit) && matches!(separator, b"" | b" " | b"-");
    is_reply.then_some((code, separator, rest))
}

/// The enhanced status code at the start of a reply's text (RFC 2034 section 4).
fn enhanced(rest: &[u8]) -> Option<&[u8]> {
    let word = rest.trim_ascii_start().split(u8::is_ascii_whitespace).next()?;
    std::str::from_utf8(word).ok().and_then(Enhanced::parse).map(|_| word)
}
