//! A recorded dialogue played as a server: replies come as recorded, and each difference in what
//! the client sends is reported.

mod index;
mod literal;
mod numbers;
mod omitted;
mod parse;
mod player;
mod reader;
mod step;
mod tokens;

use std::fmt;
use std::sync::{Arc, OnceLock};

use super::dialogue::{Dialogue, Next, Said};
use index::Index;
pub use player::Player;
use step::{Content, Step};
use tokens::Tokens;

use crate::proto::{Speech, chomp, imap, smtp, starts};
use crate::visible;

/// The most bytes of a line that a departure shows.
const SHOWN: usize = 1000;

/// One session of a recording.
#[derive(Clone, Debug)]
pub(super) struct Recording {
    pub(super) speech: Speech,
    /// The scheme of the recorded URL, without a `+unix` suffix.
    pub(super) scheme: String,
    pub(super) is_tls: bool,
    pub(super) steps: Vec<Step>,
    /// Made when a client first departs from the recording.
    index: OnceLock<Index>,
}

impl Recording {
    /// The first step after `at` at which the client sends this line. A recorded line that fits any
    /// line is left out: it is the answer to something, such as the prompt of AUTH LOGIN.
    fn next(&self, at: usize, text: &[u8]) -> Option<usize> {
        let is_tagged = self.speech.facts().has_tags;
        let index = self.index.get_or_init(|| Index::of(&self.steps, is_tagged));
        index.next(&self.steps, at, text)
    }
}

/// A difference between what a client sent and the recording.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Departed {
    /// The number of the connection, from 1.
    pub connection: usize,
    /// The line number in the recording; `None` if the recording has no line for the client here.
    pub line: Option<usize>,
    /// What the client sends in the recording, with secrets masked; `None` if the recording has no
    /// line for the client here.
    pub wanted: Option<String>,
    /// What the client sent, of a long line the first 1000 bytes, with secrets masked; `None` if it
    /// closed.
    pub got: Option<String>,
    /// What the client broke off when it closed: `the end of the message`, `the end of a literal`,
    /// `the end of a chunk`, `the end of a command` or `a TLS handshake`.
    pub missing: Option<&'static str>,
}

impl fmt::Display for Departed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "connection {}", self.connection)?;
        if let Some(line) = self.line {
            write!(f, ", line {line} of the recording")?;
        }
        match (&self.wanted, self.missing) {
            (Some(wanted), _) => write!(f, ": expected `{wanted}`")?,
            (None, missing) => write!(f, ": expected {}", missing.unwrap_or("a close"))?,
        }
        match &self.got {
            Some(got) => write!(f, ", got `{got}`"),
            None => f.write_str(", and the client closed"),
        }
    }
}

/// The callback that receives each departure.
pub(super) type Tell = dyn Fn(Departed) + Send + Sync;

/// Plays one session to one client.
pub(super) struct Playback {
    recording: Arc<Recording>,
    at: usize,
    connection: usize,
    tokens: Tokens,
    tell: Arc<Tell>,
    /// The client's last line, with its secrets masked.
    shown: Vec<u8>,
    /// The last line announced a literal, after which the rest of the command follows.
    in_command: bool,
    /// What the client has to send before its next line.
    missing: Option<&'static str>,
    /// The recording was played to its end, or the client's early close was reported.
    is_over: bool,
}

/// What the client has to send if it breaks off a TLS handshake.
const HANDSHAKE: &str = "a TLS handshake";

impl fmt::Debug for Playback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Playback").field("at", &self.at).finish_non_exhaustive()
    }
}

impl Playback {
    pub(super) fn new(recording: Arc<Recording>, connection: usize, tell: Arc<Tell>) -> Self {
        Self {
            tokens: Tokens::default(),
            missing: recording.is_tls.then_some(HANDSHAKE),
            recording,
            at: 0,
            connection,
            tell,
            shown: Vec::new(),
            in_command: false,
            is_over: false,
        }
    }

