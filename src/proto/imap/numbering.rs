//! Whether an answer agrees with what the server has said of the selected mailbox before (RFC 3501
//! sections 2.3.1 and 7.4.1).

use std::collections::BTreeSet;

use super::answer::Answer;
use super::expunged::Expunged;
use super::fetched::Fetched;
use super::response::Response;
use super::selected::{Count, Selected};
use super::set::Set;
use super::value::Value;

impl Answer {
    /// The first response that removes a message, and so changes the numbers of others.
    pub(crate) fn removal(&self) -> Option<&Response> {
        self.untagged().iter().find(|response| response.is_removal())
    }
}

impl Answer {
    /// The first response that contradicts what the server has said before, and what it should have
    /// been. `before` is the mailbox when the command was sent; `opens` says whether the command
    /// selects another one, and `by_number` whether its results are numbers of messages.
    pub(crate) fn contradicts(
        &self,
        before: Selected,
        opens: bool,
        by_number: bool,
    ) -> Option<(&Response, String)> {
        let mut now = before;
        // New messages may be told of at any place in an answer.
        let mut most = before.count;
        for response in self.untagged() {
            let wanted = if opens { None } else { now.contradicted(response) };
            if let Some(wanted) = wanted.or_else(|| now.has_other_uids(response)) {
                return Some((response, wanted));
            }
            now.came(response.bytes());
            most = most.or_more(now.count);
        }
        if let Some(wrong) = self.first_unseen().filter(|_| opens) {
            return Some(wrong);
        }
        let Count::Known(most) = most else { return None };
        let is_beyond = |response: &&Response| !opens && is_beyond(response, most, by_number);
        let response = self.untagged().iter().find(is_beyond)?;
        Some((response, format!("numbers up to {most}, as EXISTS says (RFC 3501, 7.3.1)")))
    }

    /// The first unseen message of a mailbox that was selected, if it is beyond the last message
    /// (RFC 3501 section 7.1).
    fn first_unseen(&self) -> Option<(&Response, String)> {
        let most = self.exists()?;
        let is_beyond = |response: &&Response| code_of(response, "UNSEEN") > Some(most);
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

    /// A message whose UID is not above that of the message before it (RFC 3501 section 2.3.1.1).
    /// None, if messages were removed, which moves the numbers.
    pub(super) fn out_of_order(&self, all: &[Fetched]) -> Option<u64> {
        if self.removal().is_some() {
            return None;
        }
        let mut uids: Vec<_> =
            all.iter().filter_map(|message| Some((message.number(), message.uid()?))).collect();
        uids.sort_unstable();
        let pair = uids.windows(2).find(|pair| pair[0].0 < pair[1].0 && pair[0].1 >= pair[1].1)?;
        Some(pair[1].0)
    }
}

impl Response {
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

impl Selected {
    /// What a response about the mailbox should have been, if it contradicts its number of messages
    /// or the next UID.
    fn contradicted(&self, response: &Response) -> Option<String> {
        let (name, number) = (response.name(), response.number());
        if let (Count::Known(count), Some(number)) = (self.count, number) {
            if name == "EXISTS" && number < count {
                return Some(format!(
                    "EXISTS of at least {count}, or an EXPUNGE before it (RFC 3501, 5.2)"
                ));
            }
            if name == "EXPUNGE" && number > count {
                return Some(format!("EXPUNGE of a message up to {count} (RFC 3501, 7.4.1)"));
            }
        }
        let next = self.uid_next?;
        let falls = code_of(response, "UIDNEXT").is_some_and(|now| now < next);
        falls.then(|| format!("UIDNEXT of at least {next} (RFC 3501, 2.3.1.1)"))
    }

