//! A session of a recording, played in place of a server: what the server said is played again when
//! the client sends what it was the answer to.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::secrets::SECRET;
use crate::visible;

/// The end of a message in SMTP and LMTP.
const MESSAGE_END: &[u8] = b"\r\n.\r\n";
/// How many of the sent bytes an error shows.
const SHOWN: usize = 200;

/// The sessions of a recorded run, by their names in transcripts.
#[derive(Debug, Default)]
pub(crate) struct Recording {
    pub(crate) sessions: BTreeMap<String, Session>,
}

/// One session of a recording.
#[derive(Clone, Debug, Default)]
pub(crate) struct Session {
    /// The URL that the session was connected to.
    pub(crate) url: String,
    pub(crate) steps: Vec<Step>,
}

/// An event on the recorded session.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Client(Bytes),
    Server(Bytes),
    /// A TLS handshake: its facts by name, or why it failed.
    Tls(Result<BTreeMap<String, String>, String>),
    /// The server closed the connection.
    Closed,
    /// The server reset the connection.
    Reset,
}

/// A tag as it was recorded, and the tag that the client uses now.
type Retagged = (Vec<u8>, Vec<u8>);

/// A recorded session that is being played.
#[derive(Debug)]
pub(crate) struct Recorded {
    steps: VecDeque<Step>,
    /// The tags of IMAP commands that differ now from the recording.
    tags: Vec<Retagged>,
    /// The rest of a read that did not fit into the reader's buffer.
    rest: Bytes,
    /// Whether our side is closed.
    is_closed: bool,
    waker: Option<Waker>,
}

impl Recording {
    /// The session of this name, if the recording has it.
    pub(crate) fn session(&self, name: &str) -> Option<(&str, Recorded)> {
        let session = self.sessions.get(name)?;
        let steps = session.steps.iter().cloned().collect();
        let recorded =
            Recorded { steps, tags: Vec::new(), rest: Bytes::new(), is_closed: false, waker: None };
        Some((&session.url, recorded))
    }
}

impl Recorded {
    /// The outcome of the handshake that was recorded at this place.
    pub(crate) fn handshake(&mut self) -> Result<BTreeMap<String, String>, String> {
        match self.steps.pop_front() {
            Some(Step::Tls(outcome)) => outcome,
            other => {
                if let Some(step) = other {
                    self.steps.push_front(step);
                }
                Err("the recording has no handshake here".to_owned())
            }
        }
    }

    /// Closes our side.
    pub(crate) fn close(&mut self) {
        self.is_closed = true;
        self.wake();
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Moves on to the answer to what the client sends. Recorded steps before it belong to commands
    /// that the client does not send now, and are skipped with them. A line of which nothing is
    /// known but that it was secret fits any line, so it is no reason to skip others.
    fn take(&mut self, sent: &[u8]) -> io::Result<()> {
        let is_client = |step: &Step| matches!(step, Step::Client(_));
        let first = self.steps.iter().position(is_client).unwrap_or(self.steps.len());
        let fitting = (first..self.steps.len()).find_map(|at| match &self.steps[at] {
            Step::Client(recorded) if at == first || !is_secret(recorded) => {
                fits(recorded, sent).map(|tags| (at, tags))
            }
            _ => None,
        });
        let Some((at, tags)) = fitting else { return Err(self.unanswered(first, sent)) };
        self.steps.drain(first..=at);
        self.tags.extend(tags);
        self.wake();
        Ok(())
    }

    fn unanswered(&self, first: usize, sent: &[u8]) -> io::Error {
        let sent = visible::excerpt(sent.trim_ascii_end(), SHOWN);
        let there = match self.steps.get(first) {
            Some(Step::Client(recorded)) => {
                let recorded = visible::excerpt(recorded.trim_ascii_end(), SHOWN);
                format!("the script sent `{recorded}` there")
            }
            _ => "it ends there".to_owned(),
        };
        io::Error::other(format!(
            "the recording has no answer to `{sent}`: {there}; run against a server to record it"
        ))
    }

    /// The server's bytes, with recorded tags replaced by the tags that the client uses now.
    fn retagged(&self, said: &Bytes) -> Bytes {
        if self.tags.is_empty() {
            return said.clone();
        }
        let mut now = Vec::with_capacity(said.len());
        for line in said.split_inclusive(|byte| *byte == b'\n') {
            let tag = line.split(|byte| *byte == b' ').next().unwrap_or_default();
            match self.tags.iter().rev().find(|(recorded, _)| recorded == tag) {
                Some((_, new)) => {
                    now.extend_from_slice(new);
                    now.extend_from_slice(&line[tag.len()..]);
                }
                None => now.extend_from_slice(line),
            }
        }
        now.into()
    }
}

/// Compares sent bytes with recorded ones. A masked secret fits any secret, and a recorded message
/// fits any message. The tag of an IMAP command may differ; then the result has the recorded tag
/// with the present one. `None` if the bytes do not fit.
fn fits(recorded: &[u8], sent: &[u8]) -> Option<Vec<Retagged>> {
    let is_message = |bytes: &[u8]| bytes.ends_with(MESSAGE_END) || bytes == &MESSAGE_END[2..];
    if is_said(recorded, sent) || (is_message(recorded) && is_message(sent)) {
        return Some(Vec::new());
    }
    let (recorded_tag, recorded) = tagged(recorded)?;
    let (tag, sent) = tagged(sent)?;
    is_said(recorded, sent).then(|| vec![(recorded_tag.to_vec(), tag.to_vec())])
}

/// Whether a command is as recorded. Its first words may be in letters of the other case: `auth
/// login`, `rcpt to:`.
fn is_said(recorded: &[u8], sent: &[u8]) -> bool {
    let words = recorded.iter().position(|byte| b":[\r".contains(byte)).unwrap_or(recorded.len());
    let blanks = recorded[..words].iter().enumerate().filter(|(_, byte)| **byte == b' ');
    // The blank after a tag is in front of the first word.
    let second = blanks.map(|(at, _)| at).filter(|at| *at > 0).nth(1);
    let (words, rest) = recorded.split_at(second.unwrap_or(words));
    sent.split_at_checked(words.len())
        .is_some_and(|(now, sent)| now.eq_ignore_ascii_case(words) && is_masked(rest, sent))
}

/// Whether nothing but a masked secret was sent.
fn is_secret(recorded: &[u8]) -> bool {
    let spans = memchr::memmem::find_iter(recorded, SECRET).count();
    spans > 0 && recorded.trim_ascii_end().len() == spans * SECRET.len()
}

/// Splits off a tag: letters, then digits.
fn tagged(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b' ')?;
    let (tag, rest) = bytes.split_at(end);
    let digits = tag.iter().position(u8::is_ascii_digit)?;
    let is_tag = tag[digits..].iter().all(u8::is_ascii_digit)
        && tag[..digits].iter().all(u8::is_ascii_alphabetic);
    is_tag.then_some((tag, rest))
}

