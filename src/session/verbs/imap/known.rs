//! Whether an answer agrees with what the server has said of the selected mailbox (RFC 3501 sections
//! 5.2 and 7.4.1).

use super::required::BARE;
use crate::error::{Kind, Result};
use crate::proto::imap::{Answer, Selected};
use crate::session::Session;
use crate::session::waiting::Wait;

/// The verbs whose results are numbers of messages, unless messages are named by their unique
/// identifiers. Messages keep their numbers up to the end of these commands (RFC 3501 section
/// 7.4.1, RFC 5256 section 3).
const BY_NUMBER: [&str; 6] = ["esearch", "fetch", "search", "sort", "store", "threads"];
/// The verbs after which another mailbox, or none, is selected. News of the mailbox before may come
/// in their answers.
const OPENING: [&str; 5] = ["select", "examine", "close", "unselect", "logout"];
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
/// What the answers to these commands have to be like.
const KEPT: &str = "no EXPUNGE and no VANISHED before the end of FETCH, STORE, SEARCH, SORT and THREAD (RFC 3501, 7.4.1; RFC 5256, 3; RFC 7162, 3.2.10.2)";

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

impl Known {
    /// For a verb. `command` takes whatever comes.
    pub(super) fn of(name: &str, by_uid: bool, selected: Selected) -> Self {
        let opens = OPENING.contains(&name);
        let elsewhere = Selected { is_notified: selected.is_notified, ..Selected::default() };
        let selected = if opens { elsewhere } else { selected };
        Self {
            selected: (name != "command").then_some(selected),
            opens,
            by_number: !by_uid && BY_NUMBER.contains(&name),
            read: READ.iter().find(|(verb, _)| *verb == name).map_or("", |(_, read)| read),
        }
    }
}

impl Session {
    /// Fails if an answer has data of another form than its name requires, if it contradicts what is
    /// known, or if a message is removed in the answer to a command with message numbers, which the
    /// removal changes.
    pub(super) fn check_known(&self, known: Known, answer: &Answer, wait: Wait) -> Result<()> {
        let Some(selected) = known.selected else { return Ok(()) };
        self.parsed(answer.check_forms(known.read))?;
        let keeps = known.by_number && !selected.is_notified;
        let removal = answer.removal().filter(|_| keeps);
        let (why, response, wanted) = if let Some(removal) = removal {
            let why = "a message was removed in the answer to a command with message numbers";
            (why, removal, KEPT.to_owned())
        } else {
            let found = answer.contradicts(selected, known.opens, known.by_number);
            let Some((response, wanted)) = found else { return Ok(()) };
            ("the answer contradicts what the server has said of the mailbox", response, wanted)
        };
        let error = self.fault(Kind::Unexpected, why).with_expected(wanted);
        let error = error.with_got(self.shown_lines(response.bytes())).with_waited(wait.waited());
        Err(error.hint(BARE))
    }
}