    /// Notes what the client has to send next, if that is no line.
    fn asking(&mut self, said: Said) -> Said {
        self.missing = match said.next {
            Next::Content => Some("the end of the message"),
            Next::Literal(_) => Some("the end of a literal"),
            Next::Skip(_) => Some("the end of a chunk"),
            Next::Tls => Some(HANDSHAKE),
            _ if self.in_command => Some("the end of a command"),
            _ => None,
        };
        said
    }

    fn step(&self) -> Option<&Step> {
        self.recording.steps.get(self.at)
    }

    /// What the server sends until the client's next turn.
    fn go_on(&mut self) -> Said {
        let mut said = Said::nothing();
        while let Some(step) = self.recording.steps.get(self.at) {
            match step {
                Step::Say(bytes) => said.bytes.extend(self.tokens.filled(bytes)),
                Step::Tls => said.next = Next::Tls,
                Step::Close => said.next = Next::Close,
                Step::Reset => said.next = Next::Reset,
                Step::Octets(Content::Message) => said.next = Next::Content,
                Step::Hear { .. } | Step::Octets(_) => break,
            }
            self.at += 1;
            if said.next != Next::Line {
                break;
            }
        }
        if self.step().is_none() && said.next == Next::Line && !said.bytes.is_empty() {
            self.is_over = true;
        }
        said
    }

    /// Compares a line of the client with the recording, and answers.
    fn hear(&mut self, text: &[u8]) -> Said {
        let Some(Step::Hear { line, shown, number }) = self.step().cloned() else {
            self.tell(None);
            return self.refused(text);
        };
        if !self.tokens.fits(&line, text, self.recording.speech.facts().has_tags) {
            self.tell(Some((&shown, number)));
            return self.departed(text);
        }
        if has_bare_lf(text) != has_bare_lf(&line) {
            // The server goes on as recorded, so that the rest of the dialogue is compared.
            self.tell(Some((&shown, number)));
        }
        self.at += 1;
        self.after(text)
    }

    /// Continues after a line that is as recorded.
    fn after(&mut self, text: &[u8]) -> Said {
        if is_chunk(text, self.recording.speech)
            && let Some((octets, _)) = smtp::size_of_chunk(text)
        {
            // The recording has a chunk here too, perhaps of another size.
            self.at += usize::from(self.step() == Some(&Step::Octets(Content::Chunk)));
            return Said::nothing().then(Next::Skip(octets as u64));
        }
        if let Some((octets, waits)) = announced(text, self.recording.speech) {
            // The recording has a literal here too, perhaps of another size.
            let is_asked = matches!(self.step(), Some(Step::Say(bytes)) if bytes.starts_with(b"+"));
            let mut said = match (waits, is_asked) {
                (true, true) => self.go_on(),
                (true, false) => Said::new("+ Go ahead\r\n"),
                (false, asked) => {
                    self.at += usize::from(asked);
                    Said::nothing()
                }
            };
            self.at += usize::from(self.step() == Some(&Step::Octets(Content::Literal)));
            said.next = Next::Literal(usize::try_from(octets).unwrap_or(usize::MAX));
            return said;
        }
        self.go_on()
    }

    /// Answers a line that differs from the recording. If the recording has the line later on, the
    /// playback continues there.
    fn departed(&mut self, text: &[u8]) -> Said {
        match self.recording.next(self.at, text) {
            Some(place) => {
                self.at = place;
                self.hear(text)
            }
            None => self.refused(text),
        }
    }

    /// The protocol's error reply to a line for which the recording has no answer.
    fn refused(&self, text: &[u8]) -> Said {
        const WHY: &str = "The recording has no answer to this";
        let tag = text.split(|byte| *byte == b' ').next().unwrap_or_default();
        let facts = self.recording.speech.facts();
        let refusal = format!("{}\r\n", facts.server.refusal.replace("{}", WHY)).into_bytes();
        Said::new(if facts.has_tags { [tag, b" ", &refusal].concat() } else { refusal })
    }

