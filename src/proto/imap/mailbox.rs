//! Mailboxes in the responses LIST, LSUB and STATUS (RFC 3501 section 7.2).

use std::collections::HashMap;

use super::answer::Answer;
use super::pairs::{ambiguous, pairs, singles};
use super::response::{Response, unlike};
use super::value::{Value, is_identifier};
use super::wildcard::Wildcards;
use crate::error::Result;
use crate::room;

/// The items of STATUS that are numbers (RFC 9051 section 7.3.4, RFC 7162 section 3.1.2.1, RFC 9208
/// section 4.1.4).
const NUMBERS: [&str; 9] = [
    "MESSAGES",
    "RECENT",
    "UIDNEXT",
    "UIDVALIDITY",
    "UNSEEN",
    "DELETED",
    "SIZE",
    "HIGHESTMODSEQ",
    "DELETED-STORAGE",
];

/// A mailbox, as LIST describes it (RFC 3501 section 7.2.2).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mailbox {
    /// The name as it came: in modified UTF-7, unless the client has turned on another encoding.
    pub name: String,
    /// The separator of the levels of names; `None` if there is only one level.
    pub delimiter: Option<String>,
    /// The attributes of the mailbox, such as `\HasNoChildren`.
    pub flags: Vec<String>,
    /// Extended data of a server with LIST-EXTENDED (RFC 5258 section 3.5), with names in capitals:
    /// `CHILDINFO` with `("SUBSCRIBED")`.
    pub extended: Vec<(String, Value)>,
}

impl Answer {
    /// The mailboxes in LIST and LSUB responses.
    ///
    /// # Errors
    /// Malformed if a response cannot be read.
    pub fn mailboxes(&self) -> Result<Vec<Mailbox>> {
        let of_mailboxes = |response: &&Response| ["LIST", "LSUB"].contains(&&*response.name());
        room::collect(self.untagged().iter().filter(of_mailboxes).map(Mailbox::parse))
    }

    /// The mailboxes in the responses with this name, which is that of the command: LIST or LSUB.
    /// Those that do not match the command's pattern are left out.
    ///
    /// # Errors
    /// See [`Answer::mailboxes`].
    pub(crate) fn mailboxes_of(
        &self,
        command: &str,
        reference: &str,
        pattern: &str,
    ) -> Result<Vec<Mailbox>> {
        let asked = Asked::of(reference, pattern);
        let mut known = HashMap::new();
        let mailboxes = self.named(command).map(|response| {
            let mailbox = Mailbox::parse(response)?;
            match mailbox.contradiction(&mut known) {
                Some(wanted) => Err(unlike(response, wanted)),
                None => Ok(mailbox),
            }
        });
        let is_asked = |mailbox: &Mailbox| asked.may_have(mailbox);
        room::collect(mailboxes.filter(|mailbox| mailbox.as_ref().map_or(true, is_asked)))
    }

    /// What the answer to this command, LIST or LSUB, should have been, if it has a mailbox that
    /// does not match the pattern, or a response of the other command. A mailbox with extended data
    /// may have another name (RFC 9051 section 6.3.9.7).
    ///
    /// # Errors
    /// See [`Answer::mailboxes`].
    pub(crate) fn wrong_mailbox(
        &self,
        command: &str,
        reference: &str,
        pattern: &str,
    ) -> Result<Option<String>> {
        let other = if command == "LIST" { "LSUB" } else { "LIST" };
        if self.named(other).next().is_some() {
            return Ok(Some(format!("{command}, and no {other} (RFC 3501, 7.2)")));
        }
        let asked = Asked::of(reference, pattern);
        let all = self.named(command).map(Mailbox::parse);
        let is_wrong = |mailbox: &Result<Mailbox>| {
            let is_right =
                |mailbox: &Mailbox| !mailbox.extended.is_empty() || asked.may_have(mailbox);
            mailbox.as_ref().map_or(true, |mailbox| !is_right(mailbox))
        };
        let Some(wrong) = all.into_iter().find(is_wrong).transpose()? else { return Ok(None) };
        let name = wrong.name;
        Ok(Some(format!("mailboxes that match {pattern}, and not {name} (RFC 3501, 6.3.8)")))
    }

