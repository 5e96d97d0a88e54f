//! Tracking what the client sends: where a command ends, what it waits for, and what is secret.

use super::found::{Found, Wants};
use super::line::{Kind, Line};
use super::scanner::Announced;
use crate::proto::chomp;
use crate::secrets::{self, Secrets};

/// Follows commands through bytes as they are sent, however the bytes are cut.
#[derive(Clone, Debug, Default)]
pub(super) struct Commands {
    line: Line,
    /// The number of octets of a literal that are still to be sent.
    literal: u64,
    mode: Mode,
    refused: Option<Refused>,
}

/// What the next line belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Mode {
    #[default]
    Commands,
    /// A command that goes on with further lines; `asked` says whether the server has asked for the
    /// next one.
    Within { tag: Vec<u8>, dialogue: Dialogue, asked: bool },
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Dialogue {
    /// AUTHENTICATE (RFC 3501 section 6.2.2), with the number of responses that were sent.
    Sasl { mechanism: Vec<u8>, step: usize },
    /// IDLE (RFC 2177).
    Idle,
}

/// The server has ended a command before its secret was sent completely. The client may send the
/// rest of the secret nevertheless.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Refused {
    Sasl,
    /// A literal of this number of octets, and how many words after it the secret comes.
    Literal(u64, usize),
    /// A LOGIN with a literal of a wrong form. Its arguments may be on this number of lines.
    Login(usize),
}

