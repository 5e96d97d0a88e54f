//! All that came for a command.

use std::collections::HashMap;

use super::fetched::Fetched;
use super::response::{Code, Response};
use super::scanner::Status;
use super::value::Value;
use crate::error::{Error, Kind, Result};
use crate::pattern::Match;
use crate::reply::Reply;

/// A set of numbers that a response tells is spelt out up to this many.
const MOST_NUMBERS: u64 = 1 << 20;

/// All that came for a command: untagged responses, and the tagged one that ended it (RFC 3501
/// section 2.2.2).
#[derive(Clone, Debug)]
pub struct Answer {
    untagged: Vec<Response>,
    tagged: Response,
}

/// A mailbox, as LIST tells of it (RFC 3501 section 7.2.2).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mailbox {
    /// Its name as it came; in modified UTF-7, unless the server was told otherwise.
    pub name: String,
    /// What parts the levels of names; nothing where there is but one.
    pub delimiter: Option<String>,
    /// Its attributes, such as `\HasNoChildren`.
    pub flags: Vec<String>,
}

impl Answer {
    pub(crate) fn new(untagged: Vec<Response>, tagged: Response) -> Self {
        Self { untagged, tagged }
    }

    /// The untagged responses, in the order in which they came.
    #[must_use]
    pub fn untagged(&self) -> &[Response] {
        &self.untagged
    }

    /// The response that ended the command.
    #[must_use]
    pub fn tagged(&self) -> &Response {
        &self.tagged
    }

    /// How it went.
    #[must_use]
    pub fn status(&self) -> Option<Status> {
        self.tagged.status()
    }

    /// What stands in brackets in the tagged response.
    #[must_use]
    pub fn code(&self) -> Option<Code> {
        self.tagged.code()
    }

    /// Everything as it came, as one reply.
    pub(crate) fn into_reply(self) -> Reply {
        let all = self.responses().map(Response::bytes).collect::<Vec<_>>().concat();
        Reply::whole(all.into(), Match::default())
    }

    /// Everything as it came, as text, without the last line end.
    #[must_use]
    pub fn text(&self) -> String {
        let bytes: Vec<&[u8]> = self.responses().map(Response::bytes).collect();
        String::from_utf8_lossy(crate::proto::chomp(&bytes.concat())).into_owned()
    }

    /// All response codes, tagged and untagged: `UIDVALIDITY`, `PERMANENTFLAGS`, `READ-WRITE`.
    #[must_use]
    pub fn codes(&self) -> Vec<Code> {
        self.responses().filter_map(Response::code).collect()
    }

    /// How many messages there are, as the last EXISTS says.
    #[must_use]
    pub fn exists(&self) -> Option<u64> {
        self.named("EXISTS").filter_map(Response::number).last()
    }

    /// How many of them are recent, as the last RECENT says.
    #[must_use]
    pub fn recent(&self) -> Option<u64> {
        self.named("RECENT").filter_map(Response::number).last()
    }

    /// The numbers of messages that are gone, in the order in which they went.
    #[must_use]
    pub fn expunged(&self) -> Vec<u64> {
        self.named("EXPUNGE").filter_map(Response::number).collect()
    }

    /// The flags that the mailbox knows, as the last FLAGS says.
    ///
    /// # Errors
    /// Malformed where the response cannot be read.
    pub fn flags(&self) -> Result<Vec<String>> {
        let Some(flags) = self.named("FLAGS").last() else { return Ok(Vec::new()) };
        Ok(flags.values()?.first().map(Value::texts).unwrap_or_default())
    }

    /// What FETCH responses tell, each message once, in the order in which they came.
    ///
    /// # Errors
    /// Malformed where a response cannot be read.
    pub fn fetched(&self) -> Result<Vec<Fetched>> {
        let mut places: HashMap<u64, usize> = HashMap::new();
        let mut all: Vec<Fetched> = Vec::new();
        for response in &self.untagged {
            let Some(fetched) = Fetched::of(response)? else { continue };
            if let Some(place) = places.get(&fetched.number()) {
                all[*place].update(fetched);
            } else {
                places.insert(fetched.number(), all.len());
                all.push(fetched);
            }
        }
        Ok(all)
    }

    /// What SEARCH found, or the `ALL` of ESEARCH (RFC 4731), number by number.
    ///
    /// # Errors
    /// Malformed where a response cannot be read, and for more numbers than a person could want.
    pub fn found(&self) -> Result<Vec<u64>> {
        let mut found = Vec::new();
        for response in self.named("SEARCH") {
            found.extend(response.values()?.iter().filter_map(Value::number));
        }
        for (name, value) in self.search_results()? {
            if name == "ALL" {
                spell_out(&value.text().unwrap_or_default(), &mut found)?;
            }
        }
        Ok(found)
    }

