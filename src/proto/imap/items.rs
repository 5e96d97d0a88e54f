//! The items that FETCH asks for, and whether a message has them (RFC 3501 section 6.4.5).
//!
//! A script can name as many items as a server can send attributes, and a mailbox has many
//! messages. So the items that the same attribute answers are kept once, and the attributes of a
//! message are looked up, not compared with each item.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::fetched::Fetched;
use super::section::{Asked, Head};

/// The items that FETCH asks for, each once.
#[derive(Clone, Debug, Default)]
pub(super) struct Items(Vec<Item>);

#[derive(Clone, Debug)]
struct Item {
    /// The item in capitals, as errors show it.
    text: String,
    /// The section that is asked for, if the item has one in brackets.
    asked: Option<Asked>,
    /// The most octets that may come, and the item that says so.
    most: Option<(usize, String)>,
}

/// Which attributes answer an item: a name; a section, and the header fields if they are compared;
/// or any section, if the item's own cannot be read.
#[derive(PartialEq, Eq, Hash)]
enum Place {
    Name(String),
    Section(Head<String>, Option<BTreeSet<String>>),
    AnySection,
}

impl Place {
    fn of(item: &str, asked: Option<&Asked>) -> Self {
        let Some(asked) = asked else { return Self::Name(item.to_owned()) };
        let Some(section) = asked.section() else { return Self::AnySection };
        let owned = |names: BTreeSet<&str>| names.into_iter().map(str::to_owned).collect();
        let (attribute, part, origin) = section.head();
        let head = (attribute.to_owned(), part.to_owned(), origin.map(str::to_owned));
        Self::Section(head, section.names().map(owned))
    }
}

impl Items {
    /// Takes items in capitals.
    pub(super) fn of(items: impl IntoIterator<Item = String>) -> Self {
        let mut places = HashMap::new();
        let mut all: Vec<Item> = Vec::new();
        for text in items {
            let asked = text.contains('[').then(|| Asked::of(&text));
            let most = asked.as_ref().and_then(|asked| asked.most);
            let most = most.map(|most| (most, text.clone()));
            let place = *places.entry(Place::of(&text, asked.as_ref())).or_insert(all.len());
            match all.get_mut(place) {
                Some(known) => {
                    // `None` is less than any number.
                    let least = known.most.take().into_iter().chain(most);
                    known.most = least.min_by_key(|(most, _)| *most);
                }
                None => all.push(Item { text, asked, most }),
            }
        }
        Self(all)
    }

    /// The first item that the message has no attribute for.
    pub(super) fn missing(&self, message: &Fetched) -> Option<&str> {
        let sections = Sections::of(message, self.0.iter().any(|item| item.asked.is_some()));
        let is_there = |item: &Item| match &item.asked {
            None => message.attributes().contains_key(&item.text),
            Some(asked) => sections.have(asked),
        };
        self.0.iter().find(|item| !is_there(item)).map(|item| item.text.as_str())
    }

    /// The first item such as `BODY[]<0.3>` for which more octets came.
    pub(super) fn exceeded(&self, message: &Fetched) -> Option<&str> {
        let sections = Sections::of(message, self.0.iter().any(|item| item.most.is_some()));
        self.0.iter().find_map(|item| {
            let ((most, text), asked) = item.most.as_ref().zip(item.asked.as_ref())?;
            (sections.longest(asked) > Some(*most)).then_some(text.as_str())
        })
    }
}

/// The sections of a message.
#[derive(Default)]
struct Sections<'a>(BTreeMap<Head<&'a str>, Contents<'a>>);

/// How many octets the longest contents have of the attributes with a section.
#[derive(Default)]
struct Contents<'a> {
    all: usize,
    /// Of those whose header fields are not compared.
    uncompared: Option<usize>,
    by_fields: BTreeMap<BTreeSet<&'a str>, usize>,
}

impl<'a> Sections<'a> {
    /// The sections of a message; none if they are not needed.
    fn of(message: &'a Fetched, are_needed: bool) -> Self {
        let mut sections = Self::default();
        for (name, value) in message.attributes().iter().filter(|_| are_needed) {
            let Some(section) = super::section::Section::of(name) else { continue };
            let length = value.bytes().map_or(0, |bytes| bytes.len());
            let contents = sections.0.entry(section.head()).or_default();
            contents.all = contents.all.max(length);
            match section.names() {
                None => contents.uncompared = contents.uncompared.max(Some(length)),
                Some(names) => {
                    let longest = contents.by_fields.entry(names).or_default();
                    *longest = length.max(*longest);
                }
            }
        }
        sections
    }

    /// Whether there is an attribute for the section that is asked for; if that cannot be read,
    /// whether there is any.
    fn have(&self, asked: &Asked) -> bool {
        if asked.section().is_some() { self.longest(asked).is_some() } else { !self.0.is_empty() }
    }

