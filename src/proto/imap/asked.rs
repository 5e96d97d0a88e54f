//! Which FETCH responses answer a command, and which report news about other messages (RFC 3501
//! section 7.4.2).

use super::answer::Answer;
use super::code::Code;
use super::fetched::Fetched;
use super::items::Items;
use super::response::{SHOWN, unlike};
use super::scanner::Status;
use super::selected::{Count, Selected};
use super::set::Set;
use super::value::Value;
use crate::error::{Error, Kind, Result};
use crate::{room, visible};

/// Attributes that a server may report for any message at any time (RFC 3501 section 7.4.2, RFC
/// 7162 section 3.2.4).
const NEWS: [&str; 3] = ["FLAGS", "MODSEQ", "UID"];
/// Items that are answered by an attribute with the same name (RFC 3501 section 6.4.5).
const ITEMS: [&str; 9] = [
    "UID",
    "FLAGS",
    "INTERNALDATE",
    "ENVELOPE",
    "BODY",
    "BODYSTRUCTURE",
    "RFC822.SIZE",
    "RFC822.HEADER",
    "RFC822.TEXT",
];
/// Names that stand for several items.
const MACROS: [(&str, &[&str]); 3] = [
    ("ALL", &["FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE"]),
    ("FAST", &["FLAGS", "INTERNALDATE", "RFC822.SIZE"]),
    ("FULL", &["FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE", "BODY"]),
];

/// The messages that FETCH or STORE names, and the items that it asks for.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    messages: Set,
    by_uid: bool,
    /// Whether the server may leave out the items that were asked for.
    bare: bool,
    /// The items that each message has to have, as far as the command shows them.
    items: Items,
    /// Whether each message that is named by its number and exists has to come.
    every: bool,
    /// The modification sequence that each message has to exceed.
    since: Option<u64>,
    /// The number of messages in the mailbox before the command was sent.
    exists: Count,
}

impl Asked {
    /// For a command that names messages by this set.
    pub(crate) fn of(messages: &str, by_uid: bool, bare: bool) -> Self {
        let (messages, exists) = (Set::of(messages), Count::Unknown);
        Self { messages, by_uid, bare, items: Items::default(), every: false, since: None, exists }
    }

    /// Adds what is known of the mailbox before the command is sent.
    pub(crate) fn in_mailbox(self, selected: Selected) -> Self {
        Self { exists: selected.count, ..self }
    }

    /// Adds the items of FETCH.
    pub(crate) fn with_items(self, items: &str) -> Self {
        // A modifier may leave messages out (RFC 7162 section 3.1.4, RFC 9394).
        let has_modifier = ["CHANGEDSINCE", "PARTIAL"]
            .iter()
            .any(|modifier| items.to_ascii_uppercase().contains(modifier));
        let every = !self.by_uid && !self.bare && !has_modifier;
        let since = after(items, "CHANGEDSINCE");
        let mut items = told(items);
        // The server adds it to what was asked for (RFC 7162 section 3.1.4.1).
        items.extend(since.map(|_| "MODSEQ".to_owned()));
        Self { items: Items::of(items), every, since, ..self }
    }

    /// Adds the change of STORE.
    pub(crate) fn with_change(self, change: &str) -> Self {
        // What a conditional STORE changes comes back with its new sequence (RFC 7162 section
        // 3.1.3).
        let is_conditional = after(change, "UNCHANGEDSINCE").is_some();
        let items = Items::of(is_conditional.then(|| "MODSEQ".to_owned()));
        Self { items, ..self }
    }

    fn has(&self, message: &Fetched) -> bool {
        if self.by_uid {
            message.uid().is_none_or(|uid| self.messages.may_have(uid))
        } else {
            self.messages.may_have(message.number())
        }
    }

