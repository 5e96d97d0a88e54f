//! The keys of SEARCH (RFC 3501 section 6.4.4).

use super::arguments::Arguments;
use super::decoded::{CHARSETS, Decoded};
use super::sets::Set;
use super::structure::Part;
use super::{Refusal, bad, envelope, no};
use crate::proto::imap::Value;
use crate::server::date;
use crate::server::store::Message;

/// The deepest nesting of keys.
const DEPTH: usize = 20;

/// A message that is compared with a key.
pub(super) struct Candidate<'a> {
    pub(super) message: &'a Message,
    /// What the message says, if texts are not compared with its octets.
    pub(super) decoded: Option<Decoded>,
    pub(super) number: u32,
    pub(super) recent: bool,
    /// The greatest message number and the greatest UID.
    pub(super) last: (u32, u32),
}

/// A search key.
#[derive(Debug)]
pub(super) enum Key {
    All(Vec<Key>),
    Or(Box<Key>, Box<Key>),
    Not(Box<Key>),
    Flag(String),
    Recent,
    Numbers(Set),
    Uids(Set),
    /// Messages with a field of this name that contains the text.
    Header(String, Vec<u8>),
    Text {
        text: Vec<u8>,
        header: bool,
    },
    /// Messages of a day, counted from 1970, or before or after it; by the Date field if `sent` is
    /// set.
    Date {
        day: u64,
        order: std::cmp::Ordering,
        sent: bool,
    },
    Size(usize, std::cmp::Ordering),
}

/// A search.
pub(super) struct Search {
    pub(super) key: Key,
    /// Whether texts are compared with what messages say, and not with their octets.
    pub(super) is_decoded: bool,
}

impl Search {
    pub(super) fn read(arguments: &mut Arguments) -> Result<Self, Refusal> {
        let mut charset = "US-ASCII".to_owned();
        if matches!(arguments.peek(), Some(Value::Atom(word)) if word.eq_ignore_ascii_case(b"CHARSET"))
        {
            arguments.next()?;
            charset = arguments.text()?.to_ascii_uppercase();
        }
        if !CHARSETS.contains(&&*charset) {
            let known = CHARSETS.join(" ");
            return Err(no(format!("[BADCHARSET ({known})] Unknown character set")));
        }
        Ok(Self { key: Key::all(arguments, 0)?, is_decoded: charset == "UTF-8" })
    }
}

impl Key {
    fn all(arguments: &mut Arguments, depth: usize) -> Result<Self, Refusal> {
        let mut keys = vec![Self::one(arguments, depth)?];
        while !arguments.is_empty() {
            keys.push(Self::one(arguments, depth)?);
        }
        Ok(Self::All(keys))
    }

    fn one(arguments: &mut Arguments, depth: usize) -> Result<Self, Refusal> {
        use std::cmp::Ordering::{Equal, Greater, Less};
        if depth > DEPTH {
            return Err(bad("The search is nested too deep"));
        }
        if let Some(Value::List(values)) = arguments.peek() {
            let mut inside = Arguments::of(values);
            arguments.next()?;
            return Self::all(&mut inside, depth + 1);
        }
        let boxed = |arguments: &mut Arguments| Self::one(arguments, depth + 1).map(Box::new);
        let date = |arguments: &mut Arguments, order, sent| {
            let day = date::day(&arguments.text()?).ok_or_else(|| bad("A date is wanted"))?;
            Ok::<_, Refusal>(Self::Date { day, order, sent })
        };
        let word = arguments.word()?;
        Ok(match &*word {
            "ALL" => Self::All(Vec::new()),
            "ANSWERED" | "DELETED" | "DRAFT" | "FLAGGED" | "SEEN" => flag(&word),
            "UNANSWERED" | "UNDELETED" | "UNDRAFT" | "UNFLAGGED" | "UNSEEN" => {
                not(flag(&word[2..]))
            }
            "RECENT" => Self::Recent,
            "OLD" => not(Self::Recent),
            "NEW" => Self::All(vec![Self::Recent, not(flag("SEEN"))]),
            "KEYWORD" => Self::Flag(arguments.text()?),
            "UNKEYWORD" => not(Self::Flag(arguments.text()?)),
            "FROM" | "TO" | "CC" | "BCC" | "SUBJECT" => Self::Header(word, arguments.string()?),
            "HEADER" => Self::Header(arguments.text()?, arguments.string()?),
            "BODY" => Self::Text { text: arguments.string()?, header: false },
            "TEXT" => Self::Text { text: arguments.string()?, header: true },
            "BEFORE" => date(arguments, Less, false)?,
            "ON" => date(arguments, Equal, false)?,
            "SINCE" => not(date(arguments, Less, false)?),
            "SENTBEFORE" => date(arguments, Less, true)?,
            "SENTON" => date(arguments, Equal, true)?,
            "SENTSINCE" => not(date(arguments, Less, true)?),
            "LARGER" => Self::Size(size(arguments)?, Greater),
            "SMALLER" => Self::Size(size(arguments)?, Less),
            "UID" => Self::Uids(Set::read(&arguments.text()?)?),
            "NOT" => Self::Not(boxed(arguments)?),
            "OR" => Self::Or(boxed(arguments)?, boxed(arguments)?),
            set => Self::Numbers(Set::read(set).map_err(|_| bad("Unknown search key"))?),
        })
    }

    pub(super) fn finds(&self, candidate: &Candidate<'_>) -> bool {
        let message = candidate.message;
        match self {
            Self::All(keys) => keys.iter().all(|key| key.finds(candidate)),
            Self::Or(one, other) => one.finds(candidate) || other.finds(candidate),
            Self::Not(key) => !key.finds(candidate),
            Self::Flag(flag) => message.flags.has(flag),
            Self::Recent => candidate.recent,
            Self::Numbers(set) => set.has(candidate.number, candidate.last.0),
            Self::Uids(set) => set.has(message.uid, candidate.last.1),
            Self::Header(name, text) => match &candidate.decoded {
                Some(decoded) => decoded.has_header(name, text),
                None => envelope::field(Part::of(&message.data).header, name)
                    .is_some_and(|value| contains(value.as_bytes(), text)),
            },
            Self::Text { text, header } => match (&candidate.decoded, header) {
                (Some(decoded), header) => decoded.has_text(text, *header),
                (None, true) => contains(&message.data, text),
                (None, false) => contains(Part::of(&message.data).body, text),
            },
            Self::Date { day, order, sent } => {
                let of_message = if *sent {
                    envelope::field(Part::of(&message.data).header, "Date")
                        .and_then(|date| date::day(&date))
                } else {
                    Some(date::day_of(message.date))
                };
                of_message.is_some_and(|found| found.cmp(day) == *order)
            }
            Self::Size(size, order) => message.data.len().cmp(size) == *order,
        }
    }
}

fn not(key: Key) -> Key {
    Key::Not(Box::new(key))
}

fn flag(name: &str) -> Key {
    Key::Flag(format!("\\{name}"))
}

fn size(arguments: &mut Arguments) -> Result<usize, Refusal> {
    arguments.text()?.parse().map_err(|_| bad("A number is wanted"))
}

/// Whether the text occurs, in upper or lower case; an empty text occurs everywhere.
fn contains(hay: &[u8], text: &[u8]) -> bool {
    let text = text.to_ascii_lowercase();
    memchr::memmem::find(&hay.to_ascii_lowercase(), &text).is_some()
}