    /// What STATUS should have said of this mailbox, if it contradicts itself.
    ///
    /// # Errors
    /// Malformed if a response cannot be read.
    pub(crate) fn status_contradiction(&self, mailbox: &str) -> Result<Option<String>> {
        let items = self.status_items(mailbox)?;
        if let Some(name) = ambiguous(&items) {
            return Ok(Some(format!("one value of {name} (RFC 3501, 7.2.4)")));
        }
        let number = |wanted: &str| items.iter().find(|(name, _)| name == wanted)?.1.number();
        let Some(messages) = number("MESSAGES") else { return Ok(None) };
        let parts = ["UNSEEN", "RECENT", "DELETED"];
        let part = parts.iter().find(|part| number(part) > Some(messages));
        Ok(part.map(|part| format!("{part} of at most {messages}, which is MESSAGES")))
    }

    /// The STATUS items of this mailbox: `MESSAGES`, `UIDNEXT`, `UNSEEN` (RFC 3501 section 7.2.4).
    /// Responses about other mailboxes are left out.
    ///
    /// # Errors
    /// Malformed if a response cannot be read.
    pub fn status_items(&self, mailbox: &str) -> Result<Vec<(String, Value)>> {
        let mut items = Vec::new();
        for response in self.named("STATUS") {
            let (name, of_mailbox) = response.status_items()?;
            if is_same(&name, mailbox) {
                items.extend(of_mailbox);
            }
        }
        Ok(items)
    }
}

/// The mailboxes that a LIST or LSUB asks for.
struct Asked {
    /// The pattern in small letters; `None` if only the server knows what is asked for, or if the
    /// pattern is too long. What a reference does to a pattern, and how names that are not ASCII are
    /// encoded, is the server's to say.
    pattern: Option<Wildcards>,
}

impl Asked {
    fn of(reference: &str, pattern: &str) -> Self {
        let is_known = reference.is_empty() && !pattern.is_empty() && pattern.is_ascii();
        let pattern = is_known.then(|| pattern.to_ascii_lowercase());
        Self { pattern: pattern.and_then(|pattern| Wildcards::of(pattern.as_bytes())) }
    }

    /// Whether this mailbox may be one of them. Letters match in either case, because names do on
    /// some servers.
    fn may_have(&self, mailbox: &Mailbox) -> bool {
        let delimiter = mailbox.delimiter.as_ref().and_then(|text| text.bytes().next());
        let name = mailbox.name.to_ascii_lowercase();
        self.pattern.as_ref().is_none_or(|pattern| pattern.match_name(name.as_bytes(), delimiter))
    }
}

/// What a response has said of a mailbox that another one must not contradict.
#[derive(PartialEq)]
struct Said {
    delimiter: Option<String>,
    has_children: Option<bool>,
}

impl Mailbox {
    /// What LIST should have said of the mailbox, if it contradicts itself, or an earlier response
    /// about the same mailbox.
    fn contradiction(&self, known: &mut HashMap<String, Said>) -> Option<&'static str> {
        let has = |flag: &str| self.flags.iter().any(|known| known.eq_ignore_ascii_case(flag));
        let (parent, leaf) = (has("\\HasChildren"), has("\\HasNoChildren"));
        if parent && leaf {
            return Some("\\HasChildren or \\HasNoChildren (RFC 5258, 4)");
        }
        if has("\\Marked") && has("\\Unmarked") {
            return Some("\\Marked or \\Unmarked (RFC 3501, 7.2.2)");
        }
        let has_children = (parent || leaf).then_some(parent);
        let said = Said { delimiter: self.delimiter.clone(), has_children };
        let name = if is_same(&self.name, "INBOX") { "INBOX" } else { &self.name };
        let Some(before) = known.get(name) else {
            known.insert(name.to_owned(), said);
            return None;
        };
        let children = before.has_children.zip(said.has_children);
        let differs = before.delimiter != said.delimiter
            || children.is_some_and(|(before, now)| before != now);
        differs.then_some("one delimiter of each mailbox, and children or none (RFC 3501, 7.2.2)")
    }

    /// Reads a LIST or LSUB response.
    ///
    /// # Errors
    /// Malformed if the response cannot be read.
    pub fn parse(response: &Response) -> Result<Self> {
        mailbox(response.values()?)
            .ok_or_else(|| unlike(response, "attributes, a delimiter and a name"))
    }
}

