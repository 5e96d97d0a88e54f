//! Bytes in, replies out: one connection without its socket.

use std::io;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::ServerConnection;

use super::conduct::Conduct;
use super::dialogue::{Dialogue, Next, SHORT, Said};
use super::input::{Content, Lines};
use super::mail::{Room, Spool, Transfer};
use super::recorder::Recorder;
use super::said::Drip;
use crate::transcript::Close;

/// The bytes to write, and what the server does after them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Outgoing {
    pub(super) replies: Vec<u8>,
    /// What the server does after the replies, before it answers anything else: it closes, starts
    /// TLS, waits for a decision, or injects a fault. `None`: it reads on.
    pub(super) last: Option<Next>,
    pub(super) wait: Duration,
    pub(super) drip: Option<Drip>,
    pub(super) read_rate: Option<NonZeroU32>,
}

/// After this many bytes of replies, the replies are written before more input is answered: one
/// write of a client may ask a thousand times for a whole mailbox.
const MOST_SAID: usize = 1 << 20;

/// After this time, other connections have their turn before more input is answered: one write of a
/// client may ask hundreds of times for what takes long.
const TURN: Duration = Duration::from_millis(20);

/// Input that is not a command line, and the memory reserved for it.
#[derive(Debug)]
struct Incoming {
    kind: Kind,
    room: Room,
    /// No memory was left: the input is read to its end and discarded.
    crowded: bool,
}

#[derive(Debug)]
enum Kind {
    Content(Content),
    /// The bytes of a literal so far, and how many are missing.
    Literal(Vec<u8>, usize),
    /// A literal that is discarded: how many bytes are missing.
    Skipped(u64),
}

