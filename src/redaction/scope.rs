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
    /// A line of a message behind its header.
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
    Stat,
    List,
    Uidl,
    /// RETR and TOP.
    Retrieve,
    #[default]
    Other,
}

/// Places, of one protocol or of any, and of one command's answer or of any.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scope {
    places: &'static [Place],
    speech: Option<Speech>,
    answering: Option<Verb>,
    /// The command whose answers are left alone.
    except: Option<Verb>,
}

impl Scope {
    const fn of(places: &'static [Place]) -> Self {
        Self { places, speech: None, answering: None, except: None }
    }

    const fn spoken(self, speech: Speech) -> Self {
        Self { speech: Some(speech), ..self }
    }

    const fn answering(self, verb: Verb) -> Self {
        Self { answering: Some(verb), ..self }
    }

    const fn but_for(self, verb: Verb) -> Self {
        Self { except: Some(verb), ..self }
    }

    pub(super) fn holds(&self, place: Place, speech: Speech, answering: Verb) -> bool {
        self.places.contains(&place)
            && self.speech.is_none_or(|wanted| wanted == speech)
            && self.answering.is_none_or(|wanted| wanted == answering)
            && self.except.is_none_or(|unwanted| unwanted != answering)
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
/// Where ten digits are a time, and no size: not in commands, nor in what a server says that it can
/// do.
pub(super) const TIMES: Scope = Scope::of(PLACES.split_at(1).1).but_for(Verb::Ehlo);
pub(super) const CLIENT: Scope = Scope::of(&[Place::Command]);
pub(super) const GREETING: Scope = Scope::of(&[Place::Greeting]);
pub(super) const SERVER: Scope = Scope::of(&[Place::Greeting, Place::Reply, Place::Value]);
pub(super) const SERVER_LOG: Scope =
    Scope::of(&[Place::Greeting, Place::Reply, Place::Log, Place::Value]);
pub(super) const SERVER_HEADER_LOG: Scope =
    Scope::of(&[Place::Greeting, Place::Reply, Place::Header, Place::Log, Place::Value]);
pub(super) const HEADER: Scope = Scope::of(&[Place::Header, Place::Value]);
pub(super) const HEADER_LOG_TLS: Scope =
    Scope::of(&[Place::Header, Place::Log, Place::Tls, Place::Value]);
pub(super) const LOG: Scope = Scope::of(&[Place::Log]);
pub(super) const TLS: Scope = Scope::of(&[Place::Tls, Place::Value]);
pub(super) const MEANING: Scope = Scope::of(&[Place::Meaning]);
pub(super) const IMAP: Scope = SERVER.spoken(Speech::Imap);
pub(super) const POP3_GREETING: Scope = GREETING.spoken(Speech::Pop3);
pub(super) const POP3_STAT: Scope = SERVER.spoken(Speech::Pop3).answering(Verb::Stat);
pub(super) const POP3_LIST: Scope = SERVER.spoken(Speech::Pop3).answering(Verb::List);
pub(super) const POP3_UIDL: Scope = SERVER.spoken(Speech::Pop3).answering(Verb::Uidl);

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
        match self.answering {
            Some(verb) => write!(f, " to {}", format!("{verb:?}").to_ascii_uppercase()),
            None => Ok(()),
        }
    }
}
