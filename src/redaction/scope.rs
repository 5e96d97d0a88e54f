//! Where in a dialogue a rule is looked for.

use std::fmt;

use crate::proto::Speech;

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A line of the client that is no part of a message.
    Command,
    /// What a server says first.
    Greeting,
    /// Any other line of a server that is no part of a message.
    Reply,
    /// A header field, with the lines it is folded over.
    Header,
    /// A line of a message after its header.
    Body,
    /// A line that a child process wrote, as servers write their logs.
    Log,
    /// What is said of TLS.
    Tls,
    /// What a challenge or a response of SASL says.
    Meaning,
    /// A value of the script's own. It may be anything that was said.
    Value,
    /// Any other event.
    Note,
}

/// The commands whose answers are read in their own way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Verb {
    Greeting,
    /// EHLO and LHLO.
    Ehlo,
    Mail,
    Rcpt,
    Data,
    /// The end of a message.
    Message,
    Bdat,
    /// AUTH, and each response in it.
    Auth,
    /// CAPA, and AUTH without a mechanism.
    Capa,
    Stat,
    List,
    Uidl,
    /// RETR and TOP.
    Retrieve,
    #[default]
    Other,
}

/// Places, of one protocol or of any. Of replies, those to some commands or to any; of one server's
/// or of any.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scope {
    places: &'static [Place],
    speech: Option<Speech>,
    /// The commands whose replies are read; every command if there are none here.
    answering: &'static [Verb],
    /// The command whose replies are left alone.
    except: Option<Verb>,
    /// A word that the server's greeting has to hold, in lower case.
    server: Option<&'static str>,
}

impl Scope {
    const fn of(places: &'static [Place]) -> Self {
        Self { places, speech: None, answering: &[], except: None, server: None }
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

    /// The same, only if the server's greeting has this word.
    pub(super) const fn of_server(self, word: &'static str) -> Self {
        Self { server: Some(word), ..self }
    }

    /// Whether a line at this place is looked at. `greeting` is what the server said first, in
    /// lower case.
    pub(super) fn holds(
        &self,
        place: Place,
        speech: Speech,
        answering: Verb,
        greeting: &str,
    ) -> bool {
        let is_reply = matches!(place, Place::Greeting | Place::Reply);
        self.places.contains(&place)
            && self.speech.is_none_or(|wanted| wanted == speech)
            && (!is_reply || self.answering.is_empty() || self.answering.contains(&answering))
            && self.except.is_none_or(|unwanted| unwanted != answering)
            && self.server.is_none_or(|word| greeting.split(' ').any(|part| part == word))
    }
}

/// Every place, commands first.
const PLACES: &[Place] = &[
    Place::Command,
    Place::Greeting,
    Place::Reply,
    Place::Header,
    Place::Body,
    Place::Log,
    Place::Tls,
    Place::Meaning,
    Place::Value,
    Place::Note,
];

pub(super) const ANYWHERE: Scope = Scope::of(PLACES);
/// A number is a time here, and no size: not in commands, nor in what a server says that it can do.
pub(super) const TIMES: Scope = Scope::of(PLACES.split_at(1).1).except(Verb::Ehlo);
pub(super) const CLIENT: Scope = Scope::of(&[Place::Command]);
pub(super) const GREETING: Scope = Scope::of(&[Place::Greeting]);
pub(super) const SERVER: Scope = Scope::of(&[Place::Greeting, Place::Reply, Place::Value]);
pub(super) const SERVER_LOG: Scope =
    Scope::of(&[Place::Greeting, Place::Reply, Place::Log, Place::Value]);
pub(super) const SERVER_HEADER_LOG: Scope =
    Scope::of(&[Place::Greeting, Place::Reply, Place::Header, Place::Log, Place::Value]);
/// Where a server says under which identifier it took a message: in the reply to its end.
pub(super) const TAKEN: Scope =
    Scope::of(&[Place::Reply, Place::Value]).answering(&[Verb::Message, Verb::Bdat]);
/// The same, and where the identifier comes again.
pub(super) const TAKEN_HEADER_LOG: Scope =
    Scope::of(&[Place::Reply, Place::Header, Place::Log, Place::Value])
        .answering(&[Verb::Message, Verb::Bdat]);
pub(super) const HEADER: Scope = Scope::of(&[Place::Header, Place::Value]);
pub(super) const HEADER_LOG: Scope = Scope::of(&[Place::Header, Place::Log, Place::Value]);
pub(super) const MESSAGE: Scope =
    Scope::of(&[Place::Header, Place::Body, Place::Reply, Place::Value]);
pub(super) const LOG: Scope = Scope::of(&[Place::Log]);
pub(super) const TLS: Scope = Scope::of(&[Place::Tls, Place::Value]);
pub(super) const MEANING: Scope = Scope::of(&[Place::Meaning]);
pub(super) const IMAP: Scope = SERVER.spoken(Speech::Imap);
/// Both sides of IMAP: what a server counts, a client says again.
pub(super) const IMAP_BOTH: Scope =
    Scope::of(&[Place::Command, Place::Greeting, Place::Reply, Place::Value]).spoken(Speech::Imap);
pub(super) const POP3_GREETING: Scope = GREETING.spoken(Speech::Pop3);
const POP3: Scope = Scope::of(&[Place::Greeting, Place::Reply]).spoken(Speech::Pop3);
pub(super) const POP3_STAT: Scope = POP3.answering(&[Verb::Stat]);
pub(super) const POP3_LIST: Scope = POP3.answering(&[Verb::List]);
pub(super) const POP3_UIDL: Scope = POP3.answering(&[Verb::Uidl]);
pub(super) const SIEVE_AUTH: Scope =
    Scope::of(&[Place::Command, Place::Reply]).spoken(Speech::Sieve).answering(&[Verb::Auth]);

impl fmt::Display for Place {
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

/// As in `greetings, replies of POP3 to UIDL`.
impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.places.len() == PLACES.len() {
            return f.write_str("anywhere");
        }
        for (n, place) in self.places.iter().enumerate() {
            write!(f, "{}{place}", if n == 0 { "" } else { ", " })?;
        }
        if let Some(speech) = self.speech {
            write!(f, " of {speech}")?;
        }
        let names = self.answering.iter().map(|verb| format!("{verb:?}").to_ascii_uppercase());
        let names: Vec<_> = names.collect();
        if !names.is_empty() {
            write!(f, " to {}", names.join(" and "))?;
        }
        match self.server {
            Some(server) => write!(f, " (only of {server})"),
            None => Ok(()),
        }
    }
}
