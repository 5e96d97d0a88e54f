//! Protocols: where a reply ends, and whose turn it is. Pure code over bytes, a file per protocol.

pub(crate) mod capabilities;
mod facts;
pub mod imap;
pub(crate) mod multiline;
pub(crate) mod pop3;
mod requests;
pub(crate) mod sieve;
pub(crate) mod smtp;
pub(crate) mod stream;

use std::fmt;
use std::ops::Range;

pub(crate) use facts::{Advice, Facts, Sasl, Scheme, Success};

use crate::pattern::Verdict;
use crate::secrets::Secrets;

/// A protocol that sessions speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speech {
    /// IMAP.
    Imap,
    /// SMTP and submission.
    Smtp,
    /// LMTP.
    Lmtp,
    /// POP3.
    Pop3,
    /// ManageSieve.
    Sieve,
    /// Nothing is known of what is spoken.
    Stream,
}

impl Speech {
    /// All of them; the one of which nothing is known comes last.
    pub(crate) const ALL: [Self; 6] =
        [Self::Smtp, Self::Lmtp, Self::Pop3, Self::Imap, Self::Sieve, Self::Stream];

    /// What is known of it.
    pub(crate) fn facts(self) -> &'static Facts {
        match self {
            Self::Imap => &imap::FACTS,
            Self::Smtp => &smtp::FACTS,
            Self::Lmtp => &smtp::LMTP,
            Self::Pop3 => &pop3::FACTS,
            Self::Sieve => &sieve::FACTS,
            Self::Stream => &stream::FACTS,
        }
    }

    /// Those that have a command of this name, in capitals.
    pub(crate) fn with_command(name: &str) -> Vec<Self> {
        Self::ALL.into_iter().filter(|speech| speech.facts().has_command(name)).collect()
    }

    /// Whether a server may say this without being asked.
    pub(crate) fn is_unasked(self, reply: &[u8]) -> bool {
        self.facts().unasked.is_some_and(|begins| starts(reply, begins))
    }

    /// The protocol whose greeting begins like this.
    pub(crate) fn of_greeting(greeting: &[u8]) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|speech| speech.facts().greetings.iter().any(|begins| starts(greeting, begins)))
    }

    /// Another protocol, whose greeting begins like this.
    pub(crate) fn greeting_of_another(self, greeting: &[u8]) -> Option<&'static str> {
        if self.facts().greetings.iter().any(|begins| starts(greeting, begins)) {
            return None;
        }
        let strangers = [("HTTP/", "HTTP"), ("SSH-", "SSH")];
        let stranger = strangers.iter().find(|(begins, _)| starts(greeting, begins));
        let other = Self::of_greeting(greeting).map(|speech| speech.facts().name);
        other.or(stranger.map(|(_, name)| *name))
    }
}

/// Whether a line begins with a word, in letters of either case.
fn starts(line: &[u8], word: &str) -> bool {
    line.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word.as_bytes()))
}

impl fmt::Display for Speech {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.facts().name)
    }
}

/// What a session needs to know of the protocol that it speaks.
pub(crate) trait Protocol: fmt::Debug + Send + Sync {
    /// Its name, as in URLs.
    fn name(&self) -> &'static str;

    /// Which one it is, for the verbs that belong to it.
    fn speech(&self) -> Speech;

    /// The framing, where the protocol has replies.
    fn framing(&mut self) -> Option<&mut dyn Framing>;

    /// Where what the client says next ends, for the server's side of a protocol that has commands.
    fn requests(&mut self) -> Option<&mut dyn Framing>;

    /// Whether the client waits to be told to go on with a literal.
    fn waits_for_literal(&self) -> bool {
        false
    }

    /// Whether what the client says next is a message, up to a lone dot.
    fn wants_message(&self) -> bool {
        false
    }

    /// The tags of the commands that are not answered to their end, the first to be answered first.
    fn tags(&self) -> Vec<&[u8]> {
        Vec::new()
    }

    /// A copy, to see what would become of bytes that are not taken yet.
    fn fork(&self) -> Box<dyn Protocol>;

    /// Follows what is sent; returns the spans of it that are secret, and learns the secrets.
    fn sent(&mut self, bytes: &[u8], secrets: &mut Secrets) -> Vec<Range<usize>>;

    /// The spans of it that would be secret if it were sent now.
    fn secrets(&self, bytes: &[u8]) -> Vec<Range<usize>>;

    /// Follows what was taken of what came.
    fn received(&mut self, bytes: &[u8]);

    /// How many replies the peer owes.
    fn owed(&self) -> usize;

    /// How many of the commands sent have not been answered to their end. Where each has one reply,
    /// that is what is owed.
    fn unanswered(&self) -> usize {
        self.owed()
    }

    /// The script has made sure that nothing more is coming.
    fn waive(&mut self);

    /// The challenge of SASL, in base64, that what was taken last ends with; a response to it is
    /// what will be sent next.
    fn challenge<'a>(&self, _taken: &'a [u8]) -> Option<&'a [u8]> {
        None
    }

    /// The peer has said that it will close.
    fn is_closing(&self) -> bool;

    /// What comes next is a block of lines up to a lone dot, and no reply.
    fn owes_block(&self) -> bool {
        false
    }

    /// Where a reply says how it went.
    fn verdict(&self, _reply: &[u8]) -> Verdict {
        Verdict::default()
    }

    /// It is our turn: the peer will say nothing more before something is sent.
    fn is_our_turn(&self) -> bool {
        self.owed() == 0
    }

    /// What the peer waits for that is no command.
    fn asks(&self) -> Option<&'static str> {
        None
    }

    /// Whether a peer may say this of itself at any time, so that nobody needs to have expected it.
    fn is_unasked(&self, _held: &[u8]) -> bool {
        false
    }

    /// What the peer greeted with, if that matters later.
    fn greeting(&self) -> Option<&[u8]> {
        None
    }
}

