//! Whether the messages keep their numbers throughout an answer (RFC 3501 section 7.4.1).

use super::answer::Answer;
use super::response::Response;

impl Answer {
    /// The first response that removes a message, and so changes the numbers of others.
    pub(crate) fn removal(&self) -> Option<&Response> {
        self.untagged().iter().find(|response| match &*response.name() {
            "EXPUNGE" => true,
            "VANISHED" => !is_earlier(response),
            _ => false,
        })
    }
}

/// Whether a VANISHED response tells of removals before the mailbox was selected, which change no
/// number (RFC 7162 section 3.2.10.1).
fn is_earlier(vanished: &Response) -> bool {
    let mut words = vanished.body().split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    words.nth(1).is_some_and(|word| word.eq_ignore_ascii_case(b"(EARLIER)"))
}

#[cfg(test)]
mod tests {
    use super::super::answer::tests::answer;

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
}