    /// The UIDVALIDITY of the mailbox, if a response has another one. It stays the same while the
    /// mailbox is selected.
    fn has_other_uids(&self, response: &Response) -> Option<String> {
        let validity = self.uid_validity?;
        let differs = code_of(response, "UIDVALIDITY").is_some_and(|now| now != validity);
        differs.then(|| format!("UIDVALIDITY {validity} (RFC 3501, 2.3.1.1)"))
    }
}

/// The number in the response code of an untagged OK.
fn code_of(response: &Response, name: &str) -> Option<u64> {
    if response.name() != "OK" {
        return None;
    }
    let code = response.code().filter(|code| code.name == name)?;
    code.values.first()?.number()
}

/// Whether a response names a message beyond the last one.
fn is_beyond(response: &Response, most: u64, by_number: bool) -> bool {
    let name = response.name();
    if name == "FETCH" {
        return response.number() > Some(most);
    }
    if !by_number {
        return false;
    }
    match &*name {
        "SEARCH" | "SORT" | "THREAD" => {
            response.values().is_ok_and(|values| values.iter().any(|value| holds_more(value, most)))
        }
        "ESEARCH" => has_more_results(response, most),
        _ => false,
    }
}

fn has_more_results(response: &Response, most: u64) -> bool {
    let by_uid = |values: &[Value]| values.iter().take(2).any(|value| value.is_atom("UID"));
    if response.values().is_ok_and(|values| by_uid(&values)) {
        return false;
    }
    let is_more = |(name, value): &(String, Value)| {
        ["ALL", "COUNT", "MAX", "MIN"].contains(&&**name) && holds_more(value, most)
    };
    response.search_results().is_ok_and(|results| results.iter().any(is_more))
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
    fn an_answer_agrees_with_the_mailbox_or_contradicts_it() {
        let known = Selected {
            count: Count::Known(3),
            uid_validity: Some(7),
            uid_next: Some(10),
            is_notified: false,
        };
        for (responses, agrees) in [
            (["* 3 EXISTS", "* 5 EXISTS"], true),
            (["* 2 EXISTS", "* 0 RECENT"], false),
            (["* 1 EXPUNGE", "* 2 EXISTS"], true),
            (["* 1 EXPUNGE", "* 1 EXISTS"], false),
            (["* VANISHED 7:8", "* 1 EXISTS"], true),
            (["* VANISHED (EARLIER) 7:8", "* 1 EXISTS"], false),
            (["* 4 EXPUNGE", "* 0 RECENT"], false),
            (["* 4 EXISTS", "* 4 EXPUNGE"], true),
            (["* 3 EXPUNGE", "* 3 EXPUNGE"], false),
            (["* 4 FETCH (FLAGS ())", "* 0 RECENT"], false),
            (["* 4 FETCH (FLAGS ())", "* 4 EXISTS"], true),
            (["* 3 FETCH (FLAGS ())", "* 3 EXPUNGE"], true),
            (["* SEARCH 1 9", "* 0 RECENT"], false),
            (["* SEARCH 1 3 (MODSEQ 9)", "* 0 RECENT"], true),
            (["* THREAD (1 (2)(9))", "* 0 RECENT"], false),
            (["* ESEARCH (TAG \"a1\") COUNT 4", "* 0 RECENT"], false),
            (["* ESEARCH (TAG \"a1\") ALL 2:4", "* 0 RECENT"], false),
            (["* ESEARCH (TAG \"a1\") COUNT 3 MODSEQ 9", "* 0 RECENT"], true),
            (["* ESEARCH (TAG \"a1\") UID ALL 7:9", "* 0 RECENT"], true),
            (["* OK [UIDVALIDITY 7] x", "* OK [UIDNEXT 10] x"], true),
            (["* OK [UIDVALIDITY 8] x", "* 0 RECENT"], false),
            (["* OK [UIDNEXT 12] x", "* OK [UIDNEXT 11] x"], false),
            (["* OK [CLOSED] x", "* 0 EXISTS"], true),
        ] {
            let answer = answer(&[responses[0], responses[1], "a1 OK"]);
            assert_eq!(answer.contradicts(known, false, true).is_none(), agrees, "{responses:?}");
        }
        let nothing = Selected::default();
        let two = answer(&["* OK [UIDVALIDITY 7] x", "* OK [UIDVALIDITY 8] x", "a1 OK"]);
        assert!(two.contradicts(nothing, true, false).is_some());
        let unseen = answer(&["* OK [UNSEEN 4] x", "* 3 EXISTS", "a1 OK"]);
        assert!(unseen.contradicts(nothing, true, false).is_some());
        let one = answer(&["* 5 EXISTS", "* 0 EXISTS", "a1 OK"]);
        assert!(one.contradicts(nothing, true, false).is_none());
        let uids = answer(&["* SEARCH 900", "a1 OK"]);
        assert!(uids.contradicts(known, false, false).is_none());
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