    /// What ESEARCH says: `COUNT`, `MIN`, `MAX`, `ALL` (RFC 4731 section 3.1).
    ///
    /// # Errors
    /// Malformed where the response cannot be read.
    pub fn search_results(&self) -> Result<Vec<(String, Value)>> {
        let mut results = Vec::new();
        for response in self.named("ESEARCH") {
            let values = response.values()?;
            // The tag in parentheses and the word UID stand before the results.
            let results_of = values.into_iter().skip_while(|value| {
                matches!(value, Value::List(_))
                    || matches!(value, Value::Atom(word) if word.eq_ignore_ascii_case(b"UID"))
            });
            results.extend(pairs(results_of));
        }
        Ok(results)
    }

    /// The mailboxes that LIST or LSUB tell of.
    ///
    /// # Errors
    /// Malformed where a response cannot be read.
    pub fn mailboxes(&self) -> Result<Vec<Mailbox>> {
        let mut mailboxes = Vec::new();
        for response in
            self.untagged.iter().filter(|response| ["LIST", "LSUB"].contains(&&*response.name()))
        {
            let values = response.values()?;
            let [flags @ Value::List(_), delimiter, name, ..] = &*values else {
                return Err(unlike(response, "attributes, a delimiter and a name"));
            };
            let name = name.text().unwrap_or_else(|| "NIL".to_owned());
            mailboxes.push(Mailbox { name, delimiter: delimiter.text(), flags: flags.texts() });
        }
        Ok(mailboxes)
    }

    /// What STATUS says of a mailbox: `MESSAGES`, `UIDNEXT`, `UNSEEN` (RFC 3501 section 7.2.4).
    ///
    /// # Errors
    /// Malformed where the response cannot be read.
    pub fn status_items(&self) -> Result<Vec<(String, Value)>> {
        let mut items = Vec::new();
        for response in self.named("STATUS") {
            match response.values()?.into_iter().nth(1) {
                Some(Value::List(values)) => items.extend(pairs(values.into_iter())),
                _ => return Err(unlike(response, "a mailbox and a list")),
            }
        }
        Ok(items)
    }

    fn responses(&self) -> impl Iterator<Item = &Response> {
        self.untagged.iter().chain([&self.tagged])
    }

    fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Response> {
        self.untagged.iter().filter(move |response| response.name() == name)
    }
}

pub(super) fn pairs(mut values: impl Iterator<Item = Value>) -> Vec<(String, Value)> {
    let mut pairs = Vec::new();
    while let (Some(name), Some(value)) = (values.next(), values.next()) {
        pairs.push((name.text().unwrap_or_default().to_ascii_uppercase(), value));
    }
    pairs
}

pub(super) fn unlike(response: &Response, wanted: &str) -> Error {
    Error::new(Kind::Malformed, format!("{} cannot be read", response.name()))
        .with_expected(wanted)
        .with_got(shown(&response.text()))
}

fn shown(text: &str) -> String {
    crate::visible::excerpt(text.as_bytes(), 200)
}

