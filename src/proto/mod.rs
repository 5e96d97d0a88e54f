//! Protocols: where a reply ends, and whose turn it is. This code works on bytes only, without I/O;
//! each protocol has its own file or folder.
//!
//! # How to add a protocol
//!
//! Write a folder here with the [`Facts`] of the protocol and a type that implements [`Protocol`],
//! and add a variant to [`Speech`]. Everything that the facts tell is read from them: schemes and
//! ports, greetings, TLS, SASL, hints, probes, recordings, imports, the answers of servers. Some
//! things are not among the facts, and have other places:
//!
//! - the list of all protocols, [`Speech::ALL`], for which a test asks;
//! - verbs: a file in `session/verbs`, and one in `script/bindings` with a line in `chapters.rs`;
//! - what redaction needs to know of a line: a tracker in `redaction/dialogue` (the compiler asks
//!   for it);
//! - commands with a secret in them: `CARRIERS` in `secrets/command.rs`.

pub(crate) mod capabilities;
mod facts;
pub mod imap;
mod lines;
pub(crate) mod multiline;
pub(crate) mod pop3;
mod requests;
pub(crate) mod sieve;
pub(crate) mod smtp;
pub(crate) mod stream;

use std::fmt;
use std::ops::Range;

pub(crate) use facts::{Advice, Facts, Sasl, Scheme, Success, WRONG_CREDENTIALS};
pub(crate) use lines::{LINE_HEAD, Lines};

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
    /// A plain stream, whose protocol is not known.
    Stream,
}

impl Speech {
    /// All protocols; the plain stream comes last.
    pub(crate) const ALL: [Self; 6] =
        [Self::Smtp, Self::Lmtp, Self::Pop3, Self::Imap, Self::Sieve, Self::Stream];

    /// The facts about the protocol.
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

    /// The protocols that have a command of this name, given in capitals.
    pub(crate) fn with_command(name: &str) -> Vec<Self> {
        Self::ALL.into_iter().filter(|speech| speech.facts().has_command(name)).collect()
    }

    /// Whether a server may send this reply unasked.
    pub(crate) fn is_unasked(self, reply: &[u8]) -> bool {
        self.facts().unasked.is_some_and(|begins| starts(reply, begins))
    }

    /// The protocol whose greeting begins like this.
    pub(crate) fn of_greeting(greeting: &[u8]) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|speech| speech.facts().greetings.iter().any(|begins| starts(greeting, begins)))
    }

    /// The protocol whose servers refuse a connection by a greeting like this.
    pub(crate) fn of_refusal(greeting: &[u8]) -> Option<Self> {
        let greeting = chomp(greeting);
        let is_code = greeting.iter().take_while(|byte| byte.is_ascii_digit()).count() == 3;
        let refuses = |refusal: &Success| {
            let length = match refusal {
                Success::Code(_) => 3,
                Success::Word(word) => word.len(),
            };
            let is_whole = matches!(greeting.get(length), None | Some(b' ' | b'-'));
            is_whole && refusal.fits(greeting) && (is_code || matches!(refusal, Success::Word(_)))
        };
        Self::ALL.into_iter().find(|speech| speech.facts().refusals.iter().any(refuses))
    }

    /// The protocol whose client begins with this line. A command that several protocols have is
    /// taken for one of SMTP.
    pub(crate) fn of_command(line: &[u8]) -> Option<Self> {
        let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let mut next = || String::from_utf8_lossy(words.next().unwrap_or_default()).to_uppercase();
        let (first, second) = (next(), next());
        let begins = |name: &str, has_tags: bool| {
            let of_name = Self::with_command(name).into_iter();
            of_name
                .filter(|speech| speech.facts().has_tags == has_tags)
                .min_by_key(|speech| usize::from(*speech != Self::Smtp))
        };
        begins(&first, false).or_else(|| begins(&second, true))
    }

    /// The name of another protocol, if the greeting is one of that protocol and not of this one.
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
pub(crate) fn starts(line: &[u8], word: &str) -> bool {
    line.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word.as_bytes()))
}

impl fmt::Display for Speech {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.facts().name)
    }
}

/// What a session needs to know about the protocol that it speaks.
pub(crate) trait Protocol: fmt::Debug + Send + Sync {
    /// The protocol's name, as in URLs.
    fn name(&self) -> &'static str;

    /// The protocol, for verbs that belong to one.
    fn speech(&self) -> Speech;

    /// The framing of replies; `None` if the protocol has no replies.
    fn framing(&mut self) -> Option<&mut dyn Framing>;

    /// The framing of what the client sends next, for the server's side; `None` if the protocol has
    /// no commands.
    fn requests(&mut self) -> Option<&mut dyn Framing>;

    /// Whether the client waits for permission to send a literal.
    fn waits_for_literal(&self) -> bool {
        false
    }

    /// Whether the client has said the beginning of a command, or of a line of a message, and not
    /// its end.
    fn is_within_command(&self) -> bool {
        false
    }

    /// Whether the client sends a message next, up to a lone dot.
    fn wants_message(&self) -> bool {
        false
    }

    /// The tags of the commands that are not completely answered, in the order in which they were
    /// sent.
    fn tags(&self) -> Vec<&[u8]> {
        Vec::new()
    }

    /// Returns a copy, to find out what would happen for bytes that are not taken yet.
    fn fork(&self) -> Box<dyn Protocol>;

