//! Bytes in, replies out: one connection without its socket.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ServerConnection;

use super::answer::{Answer, Next};
use super::dialogue::{Dialogue, LARGEST, Role};
use super::input::{Content, Lines};
use super::mail::{Room, Spool, Stamp};
use super::recorder::Recorder;
use crate::transcript::{Close, Transcript};

/// What is to be written, and whether the server then closes, or puts TLS on.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Outgoing {
    pub(super) replies: Vec<u8>,
    pub(super) close: bool,
    pub(super) tls: bool,
}

/// A message that is coming in, and the room that it takes.
#[derive(Debug)]
struct Incoming {
    content: Content,
    room: Room,
    /// There was no more room: it is read to its end and not kept.
    crowded: bool,
}

/// One connection: what has come in so far, the dialogue, and where mail and events go.
#[derive(Debug)]
pub(super) struct Conversation {
    dialogue: Dialogue,
    lines: Lines,
    /// The message that is coming in.
    content: Option<Incoming>,
    spool: Arc<Spool>,
    peer: SocketAddr,
    recorder: Option<Recorder>,
}

impl Conversation {
    pub(super) fn new(
        role: Role,
        peer: SocketAddr,
        spool: Arc<Spool>,
        transcript: Option<Transcript>,
    ) -> Self {
        let recorder = transcript.map(|transcript| Recorder::open(transcript, peer));
        Self {
            dialogue: Dialogue::new(role),
            lines: Lines::default(),
            content: None,
            spool,
            peer,
            recorder,
        }
    }

    /// What is said first.
    pub(super) fn greet(&mut self) -> Outgoing {
        self.alone(&Dialogue::greeting())
    }

    /// What is said to a client that has been silent for too long.
    pub(super) fn idle(&mut self) -> Outgoing {
        self.alone(&Dialogue::idle())
    }

    /// Answers all that came in one read. What stands behind the end of the dialogue is ignored,
    /// and what stands behind a command that begins TLS (CVE-2011-0411).
    pub(super) fn receive(&mut self, mut bytes: &[u8]) -> Outgoing {
        let mut outgoing = Outgoing::default();
        while !bytes.is_empty() && !outgoing.close && !outgoing.tls {
            let answer = match self.content.take() {
                Some(content) => self.take_content(content, &mut bytes),
                None => self.take_line(&mut bytes),
            };
            if let Some(answer) = answer {
                self.say(&answer, &mut outgoing);
            }
        }
        outgoing
    }

    /// TLS is on: nothing that was said before counts any more (RFC 3207 section 4.2).
    pub(super) fn secured(&mut self, connection: &ServerConnection) {
        self.dialogue.secured();
        if let Some(recorder) = &self.recorder {
            recorder.secured(connection);
        }
    }

    /// TLS could not be put on.
    pub(super) fn insecure(&mut self, error: &io::Error) {
        if let Some(recorder) = &self.recorder {
            recorder.insecure(error);
        }
    }

    /// The connection has come to its end.
    pub(super) fn closed(&mut self, close: Close) {
        if let Some(recorder) = &mut self.recorder {
            recorder.closed(&self.lines.rest(), close);
        }
    }

    fn take_line(&mut self, bytes: &mut &[u8]) -> Option<Answer> {
        let line = self.lines.take(bytes)?;
        if let Some(recorder) = &mut self.recorder {
            recorder.line(&line);
        }
        Some(match line.text() {
            Ok(text) => self.dialogue.line(text),
            Err(why) => self.dialogue.malformed(why),
        })
    }

    fn take_content(&mut self, mut incoming: Incoming, bytes: &mut &[u8]) -> Option<Answer> {
        let before = *bytes;
        if !incoming.crowded && !incoming.room.grow(bytes.len()) {
            incoming.crowded = true;
            incoming.content.give_up();
            incoming.room = Room::new(Arc::clone(&self.spool));
        }
        let ended = incoming.content.take(bytes);
        if let Some(recorder) = &mut self.recorder {
            recorder.content(&before[..before.len() - bytes.len()]);
        }
        if !ended {
            self.content = Some(incoming);
            return None;
        }
        if let Some(recorder) = &mut self.recorder {
            recorder.message();
        }
        if incoming.crowded {
            return Some(self.dialogue.crowded());
        }
        let content = incoming.content.finish();
        let (answer, mail) = self.dialogue.message(content, &Stamp::new(self.peer));
        if let Some(mail) = mail {
            self.spool.deposit(mail);
        }
        Some(answer)
    }

    fn alone(&mut self, answer: &Answer) -> Outgoing {
        let mut outgoing = Outgoing::default();
        self.say(answer, &mut outgoing);
        outgoing
    }

    fn say(&mut self, answer: &Answer, outgoing: &mut Outgoing) {
        let reply = answer.wire();
        if let Some(recorder) = &mut self.recorder {
            recorder.reply(&reply);
        }
        outgoing.replies.extend_from_slice(reply.as_bytes());
        match answer.next() {
            Next::Line => {}
            Next::Content => {
                let room = Room::new(Arc::clone(&self.spool));
                let content = Content::new(LARGEST);
                self.content = Some(Incoming { content, room, crowded: false });
            }
            Next::Tls => outgoing.tls = true,
            Next::Close => outgoing.close = true,
        }
    }
}

#[cfg(test)]
mod tests;
