//! The answer to a command: all responses that came for it.

use std::collections::HashMap;
use std::sync::Arc;

use super::code::Code;
use super::fetched::Fetched;
use super::response::{Response, unlike};
use super::scanner::{NO_RESPONSE, Scanner, Status};
use super::set::Spare;
use crate::error::{Error, Kind, Result};
use crate::pattern::Match;
use crate::reply::Reply;
use crate::room;

/// The answer to a command: the untagged responses, and the tagged response that ended the command
/// (RFC 3501 section 2.2.2).
#[derive(Clone, Debug)]
pub struct Answer {
    untagged: Arc<[Response]>,
    tagged: Response,
    required: Arc<[Reply]>,
}

impl Answer {
    pub(crate) fn new(untagged: Vec<Response>, tagged: Response) -> Self {
        Self { untagged: untagged.into(), tagged, required: Arc::default() }
    }

    /// Returns this answer with the responses that were required.
    pub(crate) fn with_required(self, required: Vec<Reply>) -> Self {
        Self { required: required.into(), ..self }
    }

    /// Parses an answer that was kept as one reply. [`Session::login`](crate::Session::login) and
    /// other methods that several protocols share return such replies.
    ///
    /// # Errors
    /// Malformed if the bytes are not whole responses.
    pub fn parse(reply: &Reply) -> Result<Self> {
        let mut responses = Vec::new();
        let mut rest = reply.bytes();
        while !rest.is_empty() {
            let (used, _) = Scanner::default().feed(rest);
            responses.push(Response::parse(&rest[..used])?);
            rest = &rest[used..];
        }
        let tagged = responses.pop().ok_or_else(|| Error::new(Kind::Malformed, NO_RESPONSE))?;
        Ok(Self::new(responses, tagged))
    }

    /// The untagged responses, in the order in which they came.
    #[must_use]
    pub fn untagged(&self) -> &[Response] {
        &self.untagged
    }

    /// The untagged responses with this name: `EXISTS`, `ACL`.
    #[must_use]
    pub fn all(&self, name: &str) -> Vec<&Response> {
        self.named(&name.to_ascii_uppercase()).collect()
    }

    /// The responses that the patterns of [`Untagged::require`](crate::Untagged::require) required,
    /// in the order of the patterns, each with the groups of its pattern.
    #[must_use]
    pub fn required(&self) -> &[Reply] {
        &self.required
    }

    /// The response that ended the command.
    #[must_use]
    pub fn tagged(&self) -> &Response {
        &self.tagged
    }

    /// The status of the command.
    #[must_use]
    pub fn status(&self) -> Option<Status> {
        self.tagged.status()
    }

    /// The response code in brackets in the tagged response.
    #[must_use]
    pub fn code(&self) -> Option<Code> {
        self.tagged.code()
    }

    /// All responses as they came, as one reply.
    pub(crate) fn into_reply(self) -> Reply {
        let all = self.responses().map(Response::bytes).collect::<Vec<_>>().concat();
        Reply::whole(all.into(), Match::default())
    }

    /// All responses as they came, as text, without the last line end.
    #[must_use]
    pub fn text(&self) -> String {
        let bytes: Vec<&[u8]> = self.responses().map(Response::bytes).collect();
        String::from_utf8_lossy(crate::proto::chomp(&bytes.concat())).into_owned()
    }

    /// All response codes, of tagged and untagged responses: `UIDVALIDITY`, `PERMANENTFLAGS`,
    /// `READ-WRITE`.
    #[must_use]
    pub fn codes(&self) -> Vec<Code> {
        let mut spare = Spare::default();
        self.plain_codes().map(|code| code.spelt_out(&mut spare)).collect()
    }

    /// All response codes, with sets as they came.
    pub(super) fn plain_codes(&self) -> impl Iterator<Item = Code> {
        self.responses().filter_map(Response::plain_code)
    }

    /// The number of messages, from the last EXISTS.
    #[must_use]
    pub fn exists(&self) -> Option<u64> {
        self.named("EXISTS").filter_map(Response::number).last()
    }

    /// The number of recent messages, from the last RECENT.
    #[must_use]
    pub fn recent(&self) -> Option<u64> {
        self.named("RECENT").filter_map(Response::number).last()
    }

    /// The numbers of expunged messages, in the order of their EXPUNGE responses.
    #[must_use]
    pub fn expunged(&self) -> Vec<u64> {
        self.named("EXPUNGE").filter_map(Response::number).collect()
    }

    /// The flags that the mailbox supports, from the last FLAGS response.
    ///
    /// # Errors
    /// Malformed if the response cannot be read.
    pub fn flags(&self) -> Result<Vec<String>> {
        self.named("FLAGS").last().map_or_else(|| Ok(Vec::new()), Response::flags)
    }

    /// The messages in FETCH responses, each message once, in the order in which they came. After
    /// a removal, a number counts as another message than before.
    ///
    /// # Errors
    /// Malformed if a response cannot be read.
    pub fn fetched(&self) -> Result<Vec<Fetched>> {
        let mut places: HashMap<u64, usize> = HashMap::new();
        let mut all: Vec<Fetched> = Vec::new();
        let mut removals = 0;
        for response in self.untagged.iter() {
            let name = response.name();
            if response.is_removal() || response.is_of_next_mailbox() {
                places.clear();
                removals += 1;
            }
            let Some(number) = response.number().filter(|_| name == "FETCH") else { continue };
            room::check()?;
            let fetched = Fetched::of(response, number)?.after(removals);
            if let Some(place) = places.get(&number) {
                let uids = all[*place].uid().zip(fetched.uid());
                if uids.is_some_and(|(before, now)| before != now) {
                    return Err(unlike(response, "one UID of a message (RFC 3501, 2.3.1.1)"));
                }
                all[*place].update(fetched);
            } else {
                places.insert(number, all.len());
                all.push(fetched);
            }
        }
        Ok(all)
    }

