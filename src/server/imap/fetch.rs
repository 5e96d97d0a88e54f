//! What FETCH shows of a message (RFC 3501 sections 6.4.5 and 7.4.2).

use super::answer::Answer;
use super::section::Section;
use super::structure::{Part, structure};
use super::{LEAST_READ, MOST_READ, Refusal, bad, envelope};
use crate::proto::imap::Value;
use crate::server::date;
use crate::server::store::Message;

/// The most items of a FETCH.
const MOST: usize = 100;

/// The items that a client asked for.
#[derive(Debug)]
pub(super) struct Items(Vec<Item>);

#[derive(Debug, PartialEq, Eq)]
enum Item {
    Flags,
    Uid,
    InternalDate,
    Size,
    Envelope,
    Structure {
        extended: bool,
    },
    /// A section, with the name by which the client asked for it.
    Body {
        name: String,
        section: Section,
        partial: Option<(usize, usize)>,
        peek: bool,
    },
}

impl Items {
    /// Reads an item or a macro, or a list of items: macros stand alone.
    pub(super) fn read(value: &Value, by_uid: bool) -> Result<Self, Refusal> {
        let (values, is_list) = match value {
            Value::List(values) => (&values[..], true),
            value => (std::slice::from_ref(value), false),
        };
        let mut items = Vec::new();
        for value in values {
            let Value::Atom(_) = value else { return Err(bad("An item is wanted")) };
            let name = value.text().unwrap_or_default();
            match &*name.to_ascii_uppercase() {
                "ALL" | "FAST" | "FULL" if is_list => {
                    return Err(bad("ALL, FAST and FULL are no items of a list"));
                }
                "ALL" => {
                    items.extend([Item::Flags, Item::InternalDate, Item::Size, Item::Envelope]);
                }
                "FAST" => items.extend([Item::Flags, Item::InternalDate, Item::Size]),
                "FULL" => items.extend([
                    Item::Flags,
                    Item::InternalDate,
                    Item::Size,
                    Item::Envelope,
                    Item::Structure { extended: false },
                ]),
                _ => items.push(item(&name)?),
            }
            if items.len() > MOST {
                return Err(bad(format!("More than {MOST} items are too many")));
            }
        }
        if items.is_empty() {
            return Err(bad("An item is wanted"));
        }
        if by_uid && !items.contains(&Item::Uid) {
            items.insert(0, Item::Uid);
        }
        Ok(Self(items))
    }

    /// Whether a FETCH of these items sets `\Seen`.
    pub(super) fn see(&self) -> bool {
        self.0.iter().any(|item| matches!(item, Item::Body { peek: false, .. }))
    }

    /// How many bytes have to be read to show the items of this message, without what is read for
    /// its structure, which is counted when it is made.
    pub(super) fn cost(&self, message: &Message) -> usize {
        let cost = |item: &Item| match item {
            Item::Envelope => envelope::cost(Part::of(&message.data).header),
            Item::Body { section, .. } => section.levels() * message.data.len(),
            _ => 0,
        };
        self.0.len() * LEAST_READ + self.0.iter().map(cost).sum::<usize>()
    }

    /// Adds the items of one response, in parentheses. `flags` are the flags of the message, and
    /// whether they are shown even if the client did not ask for them. `read` is what the command
    /// has read so far. Returns what it has read then; if that is more than [`MOST_READ`], the
    /// response is not complete.
    pub(super) fn show(
        &self,
        answer: &mut Answer,
        message: &Message,
        flags: (&str, bool),
        mut read: usize,
    ) -> usize {
        answer.push("(");
        let mut first = true;
        let more = (flags.1 && !self.0.contains(&Item::Flags)).then_some(&Item::Flags);
        for item in self.0.iter().chain(more) {
            if answer.is_given_up() || read > MOST_READ {
                // The whole answer is refused.
                return read;
            }
            if !std::mem::take(&mut first) {
                answer.push(" ");
            }
            item.show(answer, message, flags.0, &mut read);
        }
        answer.push(")\r\n");
        read
    }
}

impl Item {
    fn show(&self, answer: &mut Answer, message: &Message, flags: &str, read: &mut usize) {
        let (name, value) = match self {
            Self::Flags => ("FLAGS", format!("({flags})").into_bytes()),
            Self::Uid => ("UID", message.uid.to_string().into_bytes()),
            Self::InternalDate => {
                ("INTERNALDATE", format!("\"{}\"", date::internal(message.date)).into_bytes())
            }
            Self::Size => ("RFC822.SIZE", message.data.len().to_string().into_bytes()),
            Self::Envelope => ("ENVELOPE", envelope::envelope(Part::of(&message.data).header)),
            Self::Structure { extended } => {
                let name = if *extended { "BODYSTRUCTURE" } else { "BODY" };
                (name, structure(&message.data, *extended, read))
            }
            Self::Body { name, section, partial, .. } => {
                let octets = section.of(&message.data);
                let (from, count) = partial.unwrap_or((0, usize::MAX));
                let octets = octets.get(from..).unwrap_or_default();
                let octets = &octets[..octets.len().min(count)];
                answer.push(format!("{name} {{{}}}\r\n", octets.len()));
                return answer.push(octets);
            }
        };
        answer.push(name);
        answer.push(" ");
        answer.push(value);
    }
}

fn item(name: &str) -> Result<Item, Refusal> {
    let upper = name.to_ascii_uppercase();
    let whole = |section: &str, peek| {
        Ok(Item::Body {
            name: upper.clone(),
            section: Section::read(section)?,
            partial: None,
            peek,
        })
    };
    match &*upper {
        "FLAGS" => Ok(Item::Flags),
        "UID" => Ok(Item::Uid),
        "INTERNALDATE" => Ok(Item::InternalDate),
        "RFC822.SIZE" => Ok(Item::Size),
        "ENVELOPE" => Ok(Item::Envelope),
        "BODYSTRUCTURE" => Ok(Item::Structure { extended: true }),
        "BODY" => Ok(Item::Structure { extended: false }),
        "RFC822" => whole("", false),
        "RFC822.HEADER" => whole("HEADER", true),
        "RFC822.TEXT" => whole("TEXT", false),
        _ => body(name),
    }
}

/// Reads `BODY[section]<from.count>` or `BODY.PEEK[...]`.
fn body(name: &str) -> Result<Item, Refusal> {
    let wrong = || bad("There is no such item");
    let (word, rest) = name.split_once('[').ok_or_else(wrong)?;
    let peek = match &*word.to_ascii_uppercase() {
        "BODY" => false,
        "BODY.PEEK" => true,
        _ => return Err(wrong()),
    };
    let (text, behind) = rest.rsplit_once(']').ok_or_else(wrong)?;
    let partial = match behind.strip_prefix('<').and_then(|behind| behind.strip_suffix('>')) {
        None if behind.is_empty() => None,
        None => return Err(wrong()),
        Some(range) => {
            let (from, count) = range.split_once('.').ok_or_else(wrong)?;
            Some((from.parse().map_err(|_| wrong())?, count.parse().map_err(|_| wrong())?))
        }
    };
    let section = Section::read(text)?;
    let origin = partial.map_or_else(String::new, |(from, _): (usize, usize)| format!("<{from}>"));
    Ok(Item::Body { name: format!("BODY[{text}]{origin}"), section, partial, peek })
}