/// Whether the bytes are equal, if anything may stand in place of masked parts.
fn is_masked(masked: &[u8], bytes: &[u8]) -> bool {
    let Some(at) = memchr::memmem::find(masked, SECRET) else { return masked == bytes };
    let Some(mut rest) = bytes.strip_prefix(&masked[..at]) else { return false };
    let mut after = &masked[at + SECRET.len()..];
    while let Some(at) = memchr::memmem::find(after, SECRET) {
        let Some(found) = memchr::memmem::find(rest, &after[..at]) else { return false };
        rest = &rest[found + at..];
        after = &after[at + SECRET.len()..];
    }
    rest.ends_with(after)
}

impl AsyncRead for Recorded {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        room: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.rest.is_empty()
            && let Some(Step::Server(said)) = this.steps.front()
        {
            this.rest = this.retagged(said);
            this.steps.pop_front();
        }
        if !this.rest.is_empty() {
            let now = this.rest.split_to(this.rest.len().min(room.remaining()));
            room.put_slice(&now);
            return Poll::Ready(Ok(()));
        }
        match this.steps.pop_front() {
            Some(Step::Closed) | None => Poll::Ready(Ok(())),
            Some(Step::Reset) => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            Some(step) => {
                this.steps.push_front(step);
                if this.is_closed {
                    return Poll::Ready(Ok(()));
                }
                this.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl AsyncWrite for Recorded {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(self.get_mut().take(bytes).map(|()| bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().close();
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_fits_what_was_masked() {
        for (masked, sent, is) in [
            ("PASS [SECRET]\r\n", "PASS hunter2\r\n", true),
            ("LOGIN a [SECRET] b [SECRET]\r\n", "LOGIN a x b y\r\n", true),
            ("PASS [SECRET]\r\n", "USER hunter2\r\n", false),
            ("NOOP\r\n", "NOOP\r\n", true),
            ("NOOP\r\n", "NOOP x\r\n", false),
        ] {
            assert_eq!(is_masked(masked.as_bytes(), sent.as_bytes()), is, "{masked} {sent}");
        }
        assert_eq!(fits(b"A2 NOOP\r\n", b"A1 NOOP\r\n"), Some(vec![(b"A2".into(), b"A1".into())]));
        assert_eq!(fits(b"Date: 1\r\n.\r\n", b"Date: 2\r\n.\r\n"), Some(Vec::new()));
        assert_eq!(fits(b"RCPT TO:<a>\r\n", b"RCPT TO:<b>\r\n"), None);
        assert_eq!(fits(b"rcpt to:<a>\r\n", b"RCPT TO:<A>\r\n"), None);
        assert_eq!(fits(b"rcpt to:<a>\r\n", b"RCPT TO:<a>\r\n"), Some(Vec::new()));
        assert_eq!(fits(b"auth plain [SECRET]\r\n", b"AUTH PLAIN aGk=\r\n"), Some(Vec::new()));
        assert_eq!(fits(b"[SECRET]\r\n", b"aGk=\r\n"), Some(Vec::new()));
        let tags = fits(b"A2 authenticate scram-sha-1\r\n", b"A1 AUTHENTICATE SCRAM-SHA-1\r\n");
        assert_eq!(tags, Some(vec![(b"A2".into(), b"A1".into())]));
    }

    #[test]
    fn a_masked_line_is_no_reason_to_skip_others() {
        let client = |line: &'static str| Step::Client(Bytes::from_static(line.as_bytes()));
        let steps = ["NOOP\r\n", "[SECRET]\r\n", "QUIT\r\n"].map(client);
        let mut recorded = Recorded {
            steps: steps.into(),
            tags: Vec::new(),
            rest: Bytes::new(),
            is_closed: false,
            waker: None,
        };
        assert!(recorded.take(b"RSET\r\n").is_err());
        recorded.take(b"NOOP\r\n").unwrap();
        recorded.take(b"aGk=\r\n").unwrap();
        recorded.take(b"QUIT\r\n").unwrap();
    }
}
