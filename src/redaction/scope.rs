//! The places in a dialogue where a rule applies.

use std::fmt;

use super::spared::Spared;
use crate::proto::Speech;

/// The kind of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// A client line that is not part of a message.
    Command,
    /// The server's greeting.
    Greeting,
    /// Any other server line that is not part of a message.
    Reply,
    /// A header field, with all lines that it is folded over.
    Header,
    /// A line of a message after its header.
    Body,
    /// A line that a child process wrote, as servers write their logs.
    Log,
    /// A note about TLS.
    Tls,
    /// The decoded text of a SASL challenge or response.
    Meaning,
    /// A value of the script. It may be text from anywhere in the dialogue.
    Value,
    /// Any other event.
    Note,
}

/// The commands whose replies have rules of their own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Verb {
    Greeting,
    /// EHLO in SMTP, LHLO in LMTP.
    Ehlo,
    Mail,
    Rcpt,
    Data,
    /// The end of a message.
    Message,
    Bdat,
    /// AUTH, and each response in its exchange.
    Auth,
    /// CAPA, and AUTH without a mechanism.
    Capa,
    Stat,
    List,
    Uidl,
    /// RETR and TOP, the commands of POP3 that fetch messages.
    Retrieve,
    /// A command of IMAP that is answered with UIDs, such as UID SEARCH.
    Uid,
    #[default]
    Other,
}

/// The lines that a rule looks at: kinds of lines, in one protocol or in any; replies only to some
/// commands, or to any, and only positive ones, or all; from one server software, or from any. Also
/// the words in them that it leaves alone.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scope {
    parts: &'static [Part],
    speech: Option<Speech>,
    /// The commands whose replies are looked at; empty means all commands.
    answering: &'static [Verb],
    /// The command whose replies are left alone.
    except: Option<Verb>,
    /// A word, in lower case, that the server's greeting has to contain.
    server: Option<&'static str>,
    /// Whether only lines that start with a positive reply code are looked at.
    is_positive: bool,
    /// The words that are left alone although the rule's regex matches them.
    spared: Option<Spared>,
}

impl Scope {
    const fn of(parts: &'static [Part]) -> Self {
        Self {
            parts,
            speech: None,
            answering: &[],
            except: None,
            server: None,
            is_positive: false,
            spared: None,
        }
    }

    const fn spoken(self, speech: Speech) -> Self {
        Self { speech: Some(speech), ..self }
    }

    const fn answering(self, verbs: &'static [Verb]) -> Self {
        Self { answering: verbs, ..self }
    }

    const fn except(self, verb: Verb) -> Self {
        Self { except: Some(verb), ..self }
    }

    /// This scope, restricted to servers whose greeting contains this word.
    pub(super) const fn of_server(self, word: &'static str) -> Self {
        Self { server: Some(word), ..self }
    }

    const fn positive(self) -> Self {
        Self { is_positive: true, ..self }
    }

    /// This scope, with words that are left alone.
    pub(super) const fn sparing(self, spared: Spared) -> Self {
        Self { spared: Some(spared), ..self }
    }

    /// Whether this word is left alone.
    pub(super) fn spares(&self, word: &[u8]) -> bool {
        self.spared.is_some_and(|spared| spared.holds(word))
    }

    /// Whether the start of a line leaves it in this scope.
    pub(super) fn starts(&self, text: &[u8]) -> bool {
        !self.is_positive
            || matches!(text, [b'2', tens, units, b' ' | b'-', ..]
                if tens.is_ascii_digit() && units.is_ascii_digit())
    }

    /// Whether a line of this kind is in this scope. `greeting` is the server's greeting in lower
    /// case.
    pub(super) fn holds(
        &self,
        part: Part,
        speech: Speech,
        answering: Verb,
        greeting: &str,
    ) -> bool {
        let is_reply = matches!(part, Part::Greeting | Part::Reply);
        self.parts.contains(&part)
            && self.speech.is_none_or(|wanted| wanted == speech)
            && (!is_reply || self.answering.is_empty() || self.answering.contains(&answering))
            && self.except.is_none_or(|unwanted| unwanted != answering)
            && self.server.is_none_or(|word| greeting.split(' ').any(|part| part == word))
    }
}

/// All kinds of lines, commands first.
const PLACES: &[Part] = &[
    Part::Command,
    Part::Greeting,
    Part::Reply,
    Part::Header,
    Part::Body,
    Part::Log,
    Part::Tls,
    Part::Meaning,
    Part::Value,
    Part::Note,
];

