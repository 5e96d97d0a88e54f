//! The keys of SEARCH (RFC 3501 section 6.4.4).

use std::cell::{Cell, OnceCell};

use memchr::memmem;

use super::arguments::Arguments;
use super::decoded::{CHARSETS, Decoded};
use super::sets::Set;
use super::structure::Part;
use super::{LEAST_READ, MOST_READ, Refusal, bad, envelope, no};
use crate::proto::imap::Value;
use crate::server::date;
use crate::server::store::Message;

/// As many passes over the octets of a message take as long as decoding it.
const DECODING: usize = 8;
/// The deepest nesting of keys.
const DEPTH: usize = 20;

/// A message that is compared with a key.
struct Candidate<'a> {
    message: &'a Message,
    /// What the message says, if texts are compared with that and not with its octets.
    decoded: Option<OnceCell<Option<Decoded>>>,
    /// The octets in lower case.
    lower: OnceCell<Vec<u8>>,
    number: u32,
    recent: bool,
    /// The greatest message number and the greatest UID.
    last: (u32, u32),
    /// How many bytes the search has read.
    read: &'a Cell<usize>,
}

impl Candidate<'_> {
    /// Counts bytes that are about to be read, and returns whether they may be.
    fn reads(&self, bytes: usize) -> bool {
        self.read.set(self.read.get().saturating_add(LEAST_READ + bytes));
        self.read.get() <= MOST_READ
    }

    fn decoded(&self) -> Option<&Decoded> {
        let decoded = self.decoded.as_ref()?;
        let data = &self.message.data;
        let decode = || self.reads(DECODING * data.len()).then(|| Decoded::of(data)).flatten();
        decoded.get_or_init(decode).as_ref()
    }

    /// Whether the octets of the body, or with `header` those of the message, have the text.
    fn has_text(&self, text: &[u8], header: bool) -> bool {
        let lower = self.lower.get_or_init(|| self.message.data.to_ascii_lowercase());
        let hay = if header { lower } else { Part::of(lower).body };
        memmem::find(hay, &text.to_ascii_lowercase()).is_some()
    }
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
    key: Key,
    /// Whether texts are compared with what messages say, and not with their octets.
    is_decoded: bool,
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

    /// Whether the search finds a message. `last` has the greatest message number and the greatest
    /// UID, and `read` how many bytes were read so far: the result is of no use beyond
    /// [`MOST_READ`].
    pub(super) fn finds(
        &self,
        (number, message): (u32, &Message),
        recent: bool,
        last: (u32, u32),
        read: &Cell<usize>,
    ) -> bool {
        let decoded = self.is_decoded.then(OnceCell::new);
        let lower = OnceCell::new();
        let candidate = Candidate { message, decoded, lower, number, recent, last, read };
        read.get() <= MOST_READ && self.key.finds(&candidate)
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

    /// How many bytes of a message have to be read, apart from its decoding.
    fn cost(&self, message: &Message) -> usize {
        match self {
            Self::Header(_, text) => Part::of(&message.data).header.len() + text.len(),
            Self::Text { text, .. } => message.data.len() + text.len(),
            Self::Date { sent: true, .. } => Part::of(&message.data).header.len(),
            _ => 0,
        }
    }

    fn finds(&self, candidate: &Candidate<'_>) -> bool {
        let message = candidate.message;
        if !candidate.reads(self.cost(message)) {
            return false;
        }
        match self {
            Self::All(keys) => keys.iter().all(|key| key.finds(candidate)),
            Self::Or(one, other) => one.finds(candidate) || other.finds(candidate),
            Self::Not(key) => !key.finds(candidate),
            Self::Flag(flag) => message.flags().has(flag),
            Self::Recent => candidate.recent,
            Self::Numbers(set) => set.has(candidate.number, candidate.last.0),
            Self::Uids(set) => set.has(message.uid, candidate.last.1),
            Self::Header(name, text) => match candidate.decoded() {
                Some(decoded) => decoded.has_header(name, text),
                None => envelope::fields(Part::of(&message.data).header, name)
                    .any(|value| contains(value.as_bytes(), text)),
            },
            Self::Text { text, header } => candidate.decoded().map_or_else(
                || candidate.has_text(text, *header),
                |decoded| decoded.has_text(text, *header),
            ),
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
    memmem::find(&hay.to_ascii_lowercase(), &text.to_ascii_lowercase()).is_some()
}