/// What [`Protocol::asks`] says of a challenge of SASL.
pub(crate) const RESPONSE: &str =
    "a response to its challenge (an empty line, or `*`, ends an exchange that failed)";

/// Finds where the next reply ends.
pub(crate) trait Framing {
    /// The length of the reply at the start of `held`, or `None` while it is not whole. Called
    /// again with more bytes after the same ones, it goes on where it was; after an answer it
    /// begins anew.
    fn frame(&mut self, held: &[u8]) -> Result<Option<usize>, Malformed>;

    /// Begins anew: the bytes at the start of what is held are others than before.
    fn restart(&mut self);

    /// What is still to come of the reply that has begun, after an answer of `None` for the same
    /// bytes; `None` if nothing has begun.
    fn missing(&self, held: &[u8]) -> Option<String>;

    /// How long the reply is going to be at least, if it has said so itself.
    fn at_least(&self) -> u64 {
        0
    }
}

/// Why bytes are not a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Malformed {
    pub(crate) why: String,
    /// The line that is wrong, in what is held.
    pub(crate) line: Range<usize>,
}

/// Splits what goes by into lines, keeping the beginning of an unfinished one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lines {
    unfinished: Vec<u8>,
}

/// How much of a line is looked at; no verb or secret that matters is longer.
pub(crate) const LINE_HEAD: usize = 16 << 10;

impl Lines {
    /// Calls `line` with each line that is now complete, its line end with it, and where its new
    /// part lies in `bytes`.
    pub(crate) fn push(&mut self, bytes: &[u8], mut line: impl FnMut(&[u8], Range<usize>)) {
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', bytes).map(|at| at + 1) {
            if self.unfinished.is_empty() {
                line(&bytes[start..end], start..end);
            } else {
                self.unfinished.extend_from_slice(&bytes[start..end]);
                line(&std::mem::take(&mut self.unfinished), start..end);
            }
            start = end;
        }
        let room = LINE_HEAD.saturating_sub(self.unfinished.len());
        self.unfinished.extend_from_slice(&bytes[start..][..(bytes.len() - start).min(room)]);
    }

    /// Follows what is sent: `secret` says of each line that is now complete, and of the beginning
    /// of one (`false`), which span of it is secret. Gives the spans in `bytes`.
    pub(crate) fn follow(
        &mut self,
        bytes: &[u8],
        mut secret: impl FnMut(&[u8], bool) -> Option<Range<usize>>,
    ) -> Vec<Range<usize>> {
        let mut spans = Vec::new();
        let mut start = 0;
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let before = self.unfinished.len();
            let mut found = None;
            let is_whole = part.ends_with(b"\n");
            self.push(part, |line, _| found = secret(line, true));
            if !is_whole {
                found = secret(&self.unfinished, false);
            }
            if let Some(span) = found {
                // Of a line longer than what is remembered of it, all that is new is as secret as
                // its beginning.
                let too_long = before.max(self.unfinished.len()) >= LINE_HEAD;
                let new = span.start.saturating_sub(before)..span.end.saturating_sub(before);
                let new = if too_long { new.start..chomp(part).len() } else { new };
                spans.extend((!new.is_empty()).then_some(start + new.start..start + new.end));
            }
            start += part.len();
        }
        spans
    }

    pub(crate) fn unfinished(&self) -> &[u8] {
        &self.unfinished
    }

    /// The span of `bytes` that would be secret if they ended the line; `secret` says which of a
    /// line, without its end, is.
    pub(crate) fn ahead(
        &self,
        bytes: &[u8],
        secret: impl FnOnce(&[u8]) -> Option<Range<usize>>,
    ) -> Option<Range<usize>> {
        let before = self.unfinished.len();
        let span = secret(chomp(&[&self.unfinished, bytes].concat()))?;
        (span.end > before).then(|| span.start.saturating_sub(before)..span.end - before)
    }
}

/// What is still to come of a line that has begun; `None` if none has.
pub(crate) fn missing_of_line(line: &[u8]) -> Option<String> {
    let missing = match line {
        [] => return None,
        [.., b'\r'] => "the LF after the CR at its end",
        line if line.contains(&b'\r') => {
            "its line end, CR LF; the CR in it is bare and ends no line"
        }
        _ => "its line end, CR LF",
    };
    Some(missing.to_owned())
}

/// What is still to come of a literal.
pub(crate) fn missing_of_literal(octets: u64, announced: u64) -> String {
    format!("{octets} octets of a literal, of {announced} that it announces")
}

/// The last line of what was taken, without its line end.
pub(crate) fn last_line(taken: &[u8]) -> &[u8] {
    let taken = chomp(taken);
    &taken[memchr::memrchr(b'\n', taken).map_or(0, |at| at + 1)..]
}

/// A line without its line end.
pub(crate) fn chomp(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_greeting_is_known_for_the_one_of_another_protocol() {
        let other =
            |speech: Speech, greeting: &str| speech.greeting_of_another(greeting.as_bytes());
        assert_eq!(other(Speech::Smtp, "+OK ready\r\n"), Some("POP3"));
        assert_eq!(other(Speech::Pop3, "220 mx.example\r\n"), Some("SMTP"));
        assert_eq!(other(Speech::Sieve, "* ok hi\r\n"), Some("IMAP"));
        assert_eq!(other(Speech::Imap, "\"IMPLEMENTATION\" \"x\"\r\n"), Some("ManageSieve"));
        assert_eq!(
            (other(Speech::Smtp, "220 hi\r\n"), other(Speech::Smtp, "hi\r\n")),
            (None, None)
        );
    }
}