/// The numbers of a set such as `2,10:11` (RFC 3501 section 9).
fn spell_out(set: &str, found: &mut Vec<u64>) -> Result<()> {
    let wrong =
        || Error::new(Kind::Malformed, "a set of numbers cannot be read").with_got(shown(set));
    for range in set.split(',') {
        let (from, to) = range.split_once(':').unwrap_or((range, range));
        let (from, to): (u64, u64) =
            (from.parse().map_err(|_| wrong())?, to.parse().map_err(|_| wrong())?);
        let (from, to) = (from.min(to), from.max(to));
        if to - from >= MOST_NUMBERS.saturating_sub(found.len() as u64) {
            return Err(wrong().with_expected(format!("at most {MOST_NUMBERS} numbers")));
        }
        found.extend(from..=to);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(responses: &[&str]) -> Answer {
        let mut all: Vec<_> =
            responses.iter().map(|text| Response::parse(format!("{text}\r\n")).unwrap()).collect();
        let tagged = all.pop().unwrap();
        Answer::new(all, tagged)
    }

    fn named(pairs: &[(String, Value)]) -> String {
        let texts: Vec<_> = pairs
            .iter()
            .map(|(name, value)| format!("{name}={}", value.text().unwrap_or_default()))
            .collect();
        texts.join(" ")
    }

    #[test]
    fn a_mailbox_that_was_selected_tells_of_itself() {
        let answer = answer(&[
            "* FLAGS (\\Answered \\Seen)",
            "* OK [PERMANENTFLAGS (\\Seen \\*)] Flags permitted.",
            "* 3 EXISTS",
            "* 0 RECENT",
            "* OK [UIDVALIDITY 1795323817] UIDs valid",
            "* 4 EXISTS",
            "a1 OK [READ-WRITE] done",
        ]);
        assert_eq!(
            (answer.exists(), answer.recent(), answer.expunged()),
            (Some(4), Some(0), vec![])
        );
        assert_eq!(answer.flags().unwrap(), ["\\Answered", "\\Seen"]);
        let names: Vec<_> = answer.codes().into_iter().map(|code| code.name).collect();
        assert_eq!(names, ["PERMANENTFLAGS", "UIDVALIDITY", "READ-WRITE"]);
        assert_eq!(
            (answer.status(), answer.code().unwrap().text),
            (Some(Status::Ok), "READ-WRITE".to_owned())
        );
        assert!(answer.text().starts_with("* FLAGS") && answer.text().ends_with("done"));
    }

    #[test]
    fn messages_are_fetched_with_their_attributes_each_once() {
        let answer = answer(&[
            "* 1 FETCH (FLAGS (\\Seen) UID 7 BODY[HEADER.FIELDS (SUBJECT)] {13}\r\nSubject: hi\r\n BODY[TEXT]<0> NIL)",
            "* 2 FETCH (ENVELOPE (\"a date\" \"hi\" ((\"Al\" NIL \"alice\" \"example.test\")) NIL NIL ((NIL NIL \"bob\" NIL)) NIL NIL NIL \"<1@x>\"))",
            "* 1 FETCH (FLAGS (\\Seen \\Flagged))",
            "* 5 EXISTS",
            "a1 OK done",
        ]);
        let [first, second] = &*answer.fetched().unwrap() else { panic!("two messages") };
        assert_eq!((first.number(), first.uid()), (1, Some(7)));
        assert_eq!(first.flags().unwrap(), ["\\Seen", "\\Flagged"]);
        assert_eq!(first.content("body[header.fields (subject)]").unwrap(), b"Subject: hi\r\n");
        assert_eq!(
            (first.get("BODY[TEXT]<0>"), first.content("BODY[TEXT]<0>")),
            (Some(&Value::Nil), None)
        );
        let envelope = second.envelope().unwrap();
        assert_eq!(
            (envelope.subject.as_deref(), envelope.message_id.as_deref()),
            (Some("hi"), Some("<1@x>"))
        );
        assert_eq!(envelope.from[0].name.as_deref(), Some("Al"));
        assert_eq!(
            (envelope.to[0].mailbox.as_deref(), envelope.to[0].host.as_deref(), envelope.cc.len()),
            (Some("bob"), None, 0)
        );
    }

    #[test]
    fn a_search_is_found_in_either_form() {
        assert_eq!(
            answer(&["* SEARCH 2 84 882", "* SEARCH", "a1 OK"]).found().unwrap(),
            [2, 84, 882]
        );
        let extended = answer(&["* ESEARCH (TAG \"a1\") UID MIN 2 COUNT 4 ALL 2,12:10", "a1 OK"]);
        assert_eq!(extended.found().unwrap(), [2, 10, 11, 12]);
        assert_eq!(named(&extended.search_results().unwrap()), "MIN=2 COUNT=4 ALL=2,12:10");
        assert_eq!(
            answer(&["* ESEARCH (TAG \"a1\")", "a1 OK"]).found().unwrap(),
            Vec::<u64>::new()
        );
        for hostile in [
            "* ESEARCH ALL 1:18446744073709551615",
            "* ESEARCH ALL 1:1000000,1:1000000",
            "* ESEARCH ALL x",
        ] {
            assert!(answer(&[hostile, "a1 OK"]).found().unwrap_err().is_malformed(), "{hostile}");
        }
    }

    #[test]
    fn mailboxes_are_listed_with_their_names_whatever_form_they_have() {
        let answer = answer(&[
            "* LIST (\\HasNoChildren \\Sent) \"/\" Sent",
            "* LIST () NIL \"a \\\"b\\\"\"",
            "* LSUB () \".\" {3}\r\n{1}",
            "* LIST () \"/\" 2026",
            "a1 OK",
        ]);
        let mailboxes = answer.mailboxes().unwrap();
        let names: Vec<_> = mailboxes.iter().map(|mailbox| mailbox.name.as_str()).collect();
        assert_eq!(names, ["Sent", "a \"b\"", "{1}", "2026"]);
        assert_eq!(
            (&*mailboxes[0].flags[1], mailboxes[0].delimiter.as_deref()),
            ("\\Sent", Some("/"))
        );
        assert_eq!(mailboxes[1].delimiter, None);
    }

    #[test]
    fn what_is_not_of_its_form_is_malformed() {
        assert!(answer(&["* LIST Sent", "a1 OK"]).mailboxes().unwrap_err().is_malformed());
        assert!(answer(&["* STATUS INBOX", "a1 OK"]).status_items().unwrap_err().is_malformed());
        assert!(answer(&["* 1 FETCH (FLAGS", "a1 OK"]).fetched().unwrap_err().is_malformed());
    }

    #[test]
    fn the_items_of_status_are_read() {
        let status = answer(&["* STATUS INBOX (MESSAGES 3 UIDNEXT 5)", "a1 OK"]);
        assert_eq!(named(&status.status_items().unwrap()), "MESSAGES=3 UIDNEXT=5");
    }
}