    fn responses(&self) -> impl Iterator<Item = &Response> {
        self.untagged.iter().chain([&self.tagged])
    }

    pub(super) fn named<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a Response> {
        self.untagged.iter().filter(move |response| response.name() == name)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::value::Value;
    use super::*;

    /// A value in short form; a list has parentheses.
    fn shown(value: &Value) -> String {
        match value.list() {
            Some(values) => {
                format!("({})", values.iter().map(shown).collect::<Vec<_>>().join(" "))
            }
            None => value.text().unwrap_or_default(),
        }
    }

    pub(crate) fn named(pairs: &[(String, Value)]) -> String {
        let texts: Vec<_> =
            pairs.iter().map(|(name, value)| format!("{name}={}", shown(value))).collect();
        texts.join(" ")
    }

    pub(crate) fn answer(responses: &[&str]) -> Answer {
        let mut all: Vec<_> =
            responses.iter().map(|text| Response::parse(format!("{text}\r\n")).unwrap()).collect();
        let tagged = all.pop().unwrap();
        Answer::new(all, tagged)
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
    fn an_answer_comes_back_from_its_reply() {
        let kept = answer(&["* 1 FETCH (BODY[] {3}\r\na\r\n)", "a1 NO [X y] no"]);
        let text = kept.text();
        let parsed = Answer::parse(&kept.into_reply()).unwrap();
        assert_eq!((parsed.text(), parsed.untagged().len()), (text, 1));
        assert_eq!(parsed.code().unwrap().text, "X y");
        let none = Reply::whole("220 hi".into(), Match::default());
        assert!(Answer::parse(&none).unwrap_err().is_malformed());
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
    fn attributes_out_of_step_or_of_another_form_are_malformed() {
        for attributes in [
            "(FLAGS",
            "FLAGS",
            "(UID 7) (UID 8)",
            "(UID 7 FLAGS)",
            "(UID 3342 BODYSTRUCTURE (\"text\")((\"text\") \"mixed\") RFC822.SIZE 2000)",
            "(UID x)",
            "(UID 0)",
            "(FLAGS \\Seen)",
            "(FLAGS (\"a\"))",
            "(FLAGS (\\))",
            "(FLAGS (\\\\Seen))",
            "(BODY[] word)",
            "(RFC822.SIZE (1))",
            "(MODSEQ 5)",
            "(EMAILID M6)",
            "(EMAILID NIL)",
            "(EMAILID (M6 7))",
            "(EMAILID (\"M6\"))",
            "(THREADID T6)",
            "(SAVEDATE \"x\")",
            "(PREVIEW hello)",
            "(PREVIEW (FUZZY \"x\"))",
            "(X-GM-MSGID x)",
            "(INTERNALDATE NIL)",
            "(INTERNALDATE {26}\r\n17-Jul-1996 02:44:25 -0700)",
            "(ENVELOPE (NIL \"a\\b\" NIL NIL NIL NIL NIL NIL NIL NIL))",
            "(ENVELOPE (NIL NIL))",
            "(ENVELOPE (NIL hi NIL NIL NIL NIL NIL NIL NIL NIL))",
            "(ENVELOPE (NIL NIL ((NIL NIL \"a\")) NIL NIL NIL NIL NIL NIL NIL))",
            "(ENVELOPE (NIL NIL () NIL NIL NIL NIL NIL NIL NIL))",
        ] {
            let error = answer(&[&format!("* 1 FETCH {attributes}"), "a1 OK"]).fetched();
            let error = error.map(|_| attributes).unwrap_err();
            assert!(error.is_malformed(), "{attributes}");
            assert!(error.got().is_some_and(|came| came.starts_with("* 1 FETCH")), "{attributes}");
        }
        assert!(answer(&["* FLAGS \\Seen", "a1 OK"]).flags().unwrap_err().is_malformed());
    }

    #[test]
    fn attributes_of_extensions_are_read() {
        let attributes = "MODSEQ (5) EMAILID (M6-_a) THREADID NIL SAVEDATE NIL PREVIEW {2}\r\nhi";
        let other =
            "EMAILID (7) THREADID (NIL) SAVEDATE \"17-Jul-1996 02:44:25 -0700\" PREVIEW NIL";
        let gmail = "X-GM-THRID 1278455344230334865 X-GM-LABELS (\\Inbox \"a b\" NIL)";
        for (attributes, count) in [(attributes, 5), (other, 4), (gmail, 2)] {
            let fetch = format!("* 1 FETCH ({attributes})");
            let one = &answer(&[&fetch, "a1 OK"]).fetched().unwrap()[0];
            assert_eq!(one.attributes().len(), count, "{attributes}");
        }
    }

    #[test]
    fn a_number_is_another_message_after_an_expunge() {
        let answer = answer(&["* 3 FETCH (UID 10)", "* 2 EXPUNGE", "* 3 FETCH (UID 11)", "a1 OK"]);
        let uids: Vec<_> = answer.fetched().unwrap().iter().map(Fetched::uid).collect();
        assert_eq!(uids, [Some(10), Some(11)]);
    }
}