    /// Tracks bytes that are sent. Returns the spans of them that are secret, and learns the
    /// secrets.
    fn sent(&mut self, bytes: &[u8], secrets: &mut Secrets) -> Vec<Range<usize>>;

    /// The spans of these bytes that would be secret if the bytes were sent now.
    fn secrets(&self, bytes: &[u8]) -> Vec<Range<usize>>;

    /// Tracks received bytes that were taken.
    fn received(&mut self, bytes: &[u8]);

    /// The number of replies that the peer owes.
    fn owed(&self) -> usize;

    /// The number of sent commands that are not completely answered. If each command has one reply,
    /// this equals the number of owed replies.
    fn unanswered(&self) -> usize {
        self.owed()
    }

    /// Stops waiting for owed replies, because the script has checked that nothing more comes.
    fn waive(&mut self);

    /// The SASL challenge, in base64, at the end of the bytes that were taken last, if a response
    /// to it is to be sent next.
    fn challenge<'a>(&self, _taken: &'a [u8]) -> Option<&'a [u8]> {
        None
    }

    /// Whether the peer has announced that it will close.
    fn is_closing(&self) -> bool;

    /// Whether an IDLE of IMAP is in progress, which only DONE ends.
    fn is_idle(&self) -> bool {
        false
    }

    /// Whether a block of lines up to a lone dot comes next, and no reply.
    fn owes_block(&self) -> bool {
        false
    }

    /// The place at which a reply states success or failure.
    fn verdict(&self, _reply: &[u8]) -> Verdict {
        Verdict::default()
    }

    /// Whether it is our turn: the peer says nothing more before we send something.
    fn is_our_turn(&self) -> bool {
        self.owed() == 0
    }

    /// What the peer waits for, if that is not a command.
    fn asks(&self) -> Option<&'static str> {
        None
    }

    /// Whether a peer may send these bytes unasked at any time, so that no operation has to expect
    /// them.
    fn is_unasked(&self, _held: &[u8]) -> bool {
        false
    }

    /// What is known of the mailbox that is selected, in IMAP.
    fn selected(&self) -> imap::Selected {
        imap::Selected::default()
    }

    /// The peer's greeting, if a later command needs it.
    fn greeting(&self) -> Option<&[u8]> {
        None
    }
}

/// Tracks the last bytes that are sent. If they end within a line, the line ends there: only then
/// some lines turn out to be secret. Returns the spans of the bytes that are secret, and learns the
/// secrets.
pub(crate) fn secrets_of_rest(
    dialogue: &mut dyn Protocol,
    rest: &[u8],
    secrets: &mut Secrets,
) -> Vec<Range<usize>> {
    if rest.is_empty() || rest.ends_with(b"\n") {
        return dialogue.sent(rest, secrets);
    }
    let mut spans = dialogue.sent(&[rest, b"\r\n"].concat(), secrets);
    for span in &mut spans {
        *span = span.start.min(rest.len())..span.end.min(rest.len());
    }
    spans
}

/// How [`Protocol::asks`] describes a SASL challenge.
pub(crate) const RESPONSE: &str =
    "a response to its challenge (an empty line, or `*`, ends an exchange that failed)";

/// Finds the end of the next reply.
pub(crate) trait Framing {
    /// The length of the reply at the start of `held`, or `None` while the reply is incomplete. If
    /// it is called again with more bytes after the same ones, it continues where it stopped. After
    /// it has returned a length or an error, it starts over.
    fn frame(&mut self, held: &[u8]) -> Result<Option<usize>, Malformed>;

    /// Starts over, because the bytes at the start of the buffer have changed.
    fn restart(&mut self);

    /// Describes what the incomplete reply still lacks, after `frame` returned `None` for the same
    /// bytes; `None` if no reply has begun.
    fn missing(&self, held: &[u8]) -> Option<String>;

    /// The least length of the reply, if the reply announces one.
    fn at_least(&self) -> u64 {
        0
    }
}

/// Why bytes are not a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Malformed {
    pub(crate) why: String,
    /// The range of the malformed line in the buffer.
    pub(crate) line: Range<usize>,
}

/// Describes what an incomplete line still lacks; `None` if no line has begun.
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

/// Describes what an incomplete literal still lacks.
pub(crate) fn missing_of_literal(octets: u64, announced: u64) -> String {
    format!("{octets} octets of a literal, of {announced} that it announces")
}

/// The last line of the bytes, without its line end.
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
    fn a_response_that_is_cut_off_is_secret() {
        let (mut smtp, mut secrets) = (smtp::Smtp::new("smtp"), Secrets::default());
        let dialogue: &mut dyn Protocol = &mut smtp;
        dialogue.received(b"220 hi\r\n");
        dialogue.sent(b"AUTH PLAIN\r\n", &mut secrets);
        dialogue.received(b"503 no\r\n");
        let rest = b"AGhvZ2UAcHBwd3d3enp6";
        let spans = secrets_of_rest(dialogue, rest, &mut secrets);
        assert_eq!(spans.first(), Some(&(0..rest.len())));
    }

    #[test]
    fn all_protocols_are_listed_and_have_facts_of_their_own() {
        // The plain stream is the last variant, so its number tells how many there are.
        assert_eq!(Speech::ALL.len(), Speech::Stream as usize + 1);
        for speech in Speech::ALL {
            let schemes = speech.facts().schemes;
            assert!(schemes.iter().all(|scheme| scheme.speech == speech), "{speech}: {schemes:?}");
            assert!((speech.facts().dialogue)(schemes[0].name).speech() == speech, "{speech}");
        }
    }

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