/// One connection: its unfinished input, its dialogue, and where mail and events go.
#[derive(Debug)]
pub(super) struct Conversation {
    dialogue: Box<dyn Dialogue>,
    lines: Lines,
    incoming: Option<Incoming>,
    /// Input that was received and is not answered yet.
    held: Vec<u8>,
    /// After this time, the rest of the input is held.
    turn: Duration,
    /// The memory reserved for the answers that the client has not taken yet.
    answers: Room,
    /// A short answer was given for which no memory was left. The client has to take it before the
    /// next command is answered.
    is_crowded: bool,
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
        let answers = Room::new(Arc::clone(&spool), Transfer::Outgoing);
        Self {
            dialogue,
            lines,
            incoming: None,
            held: Vec::new(),
            turn: TURN,
            answers,
            is_crowded: false,
            spool,
            recorder,
        }
    }

    /// The fault that happens before TLS and the greeting, if any.
    pub(super) fn connect(&mut self) -> Outgoing {
        let said = self.dialogue.connect();
        self.alone(said)
    }

    /// The greeting.
    pub(super) fn greet(&mut self) -> Outgoing {
        let greeting = self.dialogue.greeting();
        self.alone(greeting)
    }

    /// The reply to a client that has been silent for too long.
    pub(super) fn idle(&mut self) -> Outgoing {
        let idle = self.dialogue.idle();
        self.alone(idle)
    }

    /// What the server tells the client without being asked, if there is anything to tell now.
    pub(super) fn news(&mut self) -> Option<Outgoing> {
        if self.incoming.is_some() {
            return None;
        }
        let news = self.dialogue.news()?;
        Some(self.alone(Said::new(news)))
    }

    /// Answers the bytes of one read. Input after the end of the dialogue is ignored, and so is
    /// input after a command that begins TLS (CVE-2011-0411).
    pub(super) fn receive(&mut self, mut bytes: &[u8]) -> Outgoing {
        let (mut outgoing, began) = (Outgoing::default(), Instant::now());
        while !bytes.is_empty() && outgoing.last.is_none() {
            let said = match self.incoming.take() {
                Some(incoming) => self.take_octets(incoming, &mut bytes),
                None => self.take_line(&mut bytes),
            };
            if let Some(said) = said {
                self.say(said, &mut outgoing);
            }
            let is_long = self.is_crowded || outgoing.replies.len() > MOST_SAID;
            if is_long || began.elapsed() >= self.turn {
                break;
            }
        }
        if matches!(outgoing.last, None | Some(Next::Ask)) {
            self.held = bytes.to_vec();
        }
        outgoing
    }

    /// Waits for the decision. If the decider is gone, the command is answered as without a rule.
    pub(super) async fn decision(&mut self) -> Conduct {
        let decision = self.dialogue.decision();
        let decided = match decision {
            Some(decision) => decision.await.ok(),
            None => None,
        };
        decided.unwrap_or_default()
    }

    /// The answer, according to the decision.
    pub(super) fn decided(&mut self, conduct: &Conduct) -> Outgoing {
        let said = self.dialogue.decided(conduct);
        self.alone(said)
    }

    /// Notes that the client has taken all answers.
    pub(super) fn taken(&mut self) {
        self.is_crowded = false;
        self.answers.clear();
    }

    /// Whether a part of an earlier read is not answered yet.
    pub(super) fn holds_input(&self) -> bool {
        !self.held.is_empty()
    }

    /// Answers the rest of an earlier read; `None` if there is none.
    pub(super) fn go_on(&mut self) -> Option<Outgoing> {
        let held = std::mem::take(&mut self.held);
        (!held.is_empty()).then(|| self.receive(&held))
    }

    /// Notes that TLS is on. The dialogue forgets all that the client said before (RFC 3207 section
    /// 4.2).
    pub(super) fn secured(&mut self, connection: &ServerConnection) -> Outgoing {
        if let Some(recorder) = &self.recorder {
            recorder.secured(connection);
        }
        let said = self.dialogue.secured();
        self.alone(said)
    }

    /// Records that the TLS handshake failed.
    pub(super) fn insecure(&mut self, error: &io::Error) {
        if let Some(recorder) = &self.recorder {
            recorder.insecure(error);
        }
    }

    /// Ends the dialogue and the record after the connection has closed.
    pub(super) fn closed(&mut self, close: Close) {
        self.dialogue.closed();
        if let Some(recorder) = &mut self.recorder {
            recorder.closed(&self.lines.rest(), close);
        }
    }

    fn take_line(&mut self, bytes: &mut &[u8]) -> Option<Said> {
        let line = self.lines.take(bytes)?;
        if let Some(recorder) = &mut self.recorder {
            self.dialogue.shown(&recorder.line(&line));
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
        if incoming.kind.is_kept() && !incoming.room.grow(bytes.len()) {
            incoming.crowded = true;
            incoming.kind.give_up();
            incoming.room.clear();
        }
        let ended = incoming.kind.take(bytes);
        if !incoming.kind.is_kept() {
            // The client may go on sending for hours. Discarded bytes must not count against the
            // room of other clients.
            incoming.room.clear();
        }
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
        // What the dialogue keeps of the input, it counts itself.
        incoming.room.clear();
        Some(match incoming.kind {
            _ if is_crowded => self.dialogue.crowded(),
            Kind::Content(content) => self.dialogue.octets(content.finish()),
            Kind::Literal(octets, _) => self.dialogue.octets(Some(octets)),
            Kind::Skipped(_) => self.dialogue.octets(None),
        })
    }

    fn alone(&mut self, said: Said) -> Outgoing {
        let mut outgoing = Outgoing::default();
        self.say(said, &mut outgoing);
        outgoing
    }

    fn say(&mut self, mut said: Said, outgoing: &mut Outgoing) {
        let has_room = self.answers.grow(said.bytes.len());
        if !has_room && said.bytes.len() > SHORT {
            // Clients that take nothing of what they ask for have used up the memory.
            let Some(refusal) = self.dialogue.unaffordable() else {
                return outgoing.last = Some(Next::Close);
            };
            said = refusal;
        }
        self.is_crowded = !has_room;
        if let Some(recorder) = &mut self.recorder {
            recorder.replies(&said.bytes);
        }
        if outgoing.replies.is_empty() {
            outgoing.replies = said.bytes;
        } else {
            outgoing.replies.extend_from_slice(&said.bytes);
        }
        outgoing.wait += said.wait;
        outgoing.drip = said.drip.or(outgoing.drip.take());
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
            return self.say(said, outgoing);
        }
        let room = Room::new(Arc::clone(&self.spool), Transfer::Incoming);
        self.incoming = Some(Incoming { kind, room, crowded: false });
    }
}

impl Kind {
    /// Whether the input is complete before any byte is read, as a literal of length 0 is.
    fn is_whole(&self) -> bool {
        matches!(self, Self::Literal(_, 0) | Self::Skipped(0))
    }

    /// Whether the bytes that arrive are kept until the input is complete.
    fn is_kept(&self) -> bool {
        match self {
            Self::Content(content) => content.is_kept(),
            Self::Literal(..) => true,
            Self::Skipped(_) => false,
        }
    }

    /// Takes the bytes that belong to the input from the front of `bytes`. Returns whether the
    /// input is complete.
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

    /// Discards what was kept, and what is to come.
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
