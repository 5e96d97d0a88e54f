//! Bytes in, replies out: one connection without its socket.

use std::io;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConnection;

use super::conduct::Conduct;
use super::dialogue::{Dialogue, Next, Said};
use super::input::{Content, Lines};
use super::mail::{Room, Spool};
use super::recorder::Recorder;
use super::said::Drip;
use crate::transcript::Close;

/// What is to be written, and what the server does then.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Outgoing {
    pub(super) replies: Vec<u8>,
    /// Nothing that the client sends is answered before it: the server closes, puts TLS on, asks
    /// who decides, or goes without a word.
    pub(super) last: Option<Next>,
    pub(super) wait: Duration,
    pub(super) drip: Option<Drip>,
    pub(super) read_rate: Option<NonZeroU32>,
}

/// So much is said before more of what the client sent is answered: it may have asked for all of a
/// mailbox a thousand times in one write.
const MOST_SAID: usize = 1 << 20;

/// What comes in that is no line, and the room that it takes.
#[derive(Debug)]
struct Incoming {
    kind: Kind,
    room: Room,
    /// There was no more room: it is read to its end and not kept.
    crowded: bool,
}

#[derive(Debug)]
enum Kind {
    Content(Content),
    /// What came of a literal, and how much is to come.
    Literal(Vec<u8>, usize),
    /// So much of a literal that is not kept.
    Skipped(u64),
}

/// One connection: what has come in so far, the dialogue, and where mail and events go.
#[derive(Debug)]
pub(super) struct Conversation {
    dialogue: Box<dyn Dialogue>,
    lines: Lines,
    incoming: Option<Incoming>,
    /// What was received and is not answered yet.
    held: Vec<u8>,
    spool: Arc<Spool>,
    recorder: Option<Recorder>,
}

impl Conversation {
    pub(super) fn new(
        dialogue: Box<dyn Dialogue>,
        spool: Arc<Spool>,
        recorder: Option<Recorder>,
    ) -> Self {
        let lines = Lines::new(dialogue.longest_line());
        Self { dialogue, lines, incoming: None, held: Vec::new(), spool, recorder }
    }

    /// What goes wrong before TLS and the greeting.
    pub(super) fn connect(&mut self) -> Outgoing {
        let said = self.dialogue.connect();
        self.alone(&said)
    }

    /// What is said first.
    pub(super) fn greet(&mut self) -> Outgoing {
        let greeting = self.dialogue.greeting();
        self.alone(&greeting)
    }

    /// What is said to a client that has been silent for too long.
    pub(super) fn idle(&mut self) -> Outgoing {
        let idle = self.dialogue.idle();
        self.alone(&idle)
    }

    /// What is said without being asked, if there is anything just now.
    pub(super) fn news(&mut self) -> Option<Outgoing> {
        if self.incoming.is_some() {
            return None;
        }
        let news = self.dialogue.news()?;
        Some(self.alone(&Said::new(news)))
    }

    /// Answers all that came in one read. What stands after the end of the dialogue is ignored,
    /// and what stands after a command that begins TLS (CVE-2011-0411).
    pub(super) fn receive(&mut self, mut bytes: &[u8]) -> Outgoing {
        let mut outgoing = Outgoing::default();
        while !bytes.is_empty() && outgoing.last.is_none() {
            if outgoing.replies.len() > MOST_SAID {
                self.held = bytes.to_vec();
                break;
            }
            let said = match self.incoming.take() {
                Some(incoming) => self.take_octets(incoming, &mut bytes),
                None => self.take_line(&mut bytes),
            };
            if let Some(said) = said {
                self.say(&said, &mut outgoing);
            }
        }
        if outgoing.last == Some(Next::Ask) {
            self.held = bytes.to_vec();
        }
        outgoing
    }

    /// Waits for what is being decided; nothing if nobody decides any more: it is answered well.
    pub(super) async fn decision(&mut self) -> Conduct {
        let decision = self.dialogue.decision();
        let decided = match decision {
            Some(decision) => decision.await.ok(),
            None => None,
        };
        decided.unwrap_or_default()
    }

    /// What is said, since this was decided.
    pub(super) fn decided(&mut self, conduct: &Conduct) -> Outgoing {
        let said = self.dialogue.decided(conduct);
        self.alone(&said)
    }

    /// Answers what is left of an earlier read; `None` if nothing is.
    pub(super) fn go_on(&mut self) -> Option<Outgoing> {
        let held = std::mem::take(&mut self.held);
        (!held.is_empty()).then(|| self.receive(&held))
    }

    /// TLS is on: nothing that was said before counts any more (RFC 3207 section 4.2).
    pub(super) fn secured(&mut self, connection: &ServerConnection) -> Outgoing {
        if let Some(recorder) = &self.recorder {
            recorder.secured(connection);
        }
        let said = self.dialogue.secured();
        self.alone(&said)
    }