    /// The octets of the longest content that came for the section that is asked for.
    fn longest(&self, asked: &Asked) -> Option<usize> {
        let section = asked.section()?;
        let contents = self.0.get(&section.head())?;
        match section.names() {
            None => Some(contents.all),
            Some(names) => contents.by_fields.get(&names).copied().max(contents.uncompared),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::answer::tests::answer;
    use super::*;

    fn message(attributes: &str) -> Fetched {
        let response = format!("* 1 FETCH ({attributes})");
        answer(&[&response, "a1 OK"]).fetched().unwrap().remove(0)
    }

    fn items(all: &[&str]) -> Items {
        Items::of(all.iter().map(ToString::to_string))
    }

    #[test]
    fn a_section_answers_the_item_that_asked_for_it() {
        for (item, name, answers) in [
            ("BODY[]", "BODY[]", true),
            ("BODY.PEEK[]", "BODY[]", true),
            ("BODY[]<0.100>", "BODY[]<0>", true),
            ("BODY[]", "BODY[]<0>", false),
            ("BODY[]<0.100>", "BODY[]", false),
            ("BODY[]<10.5>", "BODY[]<0>", false),
            ("BODY[TEXT]", "BODY[HEADER]", false),
            ("BODY[1]", "BODY[1.MIME]", false),
            ("BODY[X Y]", "BODY[1.MIME]", true),
            ("BINARY.PEEK[1.2]", "BINARY[1.2]", true),
            ("BINARY[1]", "BODY[1]", false),
            ("BINARY.SIZE[1]", "BINARY.SIZE[1]", true),
            ("BODY[HEADER.FIELDS (TO)]", "BODY[HEADER.FIELDS (\"TO\")]", true),
            ("BODY[HEADER.FIELDS (TO)]", "BODY[HEADER.FIELDS.NOT (TO)]", false),
            ("BODY[HEADER.FIELDS (TO CC)]", "BODY[HEADER.FIELDS (\"CC\" \"TO\")]", true),
            ("BODY[HEADER.FIELDS (TO CC)]", "BODY[HEADER.FIELDS (TO)]", false),
            ("BODY[HEADER.FIELDS (TO)]<0.9>", "BODY[HEADER.FIELDS (CC)]<0>", false),
            ("BODY[HEADER.FIELDS (TO)]", "BODY[HEADER.FIELDS ({2}\r\nTO)]", true),
            ("BODY[HEADER.FIELDS ({2}\r\nTO)]", "BODY[HEADER.FIELDS (TO)]", true),
        ] {
            let value = if name.starts_with("BINARY.SIZE") { "7" } else { "NIL" };
            let came = message(&format!("{name} {value}"));
            assert_eq!(items(&[item]).missing(&came).is_none(), answers, "{item} {name}");
        }
        assert_eq!(items(&["UID", "BODY[X Y]"]).missing(&message("UID 7")), Some("BODY[X Y]"));
    }

    #[test]
    fn no_more_octets_come_than_were_asked_for() {
        let fields = "BODY[HEADER.FIELDS (A B)]<0.2>";
        for (asked, attributes, exceeded) in [
            (&["BODY[]<0.3>"][..], "BODY[]<0> \"abc\"", None),
            (&["BODY[]<0.2>"], "BODY[]<0> \"abc\"", Some("BODY[]<0.2>")),
            (&["BODY[]<0.2>"], "BODY[]<5> \"abc\"", None),
            (&["BODY[]<0.2>"], "BODY[]<0> NIL", None),
            (&["BODY[]<0.9>", "BODY.PEEK[]<0.2>"], "BODY[]<0> \"abc\"", Some("BODY.PEEK[]<0.2>")),
            (&["BODY[]<0.2>", "BODY[]<0.9>"], "BODY[]<0> \"abc\"", Some("BODY[]<0.2>")),
            (&["BODY[]", fields], "BODY[HEADER.FIELDS (B A)]<0> \"abc\"", Some(fields)),
            (&[fields], "BODY[HEADER.FIELDS (B C)]<0> \"abc\"", None),
        ] {
            let (asked, came) = (items(asked), message(attributes));
            assert_eq!(asked.exceeded(&came), exceeded, "{asked:?} {attributes}");
        }
    }

    #[test]
    fn items_that_the_same_attribute_answers_are_kept_once() {
        let asked = (0..1000).map(|octets| format!("BODY.PEEK[HEADER.FIELDS (A B)]<0.{octets}>"));
        let alike = ["UID", "BODY[HEADER.FIELDS (B \"A\")]<0.7>", "BODY[X Y]", "BODY[Y X]", "UID"];
        let all = Items::of(asked.chain(alike.map(str::to_owned)));
        let kept: Vec<_> = all.0.iter().map(|item| item.text.as_str()).collect();
        assert_eq!(kept, ["BODY.PEEK[HEADER.FIELDS (A B)]<0.0>", "UID", "BODY[X Y]"]);
    }
}