    /// Describes what the server has to send for a message and did not.
    fn lacks(&self, message: &Fetched) -> Option<String> {
        if self.bare {
            return None;
        }
        if self.by_uid && message.uid().is_none() {
            return Some("UID, as after all UID commands (RFC 3501, 6.4.8)".to_owned());
        }
        if let Some(item) = self.items.missing(message) {
            return Some(format!("{item}, which was asked for"));
        }
        if let Some(name) = message.changed() {
            return Some(format!("one value of {name} (RFC 3501, 2.3.1.1)"));
        }
        if let Some(item) = self.items.exceeded(message) {
            return Some(format!("no more octets than {item} asks for"));
        }
        let modseq = message.get("MODSEQ").and_then(Value::number);
        if let Some(since) = self.since.filter(|since| modseq.is_some_and(|came| came <= *since)) {
            return Some(format!("MODSEQ above {since} (RFC 7162, 3.1.4.1)"));
        }
        message.wrong_size()
    }
}

impl Answer {
    /// The messages in FETCH responses that the command named.
    ///
    /// # Errors
    /// Malformed if a response cannot be read, or lacks a requested item.
    pub(crate) fn fetched_of(&self, asked: &Asked) -> Result<Vec<Fetched>> {
        let is_news = |message: &Fetched| {
            asked.by_uid
                && message.uid().is_none()
                && message.attributes().keys().all(|name| NEWS.contains(&&**name))
        };
        let mut all = self.fetched()?;
        let ordered = if asked.bare { Ok(()) } else { self.check_order(&all) };
        all.retain(|message| asked.has(message) && !is_news(message));
        for message in &all {
            room::check()?;
            if let Some(lacking) = asked.lacks(message) {
                return Err(self.lacking(message, &lacking));
            }
        }
        ordered?;
        if !asked.bare
            && let Some(number) = self.modified_of_none(asked)
        {
            let wanted = format!("MODIFIED without {number}, which the command did not name");
            return Err(unlike(self.tagged(), &format!("{wanted} (RFC 7162, 3.1.3)")));
        }
        match self.absent(asked, &all) {
            Some(number) => Err(self.without(number)),
            None => Ok(all),
        }
    }

    /// The first message that the server did not change, and that the command did not name.
    fn modified_of_none(&self, asked: &Asked) -> Option<u64> {
        let code = self.tagged().plain_code().filter(|code| code.name == "MODIFIED")?;
        Set::of(code.words().first()?).first_outside(&asked.messages)
    }

    /// The first message that the answer has to have and has not. None is missing if the server
    /// says that messages are gone (RFC 5530 section 3).
    fn absent(&self, asked: &Asked, all: &[Fetched]) -> Option<u64> {
        let is_gone = |code: Code| code.name == "EXPUNGEISSUED";
        if !asked.every || self.status() != Some(Status::Ok) || self.plain_codes().any(is_gone) {
            return None;
        }
        let numbers = all.iter().map(Fetched::number).collect();
        // A removal, which NOTIFY permits at any time, changes the numbers.
        let exists = if self.removal().is_some() { Count::Outdated } else { asked.exists };
        asked.messages.first_missing(&numbers, exists)
    }

    fn without(&self, number: u64) -> Error {
        let message = "the command succeeded without the data that it asks for";
        Error::new(Kind::Mismatch, message)
            .with_expected(format!("FETCH of message {number} (RFC 3501, 6.4.5)"))
            .with_got(visible::excerpt(self.tagged().bytes(), SHOWN))
    }

    fn lacking(&self, message: &Fetched, what: &str) -> Error {
        let number = Some(message.number());
        let response = self.named("FETCH").filter(|response| response.number() == number).last();
        unlike(response.unwrap_or(self.tagged()), &format!("attributes with {what}"))
    }
}

/// The items in a command that are known to come back.
fn told(items: &str) -> Vec<String> {
    let items = items.trim();
    let inside = items.strip_prefix('(').map_or(items, |items| {
        // The modifiers of RFC 4466 follow the items in their own parentheses.
        items.rfind(") (").map_or(items.trim_end_matches(')'), |end| &items[..end])
    });
    if let Some((_, items)) = MACROS.iter().find(|(name, _)| inside.eq_ignore_ascii_case(name)) {
        return items.iter().map(ToString::to_string).collect();
    }
    words(inside).map(str::to_ascii_uppercase).filter(|item| is_known(item)).collect()
}