pub(super) const ANYWHERE: Scope = Scope::of(PLACES);
/// The places where a number may be a time. In commands and in replies to EHLO it is more likely a
/// size.
pub(super) const TIMES: Scope = Scope::of(PLACES.split_at(1).1).except(Verb::Ehlo);
pub(super) const CLIENT: Scope = Scope::of(&[Part::Command]);
pub(super) const GREETING: Scope = Scope::of(&[Part::Greeting]);
pub(super) const SERVER: Scope = Scope::of(&[Part::Greeting, Part::Reply, Part::Value]);
pub(super) const SERVER_LOG: Scope =
    Scope::of(&[Part::Greeting, Part::Reply, Part::Log, Part::Value]);
pub(super) const SERVER_HEADER_LOG: Scope =
    Scope::of(&[Part::Greeting, Part::Reply, Part::Header, Part::Log, Part::Value]);
/// The reply to the end of a message, in which a server says which identifier it gave the message.
pub(super) const TAKEN: Scope =
    Scope::of(&[Part::Reply, Part::Value]).answering(&[Verb::Message, Verb::Bdat]);
/// The replies of [`TAKEN`] that accept a message.
pub(super) const ACCEPTED: Scope = TAKEN.positive();
/// Like [`TAKEN`], and the places where the identifier appears again.
pub(super) const TAKEN_HEADER_LOG: Scope =
    Scope::of(&[Part::Reply, Part::Header, Part::Log, Part::Value])
        .answering(&[Verb::Message, Verb::Bdat]);
pub(super) const HEADER: Scope = Scope::of(&[Part::Header, Part::Value]);
pub(super) const HEADER_LOG: Scope = Scope::of(&[Part::Header, Part::Log, Part::Value]);
pub(super) const MESSAGE: Scope = Scope::of(&[Part::Header, Part::Body, Part::Reply, Part::Value]);
pub(super) const LOG: Scope = Scope::of(&[Part::Log]);
pub(super) const TLS: Scope = Scope::of(&[Part::Tls, Part::Value]);
pub(super) const MEANING: Scope = Scope::of(&[Part::Meaning]);
pub(super) const IMAP: Scope = SERVER.spoken(Speech::Imap);
/// Both sides of IMAP: the client repeats numbers that the server gave.
pub(super) const IMAP_BOTH: Scope =
    Scope::of(&[Part::Command, Part::Greeting, Part::Reply, Part::Value]).spoken(Speech::Imap);
pub(super) const IMAP_UIDS: Scope =
    Scope::of(&[Part::Reply]).spoken(Speech::Imap).answering(&[Verb::Uid]);
pub(super) const POP3_GREETING: Scope = GREETING.spoken(Speech::Pop3);
const POP3: Scope = Scope::of(&[Part::Greeting, Part::Reply]).spoken(Speech::Pop3);
pub(super) const POP3_STAT: Scope = POP3.answering(&[Verb::Stat]);
pub(super) const POP3_LIST: Scope = POP3.answering(&[Verb::List]);
pub(super) const POP3_UIDL: Scope = POP3.answering(&[Verb::Uidl]);
pub(super) const SIEVE_AUTH: Scope =
    Scope::of(&[Part::Command, Part::Reply]).spoken(Speech::Sieve).answering(&[Verb::Auth]);

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Command => "commands",
            Self::Greeting => "greetings",
            Self::Reply => "replies",
            Self::Header => "header fields",
            Self::Body => "message bodies",
            Self::Log => "logs",
            Self::Tls => "TLS",
            Self::Meaning => "what SASL says",
            Self::Value => "values",
            Self::Note => "other events",
        })
    }
}

/// Text such as `greetings, replies of POP3 to UIDL`.
impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.parts.len() == PLACES.len() {
            return f.write_str("anywhere");
        }
        for (n, part) in self.parts.iter().enumerate() {
            write!(f, "{}{part}", if n == 0 { "" } else { ", " })?;
        }
        if let Some(speech) = self.speech {
            write!(f, " of {speech}")?;
        }
        let names = self.answering.iter().map(|verb| format!("{verb:?}").to_ascii_uppercase());
        let names: Vec<_> = names.collect();
        if !names.is_empty() {
            write!(f, " to {}", names.join(" and "))?;
        }
        if self.is_positive {
            f.write_str(" (only positive ones)")?;
        }
        match self.server {
            Some(server) => write!(f, " (only of {server})"),
            None => Ok(()),
        }
    }
}