impl Response {
    /// The name of the mailbox that a STATUS response is about, and its items: `MESSAGES`,
    /// `UIDNEXT`, `UNSEEN` (RFC 3501 section 7.2.4).
    ///
    /// # Errors
    /// Malformed if the response cannot be read.
    pub fn status_items(&self) -> Result<(String, Vec<(String, Value)>)> {
        let wrong = || unlike(self, "a mailbox, and a list of items and numbers by turns");
        let mut values = self.values()?;
        let (Some(Value::List(items)), [name]) = (values.pop(), &*values) else {
            return Err(wrong());
        };
        let name = name.text().ok_or_else(wrong)?;
        let items = pairs(items).ok_or_else(wrong)?;
        if let Some((name, form)) = items.iter().find_map(wrong_form) {
            return Err(unlike(self, &format!("{name} {form}")));
        }
        let items = singles(items);
        if let Some(name) = ambiguous(&items) {
            return Err(unlike(self, &format!("one value of {name}")));
        }
        Ok((name, items))
    }
}

/// The form that an item of STATUS must have, if its value has another one.
fn wrong_form((name, value): &(String, Value)) -> Option<(&str, &'static str)> {
    let is_number = value.number().is_some();
    let (holds, form) = match name.as_str() {
        name if NUMBERS.contains(&name) => (is_number, "and a number"),
        "MAILBOXID" => (is_identifier(value), "and an identifier in parentheses (RFC 8474, 7)"),
        "APPENDLIMIT" => (is_number || *value == Value::Nil, "and a number or NIL (RFC 7889, 4)"),
        _ => return None,
    };
    (!holds).then_some((name, form))
}

/// Whether two names are of the same mailbox. INBOX is the only name in which letters match in
/// either case (RFC 3501 section 5.1).
pub(super) fn is_same(one: &str, other: &str) -> bool {
    let is_inbox = |name: &str| name.eq_ignore_ascii_case("INBOX");
    one == other || (is_inbox(one) && is_inbox(other))
}

fn mailbox(mut values: Vec<Value>) -> Option<Mailbox> {
    let extended = match values.len() {
        3 => Vec::new(),
        4 => extended(values.pop()?)?,
        _ => return None,
    };
    let [flags, delimiter, name] = &*values else { return None };
    let (name, flags) = (name.text()?, flags.flags()?);
    is_delimiter(delimiter).then(|| Mailbox { name, delimiter: delimiter.text(), flags, extended })
}

/// Whether a value is the delimiter of a hierarchy: one character in quotes, or NIL (`mailbox-list`
/// in RFC 3501 section 9).
pub(super) fn is_delimiter(value: &Value) -> bool {
    match value {
        Value::Nil => true,
        Value::Text(_) | Value::Literal(_) => {
            value.text().is_some_and(|text| text.chars().count() == 1)
        }
        _ => false,
    }
}

/// Names and values in turn; the names may be strings or atoms.
fn extended(values: Value) -> Option<Vec<(String, Value)>> {
    let Value::List(values) = values else { return None };
    let mut values = values.into_iter();
    let mut extended = Vec::new();
    while let Some(name) = values.next() {
        extended.push((name.text()?.to_ascii_uppercase(), values.next()?));
    }
    Some(extended)
}

#[cfg(test)]
mod tests {
    use super::super::answer::tests::{answer, named};

    #[test]
    fn mailboxes_are_listed_with_their_names_whatever_form_they_have() {
        let answer = answer(&[
            "* LIST (\\HasNoChildren \\Sent) \"/\" Sent",
            "* LIST () NIL \"a \\\"b\\\"\"",
            "* LSUB () \".\" {3}\r\n{1}",
            "* LIST () \"/\" 2026",
            "* LIST () \"/\" NIL (\"CHILDINFO\" (\"SUBSCRIBED\"))",
            "* LIST () \"/\" a[b",
            "* LIST () \"/\" [Gmail]/Spam",
            "a1 OK",
        ]);
        let mailboxes = answer.mailboxes().unwrap();
        let names: Vec<_> = mailboxes.iter().map(|mailbox| mailbox.name.as_str()).collect();
        assert_eq!(names, ["Sent", "a \"b\"", "{1}", "2026", "NIL", "a[b", "[Gmail]/Spam"]);
        assert_eq!(
            (&*mailboxes[0].flags[1], mailboxes[0].delimiter.as_deref()),
            ("\\Sent", Some("/"))
        );
        assert_eq!(mailboxes[1].delimiter, None);
        assert_eq!(named(&mailboxes[4].extended), "CHILDINFO=(SUBSCRIBED)");
    }