/// The number after a modifier.
fn after(text: &str, modifier: &str) -> Option<u64> {
    let mut words = text.split([' ', '(', ')']).filter(|word| !word.is_empty());
    words.find(|word| word.eq_ignore_ascii_case(modifier))?;
    words.next()?.parse().ok()
}

/// Splits text at blanks, except at blanks inside brackets.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_i32;
    text.split(move |char| {
        match char {
            '[' => depth += 1,
            ']' => depth = (depth - 1).max(0),
            _ => {}
        }
        char == ' ' && depth == 0
    })
    .filter(|word| !word.is_empty())
}

fn is_known(item: &str) -> bool {
    let sections = ["BODY[", "BODY.PEEK[", "BINARY[", "BINARY.PEEK[", "BINARY.SIZE["];
    item == "RFC822"
        || ITEMS.contains(&item)
        || sections.iter().any(|section| item.starts_with(section))
}

#[cfg(test)]
mod tests {
    use super::super::answer::tests::answer;
    use super::*;

    fn numbers(asked: &Asked, responses: &[&str]) -> Vec<u64> {
        let all = answer(responses).fetched_of(asked).unwrap();
        all.iter().map(Fetched::number).collect()
    }

    #[test]
    fn news_of_other_messages_is_no_part_of_the_answer() {
        let news = "* 5 FETCH (FLAGS (\\Seen) UID 50)";
        let own = "* 1 FETCH (UID 7 BODY[TEXT] {4}\r\nhi\r\n)";
        let by_number = Asked::of("1", false, false).with_items("BODY.PEEK[TEXT]");
        assert_eq!(numbers(&by_number, &[news, own, "a1 OK"]), [1]);
        let by_uid = Asked::of("7", true, false).with_items("(BODY.PEEK[TEXT])");
        let without_uid = "* 4 FETCH (FLAGS ())";
        assert_eq!(numbers(&by_uid, &[news, own, without_uid, "a1 OK"]), [1]);
        assert_eq!(numbers(&Asked::of("1:*", false, false), &[news, own, "a1 OK"]), [5, 1]);
    }

    #[test]
    fn an_answer_without_what_was_asked_for_is_malformed() {
        let all = "* 1 FETCH (FLAGS () INTERNALDATE \"17-Jul-1996 02:44:25 -0700\" RFC822.SIZE 1 ENVELOPE (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL))";
        for (by_uid, items, response, lacking) in [
            (true, "BODY[]", "* 1 FETCH (BODY[] \"Subject: x U\" ID 10)", Some("UID, as")),
            (false, "(UID FLAGS)", "* 1 FETCH (UID 7)", Some("FLAGS, which")),
            (false, "FULL", all, Some("BODY, which")),
            (false, "all", all, None),
            (false, "(RFC822.SIZE] UID)", "* 1 FETCH (RFC822.SIZE 1)", Some("UID, which")),
            (false, "(UID) (CHANGEDSINCE 5)", "* 1 FETCH (UID 7 MODSEQ (6))", None),
            (
                false,
                "(BODY.PEEK[HEADER.FIELDS (SUBJECT)] BODY.PEEK[1]<0.9> PREVIEW (LAZY))",
                "* 1 FETCH (BODY[HEADER.FIELDS (\"Subject\")] NIL BODY[1]<0> NIL)",
                None,
            ),
            (false, "BODY.PEEK[TEXT]", "* 1 FETCH (BODY[HEADER] NIL)", Some("BODY.PEEK[TEXT]")),
        ] {
            let asked = Asked::of("1", by_uid, false).with_items(items);
            let error = answer(&[response, "a1 OK"]).fetched_of(&asked).err();
            let expected = error.as_ref().and_then(|error| error.expected().map(ToOwned::to_owned));
            match (lacking, expected) {
                (Some(lacking), Some(expected)) => {
                    assert!(expected.contains(lacking), "{expected}");
                }
                (None, None) => {}
                (wanted, got) => panic!("{items}: {wanted:?}, {got:?}"),
            }
        }
    }
}