    /// Reports that the client's last line is not the one that the recording has here.
    fn tell(&mut self, wanted: Option<(&[u8], usize)>) {
        let got = shown(&self.shown);
        self.report(wanted, Some(got), None);
    }

    fn report(
        &self,
        wanted: Option<(&[u8], usize)>,
        got: Option<String>,
        missing: Option<&'static str>,
    ) {
        (self.tell)(Departed {
            connection: self.connection,
            line: wanted.map(|(_, number)| number),
            wanted: wanted.map(|(wanted, _)| shown(wanted)),
            got,
            missing,
        });
    }

    /// The answer to a line.
    fn answer(&mut self, text: &[u8]) -> Said {
        if std::mem::take(&mut self.in_command) {
            // The line is the rest of a command after its literal.
            return match self.step() {
                Some(Step::Hear { .. }) if !text.is_empty() => self.hear(text),
                Some(Step::Hear { line, .. }) if chomp(line).is_empty() => {
                    self.at += 1;
                    self.go_on()
                }
                _ => self.after(text),
            };
        }
        self.hear(text)
    }
}

/// A line as a departure shows it. A bare LF is shown, because it may be the difference.
fn shown(line: &[u8]) -> String {
    visible::excerpt(line.strip_suffix(b"\r\n").unwrap_or(line), SHOWN)
}

/// Whether the line ends with an LF without a CR before it.
fn has_bare_lf(line: &[u8]) -> bool {
    line.ends_with(b"\n") && !line.ends_with(b"\r\n")
}

/// Whether a line announces a chunk. In a recording, a token may stand for its size.
fn is_chunk(line: &[u8], speech: Speech) -> bool {
    speech.facts().has_messages && starts(line, "BDAT ")
}

/// The literal that a line announces; SMTP and POP3 have no literals.
fn announced(line: &[u8], speech: Speech) -> Option<(u64, bool)> {
    imap::announced(chomp(line)).filter(|_| speech.facts().has_literals)
}

impl Dialogue for Playback {
    fn greeting(&mut self) -> Said {
        let said = self.go_on();
        self.asking(said)
    }

    fn idle(&mut self) -> Said {
        Said::nothing().then(Next::Close)
    }

    fn shown(&mut self, masked: &[u8]) {
        self.shown = masked.to_vec();
    }

    fn line(&mut self, text: &[u8]) -> Said {
        let said = self.answer(text);
        self.asking(said)
    }

    fn takes_any_line(&self) -> bool {
        true
    }

    fn malformed(&mut self, why: &str) -> Said {
        self.report(None, Some(why.to_owned()), None);
        self.refused(b"*")
    }

    fn octets(&mut self, _: Option<Vec<u8>>) -> Said {
        self.in_command = self.recording.speech.facts().has_literals;
        let said = if self.in_command { Said::nothing() } else { self.go_on() };
        self.asking(said)
    }

    fn crowded(&mut self) -> Said {
        self.octets(None)
    }

    fn secured(&mut self) -> Said {
        let said = if self.at == 0 { Said::nothing() } else { self.go_on() };
        self.asking(said)
    }

    fn closed(&mut self) {
        if self.is_over {
            return;
        }
        let left = self.recording.steps.get(self.at..).unwrap_or_default();
        let wanted = left.iter().find_map(|step| match step {
            Step::Hear { shown, number, .. } => Some((&**shown, *number)),
            _ => None,
        });
        match (self.missing, wanted) {
            (None, None) => return,
            (Some(missing), _) => self.report(None, None, Some(missing)),
            (None, wanted) => self.report(wanted, None, None),
        }
        self.is_over = true;
    }

    fn longest_line(&self) -> usize {
        64 << 10
    }
}