    #[test]
    fn the_items_of_status_are_those_of_the_mailbox_that_was_asked_for() {
        let status = answer(&[
            "* STATUS inbox (MESSAGES 3 UIDNEXT 5) ",
            "* STATUS Archive (MESSAGES 9000)",
            "* STATUS \"lab box\" (MAILBOXID (F1))",
            "a1 OK",
        ]);
        assert_eq!(named(&status.status_items("INBOX").unwrap()), "MESSAGES=3 UIDNEXT=5");
        assert_eq!(named(&status.status_items("lab box").unwrap()), "MAILBOXID=F1");
    }

    #[test]
    fn responses_about_one_mailbox_agree() {
        for (responses, agree) in [
            (["* LIST (\\HasChildren) \"/\" a", "* LIST (\\Subscribed) \"/\" a"], true),
            (["* LIST (\\HasChildren) \"/\" a", "* LIST (\\HasNoChildren) \"/\" b"], true),
            (["* LIST (\\HasChildren) \"/\" a", "* LIST (\\HasNoChildren) \"/\" a"], false),
            (["* LIST () \"/\" a", "* LIST () \".\" a"], false),
            (["* LIST () \"/\" inbox", "* LIST () NIL INBOX"], false),
            (["* LIST (\\HasChildren \\hasnochildren) \"/\" a", "* 1 EXISTS"], false),
            (["* LIST (\\Marked \\Unmarked) \"/\" a", "* 1 EXISTS"], false),
        ] {
            let answer = answer(&[responses[0], responses[1], "a1 OK"]);
            assert_eq!(answer.mailboxes_of("LIST", "", "*").is_ok(), agree, "{responses:?}");
        }
        for (responses, agree) in [
            (["* STATUS a (MESSAGES 1)", "* STATUS a (MESSAGES 1 UNSEEN 1)"], true),
            (["* STATUS a (MESSAGES 1)", "* STATUS a (MESSAGES 2)"], false),
            (["* STATUS a (MESSAGES 1 UNSEEN 2)", "* STATUS b (MESSAGES 2)"], false),
        ] {
            let answer = answer(&[responses[0], responses[1], "a1 OK"]);
            let contradiction = answer.status_contradiction("a").unwrap();
            assert_eq!(contradiction.is_none(), agree, "{responses:?}");
        }
    }

    #[test]
    fn the_mailboxes_are_those_that_the_command_asks_for() {
        for (command, pattern, response, agrees) in [
            ("LIST", "Lab/%", "* LIST () \"/\" lab/1", true),
            ("LIST", "inbox", "* LIST () NIL INBOX", true),
            ("LIST", "x", "* LIST () \"/\" y (\"OLDNAME\" (\"x\"))", true),
            ("LIST", "", "* LIST (\\Noselect) \"/\" \"\"", true),
            ("LSUB", "*", "* LSUB () \"/\" a", true),
            ("LIST", "Lab/%", "* LIST () \"/\" Lab", false),
            ("LIST", "%", "* LIST () \"/\" a/b", false),
            ("LIST", "*", "* LSUB () \"/\" a", false),
            ("LSUB", "*", "* LIST () \"/\" a", false),
        ] {
            let answer = answer(&[response, "a1 OK"]);
            let wrong = answer.wrong_mailbox(command, "", pattern).unwrap();
            assert_eq!(wrong.is_none(), agrees, "{command} {pattern} {response}");
        }
    }

    #[test]
    fn a_mailbox_response_of_another_form_is_malformed() {
        for wrong in [
            "* LIST Sent",
            "* LIST () \"/\"",
            "* LIST (1) x Sent",
            "* LIST (\\*) \"/\" Sent",
            "* LIST () \"/\" Sent more",
            "* LIST () \"/\" Sent (CHILDINFO)",
        ] {
            let error = answer(&[wrong, "a1 OK"]).mailboxes().unwrap_err();
            assert!(error.is_malformed(), "{wrong}");
        }
        for wrong in [
            "* STATUS INBOX",
            "* STATUS (MESSAGES 3)",
            "* STATUS INBOX (MESSAGES)",
            "* STATUS INBOX (MESSAGES many)",
            "* STATUS INBOX (SIZE NIL)",
            "* STATUS INBOX (MAILBOXID F1)",
            "* STATUS INBOX (MAILBOXID (F1 F2))",
            "* STATUS INBOX (MAILBOXID (F.1))",
            "* STATUS INBOX (APPENDLIMIT x)",
            "* STATUS INBOX (3 MESSAGES)",
            "* STATUS INBOX (MESSAGES 3) (UNSEEN 1)",
        ] {
            let error = answer(&[wrong, "a1 OK"]).status_items("INBOX").unwrap_err();
            assert!(error.is_malformed(), "{wrong}");
        }
    }
}