impl Commands {
    pub(super) fn feed(&mut self, bytes: &[u8], secrets: &mut Secrets) -> Found {
        let mut found = Found::default();
        let mut at = 0;
        while at < bytes.len() {
            if self.literal > 0 {
                let some =
                    usize::try_from(self.literal).unwrap_or(usize::MAX).min(bytes.len() - at);
                if self.line.is_secret() {
                    self.line.keep(&bytes[at..at + some]);
                    found.mark(at..at + some);
                }
                self.literal -= some as u64;
                at += some;
                continue;
            }
            let end =
                memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |offset| at + offset + 1);
            if self.line.kind == Kind::Unknown {
                self.begin_line(chomp(&bytes[at..end]));
            }
            self.line.push(&bytes[at..end], at, &mut found);
            if bytes[end - 1] == b'\n' {
                self.end_line(secrets, &mut found);
            }
            at = end;
        }
        found
    }

    /// Records that the server asks for the next line of the command with this tag.
    pub(super) fn asked(&mut self, wanted: &[u8]) {
        if let Mode::Within { tag, asked, .. } = &mut self.mode {
            *asked |= tag == wanted;
        }
    }

    /// Whether a SASL response is to be sent next.
    pub(super) fn is_asked_for_response(&self) -> bool {
        matches!(self.mode, Mode::Within { dialogue: Dialogue::Sasl { .. }, asked: true, .. })
    }

    /// Whether an IDLE is in progress, during which the server may speak at any time.
    pub(super) fn is_idle(&self) -> bool {
        matches!(self.mode, Mode::Within { dialogue: Dialogue::Idle, .. })
    }

    /// The number of octets of a literal that are to be sent next.
    pub(super) fn octets_of_literal(&self) -> u64 {
        self.literal
    }

    /// Whether a line has begun, and not ended.
    pub(super) fn is_within_line(&self) -> bool {
        self.literal > 0 || self.line.kind != Kind::Unknown
    }

    pub(super) fn is_in_literal(&self) -> bool {
        self.literal > 0
    }

    /// Records that the server has ended the command with this tag. `awaits` says whether a literal
    /// of the command still waits for the server to ask for it.
    pub(super) fn over(&mut self, ended: &[u8], is_ok: bool, awaits: bool) {
        match &self.mode {
            Mode::Within { tag, dialogue, .. } if tag == ended => {
                if let Dialogue::Sasl { step, .. } = dialogue
                    && (!is_ok || *step == 0)
                {
                    self.refused = Some(Refused::Sasl);
                }
                self.mode = Mode::Commands;
            }
            _ => {}
        }
        if (self.literal > 0 || awaits) && self.line.tag == ended {
            let further = self.line.secret_from.and_then(|from| from.checked_sub(self.line.number));
            self.refused = further.map(|further| Refused::Literal(self.literal, further));
            // The rest of the command is not waited for: whatever is sent next is a command.
            self.literal = 0;
            self.line = Line::default();
        }
    }

    fn begin_line(&mut self, text: &[u8]) {
        let is_word = !text.contains(&b' ');
        self.line.kind = match (&self.mode, &self.refused) {
            (Mode::Within { dialogue: Dialogue::Sasl { .. }, asked, .. }, _)
                if *asked || is_word =>
            {
                Kind::Response
            }
            (Mode::Within { dialogue: Dialogue::Idle, asked, .. }, _)
                if *asked || text.eq_ignore_ascii_case(b"DONE") =>
            {
                Kind::Done
            }
            (_, refused)
                if is_word && secrets::is_stray_response(text, *refused == Some(Refused::Sasl)) =>
            {
                Kind::Misplaced
            }
            (_, Some(Refused::Login(_))) if !begins_a_command(text) => Kind::Misplaced,
            (_, Some(Refused::Literal(count, 0))) if *count == text.len() as u64 => Kind::Misplaced,
            (_, Some(Refused::Literal(count, further))) => {
                let place = usize::try_from(*count).unwrap_or(usize::MAX);
                self.line.secret_from = (text.get(place) == Some(&b' ')).then_some(further + 1);
                Kind::Command
            }
            _ => Kind::Command,
        };
    }

    fn end_line(&mut self, secrets: &mut Secrets, found: &mut Found) {
        if let (Kind::Command, Some(Announced::Octets { count, waits })) =
            (self.line.kind, self.line.tail.announced())
        {
            self.literal = count;
            self.line.go_on(count);
            found.wants.extend(waits.then(|| Wants::Continuation(self.line.tag.clone())));
            return;
        }
        let mut line = std::mem::take(&mut self.line);
        line.end_word();
        if line.kind == Kind::Command {
            found.commands.push((line.tag.clone(), line.verb.clone()));
        }
        let wants = match (&mut self.mode, line.kind) {
            (
                Mode::Within { tag, dialogue: Dialogue::Sasl { mechanism, step }, asked },
                Kind::Response,
            ) => {
                // A command in place of a response is no secret.
                if !is_command(&line.secret) {
                    secrets.learn_sasl(&String::from_utf8_lossy(mechanism), *step, &line.secret);
                }
                *step += 1;
                *asked = false;
                Wants::Step(tag.clone())
            }
            (Mode::Within { tag, .. }, Kind::Done) => {
                // A command in place of DONE.
                line.teach(secrets);
                let tag = std::mem::take(tag);
                self.mode = Mode::Commands;
                Wants::End { tag, is_logout: false }
            }
            _ => self.end_command(line, secrets),
        };
        found.wants.push(wants);
    }

    fn end_command(&mut self, line: Line, secrets: &mut Secrets) -> Wants {
        line.teach(secrets);
        self.refused = match self.refused.take() {
            _ if line.is_broken_login() => Some(Refused::Login(2)),
            Some(Refused::Login(lines)) if line.kind == Kind::Misplaced => {
                (lines > 1).then_some(Refused::Login(lines - 1))
            }
            refused => refused.filter(|_| line.kind != Kind::Command || line.number <= 1),
        };
        let tag = line.tag;
        let dialogue = if line.verb.eq_ignore_ascii_case(b"AUTHENTICATE") {
            Dialogue::Sasl { mechanism: line.before, step: usize::from(!line.secret.is_empty()) }
        } else if line.verb.eq_ignore_ascii_case(b"IDLE") {
            Dialogue::Idle
        } else {
            return Wants::End { tag, is_logout: line.verb.eq_ignore_ascii_case(b"LOGOUT") };
        };
        self.mode = Mode::Within { tag: tag.clone(), dialogue, asked: false };
        Wants::Step(tag)
    }
}

/// Whether a line begins with a tag and a command, or with a part of one.
fn begins_a_command(line: &[u8]) -> bool {
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let verb = words.nth(1).map(|verb| String::from_utf8_lossy(verb).to_ascii_uppercase());
    verb.is_some_and(|verb| super::FACTS.has_command(&verb))
}

/// Whether a line is a command without arguments, with or without a tag.
fn is_command(line: &[u8]) -> bool {
    let word = line.rsplit(u8::is_ascii_whitespace).next().unwrap_or_default();
    ["NOOP", "LOGOUT", "CAPABILITY", "STARTTLS", "CHECK", "CLOSE", "EXPUNGE"]
        .iter()
        .any(|command| word.eq_ignore_ascii_case(command.as_bytes()))
}
