//! Whether the numbers of messages in an answer agree with each other and with the selected mailbox
//! (RFC 3501 sections 2.3.1 and 7.4.1).

use std::collections::BTreeSet;

use super::answer::Answer;
use super::expunged::Expunged;
use super::fetched::Fetched;
use super::response::{Response, unlike};
use super::search::results_of;
use super::selected::{Count, Selected};
use super::set::{Set, largest};
use super::value::Value;
use crate::error::Result;

impl Answer {
    /// The first response that removes a message, and so changes the numbers of others.
    pub(crate) fn removal(&self) -> Option<&Response> {
        self.untagged().iter().find(|response| response.is_removal())
    }

    /// The first result, if results are numbers of messages, that is beyond the last message; and
    /// what it should have been. `before` is the mailbox when the command was sent.
    pub(crate) fn beyond(&self, before: Selected) -> Option<(&Response, String)> {
        let mut now = before;
        // Results may come before the EXISTS of new messages among them.
        let mut most = before.count;
        for response in self.untagged() {
            now.came(response.bytes());
            most = most.or_more(now.count);
        }
        let Count::Known(most) = most else { return None };
        let response = self.untagged().iter().find(|response| is_beyond(response, most))?;
        Some((response, format!("numbers up to {most}, as EXISTS says (RFC 3501, 7.3.1)")))
    }

    /// The first unseen message of a mailbox that was selected, if it is beyond the last message
    /// (RFC 3501 section 7.1).
    pub(crate) fn first_unseen(&self) -> Option<(&Response, String)> {
        let most = self.exists()?;
        let is_beyond = |response: &&Response| unseen(response) > Some(most);
        let response = self.untagged().iter().find(is_beyond)?;
        Some((response, format!("UNSEEN of a message up to {most} (RFC 3501, 7.1)")))
    }

    /// The removal that is missing in the answer to a command that removes the messages of this set,
    /// of a mailbox with `count` messages before. None if messages are removed by their UIDs.
    pub(crate) fn lacks_removal(&self, messages: &str, count: Count) -> Option<String> {
        if self.untagged().iter().any(|response| response.name() == "VANISHED") {
            return None;
        }
        let mut expunged = Expunged::default();
        let numbers = self.expunged().into_iter().filter_map(|number| u32::try_from(number).ok());
        let removed: BTreeSet<_> = numbers.map(|number| expunged.remove(number)).collect();
        // With an unknown number of messages, a range may reach beyond the last one.
        let count = if count == Count::Unknown { Count::Outdated } else { count };
        match Set::of(messages).first_missing(&removed, count) {
            Some(number) => Some(format!("EXPUNGE of message {number}, or VANISHED")),
            None => removed.is_empty().then(|| "EXPUNGE or VANISHED".to_owned()),
        }
    }

    /// Fails unless the UIDs of the messages ascend with their numbers (RFC 3501 section 2.3.1.1).
    ///
    /// # Errors
    /// Malformed, with a response.
    pub(super) fn check_order(&self, all: &[Fetched]) -> Result<()> {
        let uid = |message: &Fetched| Some((message.removals(), message.number(), message.uid()?));
        let mut uids: Vec<_> = all.iter().filter_map(uid).collect();
        uids.sort_unstable();
        // A removal moves the numbers, so those before and after it are not compared.
        let is_wrong =
            |pair: &&[(usize, u64, u64)]| pair[0].0 == pair[1].0 && pair[0].2 >= pair[1].2;
        let Some(pair) = uids.windows(2).find(is_wrong) else { return Ok(()) };
        let number = Some(pair[1].1);
        let response = self.named("FETCH").find(|response| response.number() == number);
        let wanted = "UIDs that ascend with the numbers of the messages (RFC 3501, 2.3.1.1)";
        Err(unlike(response.unwrap_or(self.tagged()), wanted))
    }

    /// Fails unless the messages in FETCH responses have one UID each, in order.
    ///
    /// # Errors
    /// Malformed, with a response.
    pub(crate) fn check_uids(&self) -> Result<()> {
        self.check_order(&self.fetched()?)
    }
}

impl Response {
    /// Whether what follows is about the mailbox that is selected next (RFC 7162 section 3.2.11).
    pub(super) fn is_of_next_mailbox(&self) -> bool {
        self.status().is_some() && self.plain_code().is_some_and(|code| code.name == "CLOSED")
    }

    /// Whether the response removes a message now. `VANISHED (EARLIER)` tells of removals before
    /// the mailbox was selected (RFC 7162 section 3.2.10.1).
    pub(super) fn is_removal(&self) -> bool {
        let mut words = self.body().split(|byte| *byte == b' ').filter(|word| !word.is_empty());
        let is = |word: Option<&[u8]>, name: &str| {
            word.is_some_and(|word| word.eq_ignore_ascii_case(name.as_bytes()))
        };
        match words.next() {
            first if is(first, "VANISHED") => !is(words.next(), "(EARLIER)"),
            _ => is(words.next(), "EXPUNGE") && self.number().is_some(),
        }
    }
}

impl Count {
    /// The larger number, as long as none of them is unknown.
    fn or_more(self, other: Self) -> Self {
        match (self, other) {
            (Self::Known(one), Self::Known(other)) => Self::Known(one.max(other)),
            _ => Self::Unknown,
        }
    }
}