    /// TLS could not be put on.
    pub(super) fn insecure(&mut self, error: &io::Error) {
        if let Some(recorder) = &self.recorder {
            recorder.insecure(error);
        }
    }

    /// The connection has come to its end.
    pub(super) fn closed(&mut self, close: Close) {
        self.dialogue.closed();
        if let Some(recorder) = &mut self.recorder {
            recorder.closed(&self.lines.rest(), close);
        }
    }

    fn take_line(&mut self, bytes: &mut &[u8]) -> Option<Said> {
        let line = self.lines.take(bytes)?;
        if let Some(recorder) = &mut self.recorder {
            recorder.line(&line);
        }
        Some(match line.text() {
            Ok(text) => self.dialogue.line(text),
            Err(_) if line.omitted == 0 && self.dialogue.takes_any_line() => {
                self.dialogue.line(&line.kept)
            }
            Err(why) => self.dialogue.malformed(why),
        })
    }

    fn take_octets(&mut self, mut incoming: Incoming, bytes: &mut &[u8]) -> Option<Said> {
        let before = *bytes;
        if !incoming.crowded && !incoming.room.grow(bytes.len()) {
            incoming.crowded = true;
            incoming.kind.give_up();
            incoming.room = Room::new(Arc::clone(&self.spool));
        }
        let ended = incoming.kind.take(bytes);
        let taken = &before[..before.len() - bytes.len()];
        if let Some(recorder) = &mut self.recorder {
            match incoming.kind {
                Kind::Content(_) => recorder.content(taken),
                Kind::Literal(..) | Kind::Skipped(_) => recorder.literal(taken),
            }
        }
        if !ended {
            self.incoming = Some(incoming);
            return None;
        }
        if let (Some(recorder), Kind::Content(_)) = (&mut self.recorder, &incoming.kind) {
            recorder.message();
        }
        let is_crowded = incoming.crowded;
        Some(match incoming.kind {
            _ if is_crowded => self.dialogue.crowded(),
            Kind::Content(content) => self.dialogue.octets(content.finish()),
            Kind::Literal(octets, _) => self.dialogue.octets(Some(octets)),
            Kind::Skipped(_) => self.dialogue.octets(None),
        })
    }

    fn alone(&mut self, said: &Said) -> Outgoing {
        let mut outgoing = Outgoing::default();
        self.say(said, &mut outgoing);
        outgoing
    }

    fn say(&mut self, said: &Said, outgoing: &mut Outgoing) {
        if let Some(recorder) = &mut self.recorder {
            recorder.replies(&said.bytes);
        }
        outgoing.replies.extend_from_slice(&said.bytes);
        outgoing.wait += said.wait;
        outgoing.drip = said.drip.clone().or(outgoing.drip.take());
        outgoing.read_rate = said.read_rate.or(outgoing.read_rate);
        let kind = match said.next {
            Next::Line => return,
            Next::Ask
            | Next::Tls
            | Next::Garbage
            | Next::Close
            | Next::HalfClose
            | Next::Cut
            | Next::Reset
            | Next::Stall
            | Next::Unread => return outgoing.last = Some(said.next),
            Next::Content => Kind::Content(Content::new(self.dialogue.largest())),
            Next::Literal(octets) => Kind::Literal(Vec::new(), octets),
            Next::Skip(octets) => Kind::Skipped(octets),
        };
        if kind.is_whole() {
            let octets = matches!(kind, Kind::Literal(..)).then(Vec::new);
            let said = self.dialogue.octets(octets);
            return self.say(&said, outgoing);
        }
        let room = Room::new(Arc::clone(&self.spool));
        self.incoming = Some(Incoming { kind, room, crowded: false });
    }
}

impl Kind {
    /// A literal of nothing has come before it is waited for.
    fn is_whole(&self) -> bool {
        matches!(self, Self::Literal(_, 0) | Self::Skipped(0))
    }

    /// Takes what belongs to it from the front of `bytes`; whether that was its end.
    fn take(&mut self, bytes: &mut &[u8]) -> bool {
        match self {
            Self::Content(content) => content.take(bytes),
            Self::Literal(octets, left) => {
                let (taken, rest) = bytes.split_at(bytes.len().min(*left));
                octets.extend_from_slice(taken);
                *left -= taken.len();
                *bytes = rest;
                *left == 0
            }
            Self::Skipped(left) => {
                let count = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                *left -= count as u64;
                *bytes = &bytes[count..];
                *left == 0
            }
        }
    }

    /// Keeps nothing of it any more.
    fn give_up(&mut self) {
        match self {
            Self::Content(content) => content.give_up(),
            Self::Literal(_, left) => *self = Self::Skipped(*left as u64),
            Self::Skipped(_) => {}
        }
    }
}

#[cfg(test)]
mod tests;
