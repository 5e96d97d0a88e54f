//! Whether an answer agrees with what the server has said of the selected mailbox (RFC 3501 sections
//! 5.2 and 7.4.1).

use super::required::BARE;
use crate::error::{Kind, Result};
use crate::proto::imap::{Answer, Response, Selected};
use crate::session::Session;
use crate::session::role::Role;
use crate::session::waiting::Wait;

/// The verbs whose results are numbers of messages, unless messages are named by their unique
/// identifiers. Messages keep their numbers up to the end of these commands (RFC 3501 section
/// 7.4.1, RFC 5256 section 3).
const BY_NUMBER: [&str; 6] = ["esearch", "fetch", "search", "sort", "store", "threads"];
/// The verbs after which another mailbox, or none, is selected.
const OPENING: [&str; 4] = ["select", "examine", "close", "unselect"];
/// The responses that verbs read themselves, all of them.
const READ: [(&str, &str); 8] = [
    ("fetch", "FETCH"),
    ("list", "LIST"),
    ("lsub", "LSUB"),
    ("search", "SEARCH"),
    ("sort", "SORT"),
    ("status", "STATUS"),
    ("store", "FETCH"),
    ("threads", "THREAD"),
];
/// What a removal in the answers to these commands is called in errors.
const REMOVED: &str = "a message was removed in the answer to a command with message numbers";
/// What the answers to these commands have to be like.
const KEPT: &str = "no EXPUNGE and no VANISHED before the end of FETCH, STORE, SEARCH, SORT and THREAD (RFC 3501, 7.4.1; RFC 5256, 3; RFC 7162, 3.2.10.2)";

/// What an answer that contradicts the state of the mailbox is called in errors.
const CONTRADICTED: &str = "the answer contradicts what the server has said of the mailbox";

/// What is known when a command is sent. By default, an answer has to agree with nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Known {
    /// The mailbox, unless the answer need not agree with it.
    selected: Option<Selected>,
    opens: bool,
    by_number: bool,
    /// The name of the responses that the verb itself reads.
    read: &'static str,
}

/// A response that contradicts what the server has said of the mailbox before.
#[derive(Debug)]
pub(super) struct Contradiction {
    wanted: String,
    got: String,
}

impl Known {
    /// For a verb. `command` takes whatever comes.
    pub(super) fn of(name: &str, by_uid: bool, selected: Selected) -> Self {
        Self {
            selected: (name != "command").then_some(selected),
            opens: OPENING.contains(&name),
            by_number: !by_uid && BY_NUMBER.contains(&name),
            read: READ.iter().find(|(verb, _)| *verb == name).map_or("", |(_, read)| read),
        }
    }
}

impl Session {
    /// Notes a whole reply that contradicts what the server has said of the mailbox. `before` is the
    /// mailbox before the reply was taken. The verb that ends next fails.
    pub(in crate::session) fn note_contradiction(&mut self, before: Selected, reply: &[u8]) {
        if self.turn.role() == Role::Client && self.tags.contradiction.is_none() {
            let wanted = before.contradicted(reply);
            self.tags.contradiction =
                wanted.map(|wanted| Contradiction { wanted, got: self.shown_lines(reply) });
        }
    }

    /// Fails if an answer has data of another form than its name requires, if it contradicts what is
    /// known, or if a message is removed in the answer to a command with message numbers, which the
    /// removal changes.
    pub(super) fn check_known(&mut self, known: Known, answer: &Answer, wait: Wait) -> Result<()> {
        let contradiction = self.tags.contradiction.take();
        let Some(selected) = known.selected else { return Ok(()) };
        self.parsed(answer.check_forms(known.read))?;
        let shown = |(response, wanted): (&Response, String)| Contradiction {
            wanted,
            got: self.shown_lines(response.bytes()),
        };
        if known.by_number && !selected.is_notified {
            let removal = answer.removal().map(|removal| shown((removal, KEPT.to_owned())));
            self.deny(REMOVED, removal, wait)?;
        }
        self.deny(CONTRADICTED, contradiction, wait)?;
        let unseen = answer.first_unseen().filter(|_| known.opens);
        let beyond = || known.by_number.then(|| answer.beyond(selected)).flatten();
        self.deny(CONTRADICTED, unseen.or_else(beyond).map(shown), wait)?;
        // Verbs that read FETCH compare the UIDs themselves.
        if known.read == "FETCH" { Ok(()) } else { self.parsed(answer.check_uids()) }
    }

    /// Fails if there is a contradiction.
    fn deny(&self, why: &str, contradiction: Option<Contradiction>, wait: Wait) -> Result<()> {
        let Some(Contradiction { wanted, got }) = contradiction else { return Ok(()) };
        let error = self.fault(Kind::Unexpected, why).with_expected(wanted).with_got(got);
        Err(error.with_waited(wait.waited()).hint(BARE))
    }
}