/// The number of the first unseen message, in the response code of an untagged OK.
fn unseen(response: &Response) -> Option<u64> {
    if response.name() != "OK" {
        return None;
    }
    let code = response.plain_code().filter(|code| code.name == "UNSEEN")?;
    code.values.first()?.number()
}

/// Whether a result names a message beyond the last one.
fn is_beyond(response: &Response, most: u64) -> bool {
    match &*response.name() {
        "SEARCH" | "SORT" | "THREAD" => {
            response.values().is_ok_and(|values| values.iter().any(|value| holds_more(value, most)))
        }
        "ESEARCH" => has_more_results(response, most),
        _ => false,
    }
}

fn has_more_results(response: &Response, most: u64) -> bool {
    let Ok(values) = response.plain_values() else { return false };
    if values.iter().take(2).any(|value| value.is_atom("UID")) {
        return false;
    }
    let is_more = |(name, value): &(String, Value)| match name.as_str() {
        "ALL" => largest(value).is_some_and(|last| last > most),
        "COUNT" | "MAX" | "MIN" => holds_more(value, most),
        _ => false,
    };
    results_of(response, values).is_ok_and(|results| results.iter().any(is_more))
}

/// Whether a number, or one in a list without a name, is above `most`.
fn holds_more(value: &Value, most: u64) -> bool {
    match value {
        Value::Number(number) => *number > most,
        // A modification sequence is no number of a message.
        Value::List(values) if matches!(values.first(), Some(Value::Atom(_))) => false,
        Value::List(values) => values.iter().any(|value| holds_more(value, most)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::answer::tests::answer;
    use super::*;

    #[test]
    fn a_result_names_messages_that_exist() {
        let mut known = Selected::default();
        known.came(b"* 3 EXISTS");
        for (responses, agrees) in [
            (["* SEARCH 1 9", "* 0 RECENT"], false),
            (["* SEARCH 1 9", "* 9 EXISTS"], true),
            (["* SEARCH 1 3 (MODSEQ 9)", "* 0 RECENT"], true),
            (["* THREAD (1 (2)(9))", "* 0 RECENT"], false),
            (["* ESEARCH (TAG \"a1\") COUNT 4", "* 0 RECENT"], false),
            (["* ESEARCH (TAG \"a1\") ALL 2:4", "* 0 RECENT"], false),
            (["* ESEARCH (TAG \"a1\") COUNT 3 MODSEQ 9", "* 0 RECENT"], true),
            (["* ESEARCH (TAG \"a1\") ALL 4,1", "* 0 RECENT"], false),
            (["* ESEARCH (TAG \"a1\") ALL 3,1", "* 0 RECENT"], true),
            (["* ESEARCH (TAG \"a1\") UID ALL 7:9", "* 0 RECENT"], true),
        ] {
            let answer = answer(&[responses[0], responses[1], "a1 OK"]);
            assert_eq!(answer.beyond(known).is_none(), agrees, "{responses:?}");
        }
        let unseen = answer(&["* OK [UNSEEN 4] x", "* 3 EXISTS", "a1 OK"]);
        assert!(unseen.first_unseen().is_some());
    }

    #[test]
    fn a_removal_is_an_expunge_or_a_message_that_vanishes_now() {
        for (response, is_removal) in [
            ("* 1 EXPUNGE", true),
            ("* VANISHED 7", true),
            ("* VANISHED (EARLIER) 7", false),
            ("* 1 FETCH (FLAGS ())", false),
        ] {
            assert_eq!(answer(&[response, "a1 OK"]).removal().is_some(), is_removal, "{response}");
        }
    }

    #[test]
    fn each_message_of_a_set_that_exists_is_removed_or_one_is_missing() {
        use Count::{Known, Outdated, Unknown};
        let message = |number| Some(format!("EXPUNGE of message {number}, or VANISHED"));
        for (set, count, removals, lacking) in [
            ("1", Unknown, &["* 1 EXPUNGE"][..], None),
            ("1", Unknown, &["* 3 EXPUNGE"], message(1)),
            ("5", Unknown, &[], message(5)),
            ("*", Unknown, &[], Some("EXPUNGE or VANISHED".to_owned())),
            ("$", Known(9), &["* 9 EXPUNGE"], None),
            ("1:3", Outdated, &["* 1 EXPUNGE", "* 1 EXPUNGE"], None),
            ("1:3", Known(3), &["* 1 EXPUNGE", "* 1 EXPUNGE"], message(3)),
            ("1:3", Known(3), &["* 1 EXPUNGE", "* 1 EXPUNGE", "* 1 EXPUNGE"], None),
            ("1:3", Known(3), &["* 3 EXPUNGE", "* 2 EXPUNGE", "* 1 EXPUNGE"], None),
            ("1:3", Known(2), &["* 2 EXPUNGE", "* 1 EXPUNGE"], None),
            ("2:*", Known(3), &["* 2 EXPUNGE", "* 2 EXPUNGE"], None),
            ("2:*", Known(3), &["* 2 EXPUNGE"], message(3)),
            ("1,3", Known(3), &["* 2 EXPUNGE", "* 1 EXPUNGE"], message(3)),
            ("1", Known(3), &["* VANISHED 7"], None),
        ] {
            let lines: Vec<_> = removals.iter().copied().chain(["a1 OK"]).collect();
            assert_eq!(answer(&lines).lacks_removal(set, count), lacking, "{set} {removals:?}");
        }
    }
}
