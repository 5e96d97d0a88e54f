//! The UIDs that COPYUID and APPENDUID give to messages (RFC 4315 section 3).

use super::answer::Answer;
use super::selected::Count;
use super::set::{self, Set};

impl Answer {
    /// What COPYUID should have been after a command that copies the messages of this set, of a
    /// mailbox with `count` messages, if it contradicts the command or itself.
    pub(crate) fn wrong_copies(
        &self,
        messages: &str,
        by_uid: bool,
        count: Count,
    ) -> Option<String> {
        let messages = Set::of(messages);
        let code = self.plain_codes().find(|code| code.name == "COPYUID")?;
        let [_, from, to] = &*code.words() else { return None };
        let outside = Set::of(from).first_outside(&messages).filter(|_| by_uid);
        if let Some(uid) = outside {
            let wanted = "COPYUID of messages that the command names";
            return Some(format!("{wanted}, and not of UID {uid} (RFC 4315, 3)"));
        }
        let copies = set::length(from)?;
        // All messages are copied, or none (RFC 3501 section 6.4.7).
        let least = if by_uid { 0 } else { messages.at_least(count) };
        if copies < least {
            return Some(format!("COPYUID of {least}, as many as named (RFC 4315, 3)"));
        }
        if let Some(count) = messages.count().filter(|count| copies > *count) {
            return Some(format!("COPYUID of at most {count}, as many as named (RFC 4315, 3)"));
        }
        set::repeated(to).map(|uid| {
            format!("COPYUID with a UID of its own for each copy, and {uid} once (RFC 4315, 3)")
        })
    }

    /// What APPENDUID should have been after an APPEND of one message, if it gives more UIDs.
    pub(crate) fn wrong_append(&self) -> Option<String> {
        let code = self.plain_codes().find(|code| code.name == "APPENDUID")?;
        let uids = set::length(code.words().get(1)?)?;
        (uids > 1).then(|| "APPENDUID with one UID for one message (RFC 4315, 3)".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::super::answer::tests::answer;
    use super::Count;

    #[test]
    fn copies_are_those_that_the_command_names() {
        for (messages, by_uid, code, agrees) in [
            ("8:10", false, "COPYUID 5 70:71 1:2", true),
            ("8:10", false, "COPYUID 5 70 1", false),
            ("7", true, "COPYUID 5 7 1", true),
            ("7:8", true, "COPYUID 5 8 1", true),
            ("7:*", true, "COPYUID 5 3 1", true),
            ("1", false, "COPYUID 5 7 1", true),
            ("1:*", false, "COPYUID 5 7:8 1:2", true),
            ("$", false, "COPYUID 5 7:8 1:2", true),
            ("2:1", false, "COPYUID 5 7:8 2,1", true),
            ("1", false, "UIDNEXT 5", true),
            ("7", true, "COPYUID 5 8 1", false),
            ("1", false, "COPYUID 5 7:8 1:2", false),
            ("1:2", false, "COPYUID 5 7:8 1,1", false),
            ("1:2000000", true, "COPYUID 5 1:2000000 1:2000000", true),
            ("1:2000000", true, "COPYUID 5 2:2000001 1:2000000", false),
            ("1:2000001", true, "COPYUID 5 1:2000000 1,1:1999999", false),
        ] {
            let copied = answer(&[&format!("a1 OK [{code}] x")]);
            let wrong = copied.wrong_copies(messages, by_uid, Count::Known(9));
            assert_eq!(wrong.is_none(), agrees, "{messages} {code}: {wrong:?}");
        }
        assert!(answer(&["a1 OK [APPENDUID 5 3] x"]).wrong_append().is_none());
        assert!(answer(&["a1 OK [APPENDUID 5 3:4] x"]).wrong_append().is_some());
    }
}
